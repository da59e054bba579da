//! Releases by their number: which c4 goes with one, which keys its configuration takes, and where
//! Exasol's download server keeps both files. For releases that no catalogue has.

use std::collections::BTreeSet;
use std::fmt;

use super::addresses::is_safe;
use crate::model::{Artifact, ConfigKeys, DbVersion, InvalidValue, Origin};

/// The folder `releases` of Exasol's download server, for the database. All public deployers fetch from here.
const DATABASE_SERVER: &str = "https://x-up.s3.eu-west-1.amazonaws.com/releases";
/// The same for c4.
const C4_SERVER: &str = "https://x-up.s3.amazonaws.com/releases";
/// The variable that names another server of that layout.
pub const RELEASE_SERVER: &str = "EXASOL_RELEASE_SERVER";
const PREFIX: &str = "exasol-";

/// Releases that are known to exist, and the c4 that goes with each.
///
/// 2025.1.8 to 2025.2.0: the table "c4 and database versions" of Exasol's documentation (`c4_db_dependency`);
/// 2026.1.0: what Exasol's launcher `exasol-personal` installs since 2026-06-17 (its commit fcc9d54).
pub const KNOWN: [(Number, &str); 5] = [
    (Number { year: 2025, series: 1, patch: 8 }, "4.28.5"),
    (Number { year: 2025, series: 1, patch: 9 }, "4.28.7"),
    (Number { year: 2025, series: 1, patch: 10 }, "4.28.7"),
    (Number { year: 2025, series: 2, patch: 0 }, "4.29.0"),
    (Number { year: 2026, series: 1, patch: 0 }, "4.31.0"),
];

/// `2025.1.10`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number {
    pub year: u16,
    pub series: u16,
    pub patch: u16,
}

impl Number {
    /// `2025.1.10`, with or without `exasol-` in front; None for anything else.
    pub fn parse(text: &str) -> Option<Number> {
        let mut parts = text.strip_prefix(PREFIX).unwrap_or(text).split('.').map(part);
        let number = Number { year: parts.next()??, series: parts.next()??, patch: parts.next()?? };
        parts.next().is_none().then_some(number)
    }

    pub fn name(&self) -> String {
        format!("{PREFIX}{self}")
    }

    /// The c4 that is known to go with it.
    pub fn c4(&self) -> Option<&'static str> {
        KNOWN.iter().find(|(number, _)| number == self).map(|(_, c4)| *c4)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.year, self.series, self.patch)
    }
}

/// A number as Exasol writes it: no sign, no zero in front.
fn part(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

/// The newest c4 that is known here. Exasol's documentation says that the newest fits every database.
pub fn newest_c4() -> &'static str {
    KNOWN.iter().map(|(_, c4)| *c4).max_by_key(|c4| c4_parts(c4)).unwrap_or_default()
}

/// Numbers that may exist although nobody has named them here: the next few of each series, and the first of the
/// series that come next.
pub fn next_numbers(known: &[Number]) -> Vec<Number> {
    const PATCHES: u16 = 5;
    const SERIES: std::ops::RangeInclusive<u16> = 1..=3;
    let known = || known.iter().chain(KNOWN.iter().map(|(number, _)| number));
    let years: BTreeSet<_> = known().map(|number| number.year).collect();
    let mut next = Vec::new();
    for (year, series) in years.iter().flat_map(|year| SERIES.map(move |series| (*year, series))) {
        let last = known().filter(|number| (number.year, number.series) == (year, series)).map(|n| n.patch).max();
        let patches = last.map_or(0..2, |last| last.saturating_add(1)..last.saturating_add(PATCHES + 1));
        next.extend(patches.map(|patch| Number { year, series, patch }));
    }
    let after = years.last().map_or(0, |year| year.saturating_add(1));
    next.extend((0..2).map(|patch| Number { year: after, series: 1, patch }));
    next
}

