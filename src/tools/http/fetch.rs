//! One download, from the first request to the file under its name.

use std::path::Path;

use reqwest::{Client, Url};
use tokio::io::AsyncReadExt;

use super::address::Address;
use super::part::Part;
use super::remote::{self, Wanted};
use super::retry::{Patience, Trouble};
use super::{Downloaded, Progress, Report, Request, beside};
use crate::error::{Error, Result};
use crate::events::Pace;
use crate::signal::Interrupt;

const BLOCK: usize = 1 << 20;

pub(super) struct Fetch<'a> {
    pub(super) address: Address,
    pub(super) request: &'a Request<'a>,
    pub(super) patience: Patience,
}

impl Fetch<'_> {
    pub(super) async fn run(mut self, report: Report<'_>, interrupt: &Interrupt) -> Result<Downloaded> {
        // What another process has left is of unknown version: only a checksum can tell that it fits.
        let keep = self.request.sha256.is_some() && self.address.is_remote();
        let mut part = Part::open(beside(self.request.dest, ".part"), keep).await?;
        if part.inherited {
            report(Progress::Note(format!("resuming after {} bytes of an earlier download", part.bytes())));
        }
        match self.fill(&mut part, report, interrupt).await {
            Ok(()) => {
                let done = Downloaded { sha256: part.sha256(), bytes: part.bytes(), reused: false };
                part.finish(self.request.dest).await?;
                Ok(done)
            }
            Err(error) => {
                let worth_keeping =
                    keep && part.bytes() > 0 && !is_disk_full(&error) && !matches!(error, Error::Checksum { .. });
                // It failed already: a part that cannot even be completed to this point is not kept.
                if !worth_keeping || part.flush().await.is_err() {
                    part.remove();
                }
                Err(self.advised(error))
            }
        }
    }

    /// A download that cannot be had here may be had elsewhere, and brought by hand.
    fn advised(&self, error: Error) -> Error {
        let advice = || {
            Some(format!(
                "provide the file yourself: {} is used if its SHA-256 is correct",
                self.request.dest.display()
            ))
        };
        match error {
            Error::Download { url, cause, hint: None } if self.request.sha256.is_some() => {
                Error::Download { url, cause, hint: advice() }
            }
            other => other,
        }
    }

    /// Completes the part, and checks it. What was inherited may be wrong: then once more from the start.
    async fn fill(&mut self, part: &mut Part, report: Report<'_>, interrupt: &Interrupt) -> Result<()> {
        loop {
            // A process that was killed just before the end has left all of it.
            if !(part.inherited && self.mismatch(part).is_none()) {
                self.transfer(part, report, interrupt).await?;
            }
            match self.mismatch(part) {
                None => return Ok(()),
                Some(_) if part.inherited => {
                    report(Progress::Note("the part from an earlier download does not match: starting again".into()));
                    part.restart().await?;
                }
                Some(error) => return Err(error),
            }
        }
    }

    fn mismatch(&self, part: &Part) -> Option<Error> {
        let (expected, found) = (self.request.sha256?, part.sha256());
        (!expected.eq_ignore_ascii_case(&found)).then(|| Error::Checksum {
            what: self.address.shown(),
            expected: expected.to_ascii_lowercase(),
            found,
        })
    }

    async fn transfer(&mut self, part: &mut Part, report: Report<'_>, interrupt: &Interrupt) -> Result<()> {
        let url = self.address.shown();
        let mut meter = Meter { total: None, pace: Pace::default() };
        let mut validator = None;
        let mut client = None;
        loop {
            let attempt = match &self.address {
                Address::Local(path) => copy(path, part, &mut meter, report, interrupt).await,
                Address::Remote(url) => {
                    let resumable = validator.is_some() || self.request.sha256.is_some();
                    if part.bytes() > 0 && !resumable {
                        part.restart().await?;
                    }
                    receive(&mut client, url, &mut validator, part, &mut meter, report, interrupt).await
                }
            };
            match attempt {
                Ok(()) => {
                    part.flush().await?;
                    meter.tell_end(part, report);
                    return Ok(());
                }
                Err(trouble) => self.patience.after(trouble, part.bytes(), &url, report, interrupt).await?,
            }
        }
    }
}

