//! Which release is meant: by its name, its number, a catalogue of one's own, or its files. What comes out is
//! whole: nothing that it was made from is needed again.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::blocking::blocking;
use super::known;
use crate::catalog::{self, Number};
use crate::error::{Error, Result};
use crate::model::{Artifact, DbVersion, HashOrigin, Origin, Source, Spec, is_sha256};
use crate::signal::Interrupt;
use crate::tools::http;

/// What was said of the release beside its name.
#[derive(Debug, Clone, Default)]
pub struct ReleaseRequest {
    pub c4_version: Option<String>,
    /// Absolute.
    pub db_archive: Option<PathBuf>,
    /// Absolute.
    pub c4: Option<PathBuf>,
    pub db_archive_sha256: Option<String>,
    pub c4_sha256: Option<String>,
    /// A catalogue of one's own; absolute.
    pub catalog: Option<PathBuf>,
    /// Another download server of the same layout.
    pub server: Option<String>,
}

/// The name that stands for the release that is installed if none is named.
const DEFAULT: &str = "default";

impl ReleaseRequest {
    /// Whether it changes anything about the release of that name.
    pub(super) fn is_something(&self) -> bool {
        self.c4_version.is_some()
            || self.db_archive.is_some()
            || self.c4.is_some()
            || self.db_archive_sha256.is_some()
            || self.c4_sha256.is_some()
    }

    /// The user's own catalogue.
    ///
    /// # Errors
    /// Exit code 2: it cannot be read, or has a mistake, which is named with its line.
    pub(super) fn own_versions(&self) -> Result<Vec<DbVersion>> {
        let Some(file) = &self.catalog else { return Ok(Vec::new()) };
        let usage = |message: String| Error::Usage {
            message,
            hint: Some("docs/releases.md has an example; EXASOL_CATALOG names a catalogue, too".into()),
        };
        let unreadable = |why: String| usage(format!("--catalog: {} cannot be read: {why}", file.display()));
        let text = read_catalog(file).map_err(unreadable)?;
        let folder = file.parent().unwrap_or(Path::new("/"));
        catalog::parse_catalog(&text, folder)
            .map_err(|fault| usage(format!("--catalog: {}, line {}: {}", file.display(), fault.line, fault.message)))
    }
}

/// A catalogue is a text that people write.
const CATALOG_MAX: u64 = 1 << 20;

fn read_catalog(file: &Path) -> std::result::Result<String, String> {
    let found = std::fs::metadata(file).map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("it is not a file".into());
    }
    if found.len() > CATALOG_MAX {
        return Err(format!("it is larger than {} MiB", CATALOG_MAX >> 20));
    }
    std::fs::read_to_string(file).map_err(|error| error.to_string())
}

/// Puts the release that is meant into the spec, with everything about it that is known without reading its files.
/// `recorded`: what the deployment has so far.
pub(super) fn resolve(spec: &mut Spec, asked: &ReleaseRequest, recorded: Option<&Spec>) -> Result<()> {
    put(spec, version(&spec.db_version, asked)?);
    // What was trusted once is the same for the user's next deployment.
    if let Some(recorded) = recorded {
        inherit(spec, recorded);
    }
    if spec.release.as_ref().is_some_and(|release| !release.is_pinned()) {
        known::specs().iter().for_each(|other| inherit(spec, other));
    }
    Ok(())
}

/// The release that the spec has, with what was said anew.
pub(super) fn lay_over(spec: &mut Spec, asked: &ReleaseRequest) -> Result<()> {
    let version = catalog::of_spec(spec)?.clone();
    put(spec, with_parts(version, asked)?);
    Ok(())
}

fn put(spec: &mut Spec, version: DbVersion) {
    spec.db_version.clone_from(&version.name);
    spec.release = (version.origin != Origin::BuiltIn).then(|| Box::new(version));
}

fn version(name: &str, asked: &ReleaseRequest) -> Result<DbVersion> {
    let own = asked.own_versions()?;
    let named = match &asked.db_archive {
        Some(file) if name == DEFAULT => number_of(file)?.name(),
        _ => name.to_owned(),
    };
    let known = catalog::find_among(&own, &named).or_else(|| catalog::find_among(catalog::versions(), &named));
    let version = match (known, Number::parse(&named)) {
        (Some(known), _) => known.clone(),
        (None, Some(number)) => by_number(number, asked)?,
        (None, None) => {
            let all: Vec<_> = own.iter().chain(catalog::versions()).cloned().collect();
            return Err(catalog::unknown(&all, &named).into());
        }
    };
    with_parts(version, asked)
}