/// Whether this can be c4's version: `4.28.7`.
pub fn is_c4_version(text: &str) -> bool {
    text.split('.').count() == 3 && text.split('.').all(|word| part(word).is_some())
}

fn c4_parts(text: &str) -> Vec<u16> {
    text.split('.').filter_map(part).collect()
}

/// The keys that c4's configuration may have, by the release's name: those of 2025.1 where it tells no number.
pub fn config_keys(name: &str) -> ConfigKeys {
    let mut parts = name.trim_start_matches('@').strip_prefix(PREFIX).unwrap_or(name).split('.').map(part);
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(year), Some(series)) if (year, series) >= (2025, 2) => ConfigKeys::V2025_2,
        _ => ConfigKeys::V2025_1,
    }
}

/// The release of that number on the download server, or on `server`, the folder `releases` of another one
/// with the same layout. Only x86_64 is known to be there.
pub fn on_server(number: Number, c4: &str, server: Option<&str>) -> Result<DbVersion, InvalidValue> {
    let name = number.name();
    let server = server.map(|server| server.trim_end_matches('/'));
    if let Some(other) = server.filter(|server| !is_safe(server)) {
        return Err(InvalidValue::new(
            RELEASE_SERVER,
            other,
            "must be an address of https, or of http on this machine",
        ));
    }
    Ok(DbVersion {
        aliases: Vec::new(),
        arch: "x86_64".into(),
        working_copy: format!("@{name}"),
        c4_version: Some(c4.to_owned()),
        config_keys: config_keys(&name),
        origin: Origin::Server,
        archive: remote(
            archive_file(&name),
            format!("{}/exasol/linux/x86_64/{number}/{}", server.unwrap_or(DATABASE_SERVER), archive_file(&name)),
        ),
        c4: c4_on_server(c4, "x86_64", server),
        rehearsal: false,
        remark: None,
        name,
    })
}

/// That c4 on the download server. `server`: as [`on_server`] has checked it.
pub fn c4_on_server(c4: &str, arch: &str, server: Option<&str>) -> Artifact {
    remote("c4".into(), format!("{}/c4/linux/{arch}/{c4}/c4", server.unwrap_or(C4_SERVER)))
}

/// What a release's archive is called.
pub fn archive_file(name: &str) -> String {
    format!("{name}.tar.gz")
}

/// The release that a file is by its name: `exasol-2025.1.10.tar.gz`.
pub fn number_of_file(name: &str) -> Option<Number> {
    let stem = name.strip_suffix(".tar.gz").or_else(|| name.strip_suffix(".tgz"))?;
    Number::parse(stem.strip_prefix(PREFIX)?)
}

