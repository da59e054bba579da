//! Files from elsewhere: fetched once, checked, resumed, and never half there.
//!
//! https through reqwest (proxies by `HTTPS_PROXY` and `NO_PROXY`, certificates of the system or of
//! `SSL_CERT_FILE`), and `file://` copies. What is being fetched is called `<name>.part` beside its
//! destination and takes its name when it is complete, right and on the disk. `<name>.lock` keeps
//! two processes from fetching the same file; the second waits and finds it done.

mod address;
mod call;
mod exclusive;
mod fetch;
mod part;
mod presence;
mod remote;
mod retry;
mod sums;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::signal::Interrupt;
use address::Address;
use exclusive::Exclusive;
use fetch::Fetch;
use retry::Patience;

pub use call::call;
pub use part::sha256_of;
pub use presence::is_there;
pub use sums::parse_sha256sums;

/// How often a download that another process has begun is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// A checksum file is a few kilobytes; more than this is something else.
const TEXT_MAX_BYTES: usize = 1 << 20;

/// A file that is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `https://…`, `file:///…`; plain http only with a checksum.
    pub url: &'a str,
    /// Where the file shall be; its folder is made if it is missing.
    pub dest: &'a Path,
    /// 64 hex digits. With it, a file that is already there is used when it is right, and replaced
    /// when it is not; without it, it is fetched again.
    pub sha256: Option<&'a str>,
    /// Take nothing from the network: only what is there, or `file://`.
    pub offline: bool,
}

/// What a download tells while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// At most a few times a second.
    Bytes { done: u64, total: Option<u64> },
    /// For people: a retry with its cause, a wait, a resumption.
    Note(String),
}

/// Takes what a download tells.
pub type Report<'a> = &'a mut (dyn FnMut(Progress) + Send);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// Of the whole file, 64 lower-case hex digits.
    pub sha256: String,
    pub bytes: u64,
    /// It was there already, and nothing was fetched.
    pub reused: bool,
}

/// Fetches a file, unless it is there already.
///
/// Errors: `Download` with the cause first, `Checksum` (the file is not kept), `Io` when it can't
/// be stored, `Interrupted` (what has come is kept for the next time if there is a checksum).
pub async fn download(request: &Request<'_>, report: Report<'_>, interrupt: &Interrupt) -> Result<Downloaded> {
    download_with(Patience::default(), request, report, interrupt).await
}

async fn download_with(
    patience: Patience,
    request: &Request<'_>,
    report: Report<'_>,
    interrupt: &Interrupt,
) -> Result<Downloaded> {
    let address = Address::parse(request.url, request.sha256.is_some())?;
    if let Some(there) = reusable(request, request.offline && address.is_remote()).await? {
        return Ok(there);
    }
    if request.offline && address.is_remote() {
        return Err(offline(
            request.url,
            format!("put the file at {}, or run once without --offline", request.dest.display()),
        ));
    }
    make_folder(request.dest)?;
    let (_exclusive, waited) = wait_for_turn(request.dest, report, interrupt).await?;
    if waited && let Some(there) = reusable(request, true).await? {
        return Ok(there);
    }
    Fetch { address, request, patience }.run(report, interrupt).await
}

/// Whether a download runs now that made this file: the destination, its `.part` or its `.lock`.
pub fn is_being_fetched(file: &Path) -> bool {
    Exclusive::is_held(&beside(&destination(file), ".lock"))
}

/// Removes a file that was fetched and what is left of attempts; false while a download of it runs.
pub fn discard(file: &Path) -> Result<bool> {
    let dest = destination(file);
    let failed = || Error::io(format!("removing {}", dest.display()));
    let Some(_exclusive) = Exclusive::take(&beside(&dest, ".lock")).map_err(failed())? else { return Ok(false) };
    for file in [beside(&dest, ".part"), dest.clone()] {
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed()(error)),
            _ => {}
        }
    }
    Ok(true)
}

fn destination(file: &Path) -> PathBuf {
    match file.extension() {
        Some(extension) if extension == "part" || extension == "lock" => file.with_extension(""),
        _ => file.to_owned(),
    }
}

/// Reads a small text, such as a `SHA256SUMS` file. https or `file://` only.
///
/// Errors: `Download`, also when it is larger than 1 MiB or no UTF-8.
pub async fn get_text(url: &str, offline_only: bool, report: Report<'_>, interrupt: &Interrupt) -> Result<String> {
    let address = Address::parse(url, false)?;
    if offline_only && address.is_remote() {
        return Err(offline(url, "give the checksum itself, or run once without --offline".into()));
    }
    fetch::text(&address, TEXT_MAX_BYTES, Patience::default(), report, interrupt).await
}

/// The file at its destination, if it can be used as it is. Without a checksum it can, if `trusted`.
async fn reusable(request: &Request<'_>, trusted: bool) -> Result<Option<Downloaded>> {
    if !request.dest.is_file() || (request.sha256.is_none() && !trusted) {
        return Ok(None);
    }
    let (sha256, bytes) = part::digest_in_background(request.dest.to_owned()).await?;
    let right = request.sha256.is_none_or(|expected| expected.eq_ignore_ascii_case(&sha256));
    Ok(right.then_some(Downloaded { sha256, bytes, reused: true }))
}

/// The lock on the destination, and whether another process had it before us. Waiting has no limit
/// of its own: the other process has limits, and its lock ends with it.
async fn wait_for_turn(dest: &Path, report: Report<'_>, interrupt: &Interrupt) -> Result<(Exclusive, bool)> {
    let path = beside(dest, ".lock");
    let part = beside(dest, ".part");
    let mut waited = false;
    loop {
        let taken = Exclusive::take(&path).map_err(Error::io(format!("locking {}", path.display())))?;
        if let Some(exclusive) = taken {
            return Ok((exclusive, waited));
        }
        if !waited {
            report(Progress::Note(format!("another process is fetching {}: waiting for it", dest.display())));
        }
        waited = true;
        if let Ok(there) = part.metadata() {
            report(Progress::Bytes { done: there.len(), total: None });
        }
        interrupt.sleep(LOOK_AGAIN).await?;
    }
}

fn make_folder(dest: &Path) -> Result<()> {
    match dest.parent() {
        Some(folder) => std::fs::create_dir_all(folder).map_err(Error::io(format!("creating {}", folder.display()))),
        None => Ok(()),
    }
}

fn beside(dest: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(dest);
    name.push(suffix);
    PathBuf::from(name)
}

fn offline(url: &str, hint: String) -> Error {
    Error::Download {
        url: address::shown(url),
        cause: "it is on the network, and --offline allows only caches and local files".into(),
        hint: Some(hint),
    }
}