/// A release with the files, the c4 and the checksums that were named.
fn with_parts(mut version: DbVersion, asked: &ReleaseRequest) -> Result<DbVersion> {
    if version.rehearsal && asked.is_something() {
        return Err(Error::Usage {
            message: format!(
                "--db-version {}: its files come from this program and cannot be taken from elsewhere",
                version.name
            ),
            hint: Some("leave out --c4-version, --db-archive, --c4 and the checksums".into()),
        });
    }
    change_c4(&mut version, asked)?;
    for (flag, file) in [("--db-archive", &asked.db_archive), ("--c4", &asked.c4)] {
        let Some(file) = file else { continue };
        let artifact = if flag == "--c4" { &mut version.c4 } else { &mut version.archive };
        // Which c4 a file is, nobody has said, unless its checksum is known.
        if flag == "--c4" && asked.c4_version.is_none() && artifact.sha256.is_none() {
            version.c4_version = None;
        }
        // What a catalogue says of its content stays true of the file.
        *artifact = Artifact { url: None, tree: None, path: Some(file.clone()), ..artifact.clone() };
        version.origin = Origin::Files;
    }
    let sums = [
        ("--db-archive-sha256", &asked.db_archive_sha256, &mut version.archive),
        ("--c4-sha256", &asked.c4_sha256, &mut version.c4),
    ];
    let mut given = false;
    for (flag, sum, artifact) in sums {
        let Some(sum) = sum else { continue };
        if !is_sha256(sum) {
            return Err(Error::invalid(
                flag,
                sum.clone(),
                "must be a SHA-256: 64 hexadecimal digits, as sha256sum prints them",
            ));
        }
        artifact.pin(sum.to_ascii_lowercase(), HashOrigin::Given);
        given = true;
    }
    if given && version.origin == Origin::BuiltIn {
        version.origin = Origin::Server;
    }
    for (artifact, flag) in [(&version.archive, "--db-archive"), (&version.c4, "--c4")] {
        if let Source::File(path) = artifact.source() {
            check_file(flag, path)?;
        }
    }
    Ok(version)
}

/// A release that no catalogue has.
fn by_number(number: Number, asked: &ReleaseRequest) -> Result<DbVersion> {
    let c4 = match (&asked.c4_version, number.c4()) {
        (Some(c4), _) => checked_c4(c4)?,
        (None, Some(c4)) => c4,
        // The file says it, and nothing is fetched.
        (None, None) if asked.c4.is_some() => "",
        (None, None) => {
            return Err(Error::Usage {
                message: format!("--db-version {number}: this program does not know which c4 belongs to it"),
                hint: Some(format!(
                    "name it with --c4-version; Exasol's documentation says that the newest c4 fits every database, \
                     and the newest one known here is {}",
                    catalog::newest_c4()
                )),
            });
        }
    };
    let mut version = catalog::on_server(number, c4, asked.server.as_deref())?;
    version.c4_version = version.c4_version.filter(|c4| !c4.is_empty());
    Ok(version)
}

fn checked_c4(c4: &str) -> Result<&str> {
    if catalog::is_c4_version(c4) {
        return Ok(c4);
    }
    Err(Error::invalid("--c4-version", c4, "must be a version of c4, such as 4.28.7"))
}

/// Another c4 than the one that goes with a release of a catalogue.
fn change_c4(version: &mut DbVersion, asked: &ReleaseRequest) -> Result<()> {
    let Some(c4) = &asked.c4_version else { return Ok(()) };
    if version.c4_version.as_deref() == Some(checked_c4(c4)?) {
        return Ok(());
    }
    version.c4 = match version.c4.source() {
        Source::Tree(_) => Artifact {
            tree: Some(format!("c4/linux/{}/{c4}/c4", version.arch)),
            sha256: None,
            sha256_from: None,
            ..version.c4.clone()
        },
        _ => catalog::c4_on_server(c4, &version.arch, asked.server.as_deref()),
    };
    version.c4_version = Some(c4.clone());
    if version.origin == Origin::BuiltIn {
        version.origin = Origin::Server;
    }
    Ok(())
}