/// One request, and what comes of it.
async fn receive(
    client: &mut Option<Client>,
    url: &Url,
    validator: &mut Option<String>,
    part: &mut Part,
    meter: &mut Meter,
    report: Report<'_>,
    interrupt: &Interrupt,
) -> Result<(), Trouble> {
    let client = match client {
        Some(client) => client,
        None => client.insert(remote::client()?),
    };
    let wanted = Wanted { offset: part.bytes(), validator: validator.clone() };
    let answer = interrupt.run(remote::get(client, url, &wanted)).await??;
    let Some(mut body) = answer else {
        part.restart().await?;
        return Err(Trouble::Transient("the server cannot resume".into()));
    };
    if body.offset != part.bytes() {
        report(Progress::Note("the server cannot resume: starting again".into()));
        part.restart().await?;
    }
    *validator = body.validator;
    meter.total = body.total;
    part.check_room(body.total.map_or(0, |total| total.saturating_sub(part.bytes())))?;
    while let Some(chunk) = interrupt.run(body.response.chunk()).await?.map_err(|error| remote::trouble(&error))? {
        part.write(&chunk).await?;
        meter.tell(part, report);
    }
    match body.total {
        Some(total) if total != part.bytes() => {
            Err(Trouble::Transient(format!("it ended after {} of {total} bytes", part.bytes())))
        }
        _ => Ok(()),
    }
}

async fn copy(
    path: &Path,
    part: &mut Part,
    meter: &mut Meter,
    report: Report<'_>,
    interrupt: &Interrupt,
) -> Result<(), Trouble> {
    let failed = |error: std::io::Error| Trouble::permanent(error.to_string());
    let mut file = tokio::fs::File::open(path).await.map_err(failed)?;
    let there = file.metadata().await.map_err(failed)?;
    if !there.is_file() {
        return Err(Trouble::permanent("it is not a file"));
    }
    meter.total = Some(there.len());
    part.check_room(there.len())?;
    let mut block = vec![0; BLOCK];
    loop {
        let count = interrupt.run(file.read(&mut block)).await?.map_err(failed)?;
        if count == 0 {
            return Ok(());
        }
        part.write(block.get(..count).unwrap_or_default()).await?;
        meter.tell(part, report);
    }
}

/// Reads a text of at most `limit` bytes.
pub(super) async fn text(
    address: &Address,
    limit: usize,
    mut patience: Patience,
    report: Report<'_>,
    interrupt: &Interrupt,
) -> Result<String> {
    loop {
        let attempt = interrupt.run(read_text(address, limit)).await?;
        match attempt {
            Ok(text) => return Ok(text),
            Err(trouble) => patience.after(trouble, 0, &address.shown(), report, interrupt).await?,
        }
    }
}

async fn read_text(address: &Address, limit: usize) -> Result<String, Trouble> {
    let mut bytes = Vec::new();
    match address {
        Address::Local(path) => {
            let failed = |error: std::io::Error| Trouble::permanent(error.to_string());
            let file = tokio::fs::File::open(path).await.map_err(failed)?;
            file.take(limit as u64 + 1).read_to_end(&mut bytes).await.map_err(failed)?;
        }
        Address::Remote(url) => {
            let Some(mut body) = remote::get(&remote::client()?, url, &Wanted::default()).await? else {
                return Err(Trouble::Transient("the server sent only a part".into()));
            };
            while bytes.len() <= limit
                && let Some(chunk) = body.response.chunk().await.map_err(|error| remote::trouble(&error))?
            {
                bytes.extend_from_slice(&chunk);
            }
        }
    }
    if bytes.len() > limit {
        return Err(Trouble::permanent(format!("it is larger than {limit} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| Trouble::permanent("it is no UTF-8 text"))
}

/// Tells how far it is, not more often than anybody can see.
struct Meter {
    total: Option<u64>,
    pace: Pace,
}

impl Meter {
    fn tell(&mut self, part: &Part, report: Report<'_>) {
        if self.pace.is_due() {
            report(Progress::Bytes { done: part.bytes(), total: self.total });
        }
    }

    fn tell_end(&self, part: &Part, report: Report<'_>) {
        report(Progress::Bytes { done: part.bytes(), total: Some(part.bytes()) });
    }
}

fn is_disk_full(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull)
}
