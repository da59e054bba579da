//! A dated release of an image that its publisher has taken away: which one is the newest of the same series?

use super::super::operation::{Work, in_dir};
use super::download::tell;
use crate::error::Error;
use crate::model::{address_file_name, quote};
use crate::tools::http::{self, Progress};

/// Ubuntu keeps its releases in folders of such names, beside each other.
const FOLDER: &str = "release-";
const DATE: usize = 8;

/// The error with the way out as its hint, where there is one; else as it was.
pub(super) async fn advise(work: &Work, offline: bool, url: &str, error: Error) -> Error {
    let Error::Download { url: shown, cause, hint } = error else { return error };
    let gone = ["HTTP 404", "HTTP 410"].iter().any(|status| cause.starts_with(status));
    let newest = match Release::of(url).filter(|_| gone && !offline) {
        Some(release) => newest(work, &release).await,
        None => None,
    };
    let Some(Newest { name, url, sha256 }) = newest else { return Error::Download { url: shown, cause, hint } };
    let option = |key: &str, value: &str| Some(format!(" {} {value}", work.cluster.provider.flag(key)?));
    let pinned = option("image", &quote(&url)).unwrap_or_default();
    let checksum = sha256.and_then(|sha256| option("image_sha256", &sha256)).unwrap_or_default();
    let update = format!("exasol init --update{pinned}{checksum}");
    Error::Download {
        url: shown,
        cause: format!("{cause}; the newest release of that series is {name}"),
        hint: Some(format!("pin it: {}", in_dir(&update, work.dir.named()))),
    }
}

/// An address that leads through a folder of a dated release.
#[derive(Debug, PartialEq, Eq)]
struct Release {
    /// With a slash at its end.
    parent: String,
    /// After the folder, from the slash on.
    file: String,
}

struct Newest {
    name: String,
    url: String,
    /// None where the checksums cannot be read.
    sha256: Option<String>,
}

impl Release {
    fn of(url: &str) -> Option<Self> {
        // An address with a secret in it is no published release.
        if url.contains('@') || url.contains('?') {
            return None;
        }
        let (start, rest) = url.split_once(&format!("/{FOLDER}"))?;
        let (_, file) = rest.split_once('/')?;
        Some(Self { parent: format!("{start}/"), file: format!("/{file}") })
    }
}

async fn newest(work: &Work, release: &Release) -> Option<Newest> {
    let mut report = |notice: Progress| tell(&work.sink, work.step(), notice);
    let list = http::get_text(&release.parent, false, &mut report, &work.interrupt).await.ok()?;
    let name = newest_in(&list)?;
    let folder = format!("{}{name}", release.parent);
    let url = format!("{folder}{}", release.file);
    let sums = http::get_text(&format!("{folder}/SHA256SUMS"), false, &mut report, &work.interrupt).await;
    let sha256 = sums.ok().and_then(|text| http::parse_sha256sums(&text, address_file_name(&url)));
    Some(Newest { name, url, sha256 })
}

/// The last `release-YYYYMMDD`, or `release-YYYYMMDD.N`, that a page names.
fn newest_in(page: &str) -> Option<String> {
    let parts = page.split(FOLDER).skip(1);
    let dated = parts.filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (date, more) = rest[..end].split_at_checked(DATE)?;
        let number = if more.is_empty() { 0 } else { more.strip_prefix('.')?.parse::<u32>().ok()? };
        Some((date.parse::<u32>().ok()?, number, &rest[..end]))
    });
    dated.max_by_key(|(date, number, _)| (*date, *number)).map(|(_, _, name)| format!("{FOLDER}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_release_of_a_page_is_found() {
        let page = "<a href=\"release-20260826/\">release-20260826/</a> <a href=\"release-20261101.1/\">x</a>\n\
            <a href=\"release-20261101/\">x</a> <a href=\"release/\">release/</a> release-2026 release-99999999x";
        assert_eq!(newest_in(page).as_deref(), Some("release-99999999"));
        let page = page.replace("release-99999999x", "");
        assert_eq!(newest_in(&page).as_deref(), Some("release-20261101.1"));
        assert_eq!(newest_in("nothing"), None);
    }

    #[test]
    fn only_a_dated_release_has_newer_ones() {
        let release = Release::of("https://h/releases/noble/release-20260826/x/y.img").unwrap();
        assert_eq!((release.parent.as_str(), release.file.as_str()), ("https://h/releases/noble/", "/x/y.img"));
        assert_eq!(Release::of("https://h/noble/y.img"), None);
        assert_eq!(Release::of("https://me:hush@h/noble/release-20260826/y.img"), None);
    }

    #[test]
    fn fuzz_release_list() {
        let seed = "<a href=\"release-20260101/\">release-20260101/</a> <a href=\"release-20251231/\">x</a>";
        crate::fuzz::text_target("release-list", &[seed], |text| {
            let Some(name) = newest_in(text) else { return };
            let (date, number) = name[FOLDER.len()..].split_at(DATE);
            assert!(date.parse::<u32>().is_ok() && (number.is_empty() || number.starts_with('.')), "{name}");
        });
    }
}