fn number_of(archive: &Path) -> Result<Number> {
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    catalog::number_of_file(&name).ok_or_else(|| Error::Usage {
        message: format!("--db-archive: '{name}' does not say which release it is"),
        hint: Some("name the release: --db-version X.Y.Z".into()),
    })
}

/// # Errors
/// Exit code 2 for what is not there, cannot be read, or is certainly something else.
fn check_file(flag: &str, file: &Path) -> Result<()> {
    let usage = |why: String, hint: &str| {
        Err(Error::Usage { message: format!("{flag}: {} {why}", file.display()), hint: Some(hint.to_owned()) })
    };
    let start = match start_of(file) {
        Ok(Some(start)) => start,
        Ok(None) => return usage("is not a file".into(), "name the file itself"),
        Err(error) => return usage(format!("cannot be read: {error}"), "check the path and its permissions"),
    };
    let (is_right, what) = match flag {
        "--c4" => (start.starts_with(b"\x7fELF") || start.starts_with(b"#!"), "a program for Linux"),
        _ => (start.starts_with(b"\x1f\x8b"), "a gzip archive (.tar.gz)"),
    };
    match (start.is_empty(), is_right) {
        (true, _) => usage("is empty".into(), "download it again"),
        (_, false) => {
            usage(format!("is not {what}"), "perhaps an error page was saved in its place: download it again")
        }
        (_, true) => Ok(()),
    }
}

/// The first bytes; None for what is no file.
fn start_of(file: &Path) -> std::io::Result<Option<Vec<u8>>> {
    if !std::fs::metadata(file)?.is_file() {
        return Ok(None);
    }
    let mut start = Vec::new();
    File::open(file)?.take(4).read_to_end(&mut start)?;
    Ok(Some(start))
}

/// Reads the release's files that are on this machine, and holds them to what is known of them; what is not
/// known is pinned. Takes seconds for an archive of gigabytes.
///
/// # Errors
/// `Checksum`: a file is another one than it should be.
pub(super) async fn pin_files(spec: &mut Spec, interrupt: &Interrupt) -> Result<()> {
    let Some(release) = spec.release.as_mut() else { return Ok(()) };
    for artifact in [&mut release.archive, &mut release.c4] {
        let Source::File(path) = artifact.source() else { continue };
        let sha256 = sum_of_file(path, artifact.sha256.as_deref(), interrupt).await?;
        if artifact.sha256.is_none() {
            artifact.pin(sha256, HashOrigin::File);
        }
    }
    Ok(())
}

/// The checksum of a file that is read where it is.
///
/// # Errors
/// `Checksum`, with both sums, if it is not the expected one.
pub(super) async fn sum_of_file(path: &Path, expected: Option<&str>, interrupt: &Interrupt) -> Result<String> {
    let file = path.to_owned();
    let found = interrupt.run(blocking(move || http::sha256_of(&file))).await??;
    match expected {
        Some(expected) if expected != found => {
            Err(Error::Checksum { what: path.display().to_string(), expected: expected.to_owned(), found })
        }
        _ => Ok(found),
    }
}

/// Whether a deployment's release can be called that.
pub(super) fn is_of_name(recorded: &Spec, name: &str) -> bool {
    catalog::of_spec(recorded).is_ok_and(|version| catalog::find_among(std::slice::from_ref(version), name).is_some())
}

/// Takes over what was pinned for the same addresses. A file that is named again is looked at again.
pub(super) fn inherit(spec: &mut Spec, recorded: &Spec) {
    let (Some(release), Some(before)) = (spec.release.as_mut(), recorded.release.as_ref()) else { return };
    for (now, then) in [(&mut release.archive, &before.archive), (&mut release.c4, &before.c4)] {
        let pinned = then.sha256_from == Some(HashOrigin::Pinned);
        if pinned && now.sha256.is_none() && now.path.is_none() && now.is_from_where(then) {
            now.sha256.clone_from(&then.sha256);
            now.sha256_from = then.sha256_from;
        }
    }
}