fn remote(file: String, url: String) -> Artifact {
    Artifact { file, url: Some(url), tree: None, path: None, sha256: None, sha256_from: None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(year: u16, series: u16, patch: u16) -> Number {
        Number { year, series, patch }
    }

    #[test]
    fn a_release_has_three_numbers() {
        assert_eq!(Number::parse("2025.1.10"), Some(number(2025, 1, 10)));
        assert_eq!(Number::parse("exasol-2026.1.0"), Some(number(2026, 1, 0)));
        for wrong in [
            "",
            "2025",
            "2025.1",
            "2025.1.",
            "2025.1.10.1",
            "2025.01.1",
            "2025.1.+1",
            "2025.1.-1",
            "v2025.1.1",
            "exasol-exasol-2025.1.1",
            "2025.1.x",
            " 2025.1.1",
            "99999.1.1",
            "2025.1.1-local",
            "٢٠٢٥.1.1",
        ] {
            assert_eq!(Number::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_addresses_are_those_of_the_download_server() {
        let release = on_server(number(2025, 1, 10), "4.28.7", None).unwrap();
        assert_eq!(
            release.archive.url.as_deref(),
            Some(
                "https://x-up.s3.eu-west-1.amazonaws.com/releases/exasol/linux/x86_64/2025.1.10/exasol-2025.1.10.tar.gz"
            )
        );
        assert_eq!(release.c4.url.as_deref(), Some("https://x-up.s3.amazonaws.com/releases/c4/linux/x86_64/4.28.7/c4"));
        assert_eq!((release.working_copy.as_str(), release.is_pinned()), ("@exasol-2025.1.10", false));
    }

    #[test]
    fn another_server_has_the_same_layout_and_is_encrypted_or_here() {
        let on = |server: &str| on_server(number(2025, 1, 9), "4.28.7", Some(server));
        let release = on("https://mirror.example.com/exasol/").unwrap();
        assert_eq!(release.c4.url.as_deref(), Some("https://mirror.example.com/exasol/c4/linux/x86_64/4.28.7/c4"));
        assert!(on("http://127.0.0.1:8080").is_ok());
        for wrong in ["http://mirror.example.com", "mirror.example.com", "ftp://h", "file:///srv", ""] {
            assert_eq!(on(wrong).unwrap_err().flag, RELEASE_SERVER, "{wrong}");
        }
    }

    #[test]
    fn the_newest_c4_is_found_by_its_numbers() {
        assert_eq!(newest_c4(), "4.31.0");
        assert!(is_c4_version("4.28.7"));
        for wrong in ["", "latest", "4.28", "4.28.7.1", "4.28.7/../x", "4.08.1"] {
            assert!(!is_c4_version(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_may_come_next_is_newer_than_what_is_known_and_not_much() {
        let next = next_numbers(&[number(2025, 1, 12), number(2026, 2, 0)]);
        assert!(next.len() <= 30, "{}", next.len());
        for (year, series, patch) in
            [(2025, 1, 13), (2025, 2, 1), (2025, 3, 0), (2026, 1, 1), (2026, 2, 1), (2027, 1, 0)]
        {
            assert!(next.contains(&number(year, series, patch)), "{year}.{series}.{patch}");
        }
        assert!(!next.contains(&number(2025, 1, 12)) && !next.contains(&number(2025, 1, 9)));
    }

    #[test]
    fn a_series_is_known_by_its_number() {
        for name in ["exasol-2025.1.8", "@exasol-2025.1.10", "2024.2.1", "rehearsal", "exasol-8.32.0", "mine"] {
            assert_eq!(config_keys(name), ConfigKeys::V2025_1, "{name}");
        }
        for name in ["exasol-2025.2.0-arm64dev.1", "@exasol-2026.1.0", "2025.2.1", "exasol-2025.10.0"] {
            assert_eq!(config_keys(name), ConfigKeys::V2025_2, "{name}");
        }
    }

    #[test]
    fn an_archive_tells_its_release() {
        assert_eq!(number_of_file("exasol-2025.1.10.tar.gz"), Some(number(2025, 1, 10)));
        assert_eq!(number_of_file("exasol-2025.1.10.tgz"), Some(number(2025, 1, 10)));
        for wrong in ["2025.1.10.tar.gz", "exasol-2025.1.10.tar", "exasol.tar.gz"] {
            assert_eq!(number_of_file(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(year in 0u16.., series in 0u16.., patch in 0u16..) {
            let number = number(year, series, patch);
            prop_assert_eq!(Number::parse(&number.to_string()), Some(number));
            prop_assert_eq!(Number::parse(&number.name()), Some(number));
            prop_assert_eq!(number_of_file(&archive_file(&number.name())), Some(number));
        }

        #[test]
        fn whatever_is_read_is_written_the_same(text in "(exasol-)?[0-9.+-]{1,14}") {
            if let Some(number) = Number::parse(&text) {
                prop_assert_eq!(number.to_string(), text.strip_prefix("exasol-").unwrap_or(&text));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = (Number::parse(&text), config_keys(&text), number_of_file(&text), is_c4_version(&text));
        }
    }
}
