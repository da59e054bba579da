//! The file that is being fetched: written and summed up in one go.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::io::{AsyncWriteExt, BufWriter};

use crate::error::{Error, Result};
use crate::model::hex;

const BLOCK: usize = 1 << 20;

/// `<name>.part`, open for appending.
pub(super) struct Part {
    path: PathBuf,
    file: BufWriter<tokio::fs::File>,
    sum: Sha256,
    bytes: u64,
    /// What an earlier process has left is at its beginning.
    pub(super) inherited: bool,
}

impl Part {
    /// Goes on with what an earlier process has left, or begins anew.
    pub(super) async fn open(path: PathBuf, keep: bool) -> Result<Self> {
        let context = || format!("opening {}", path.display());
        let left = if keep && path.is_file() { Some(summed_in_background(path.clone()).await?) } else { None };
        let (sum, bytes) = left.unwrap_or_default();
        let mut options = tokio::fs::OpenOptions::new();
        let file = options.create(true).append(true).open(&path).await.map_err(Error::io(context()))?;
        file.set_len(bytes).await.map_err(Error::io(context()))?;
        Ok(Self { path, file: BufWriter::with_capacity(BLOCK, file), sum, bytes, inherited: bytes > 0 })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Of all that is in it, 64 lower-case hex digits.
    pub(super) fn sha256(&self) -> String {
        hex(self.sum.clone().finalize())
    }

    pub(super) async fn write(&mut self, data: &[u8]) -> Result<()> {
        self.file.write_all(data).await.map_err(self.failed())?;
        self.sum.update(data);
        self.bytes += data.len() as u64;
        Ok(())
    }

    /// Throws away what is there.
    pub(super) async fn restart(&mut self) -> Result<()> {
        self.flush().await?;
        self.file.get_mut().set_len(0).await.map_err(self.failed())?;
        (self.sum, self.bytes, self.inherited) = (Sha256::new(), 0, false);
        Ok(())
    }

    pub(super) async fn flush(&mut self) -> Result<()> {
        self.file.flush().await.map_err(self.failed())
    }

    /// Gives it its name. A machine that loses power now has the old file or the new one.
    pub(super) async fn finish(mut self, dest: &Path) -> Result<()> {
        self.flush().await?;
        self.file.get_ref().sync_all().await.map_err(self.failed())?;
        let rename = || -> io::Result<()> {
            std::fs::rename(&self.path, dest)?;
            match dest.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
                _ => Ok(()),
            }
        };
        rename().map_err(Error::io(format!("storing {}", dest.display())))
    }

    pub(super) fn remove(self) {
        // Only untidy if it stays: the next download writes over it.
        let _ = std::fs::remove_file(&self.path);
    }

    /// Refuses early what would fill the disk.
    pub(super) fn check_room(&self, missing: u64) -> Result<()> {
        let Ok(room) = rustix::fs::statvfs(&self.path) else { return Ok(()) };
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        if missing <= free {
            return Ok(());
        }
        let context = format!("{} needs {} more, {} are free", self.path.display(), mib(missing), mib(free));
        Err(Error::Io { context, source: io::ErrorKind::StorageFull.into() })
    }

    fn failed(&self) -> impl FnOnce(io::Error) -> Error + use<> {
        Error::io(format!("writing {} ({} written)", self.path.display(), mib(self.bytes)))
    }
}

/// A file's SHA-256, 64 lower-case hex digits. Blocking.
pub fn sha256_of(path: &Path) -> Result<String> {
    summed(path).map(|(sum, _)| hex(sum.finalize())).map_err(Error::io(format!("reading {}", path.display())))
}

/// A file's SHA-256 and its size, without blocking the caller's thread.
pub(super) async fn digest_in_background(path: PathBuf) -> Result<(String, u64)> {
    summed_in_background(path).await.map(|(sum, bytes)| (hex(sum.finalize()), bytes))
}

async fn summed_in_background(path: PathBuf) -> Result<(Sha256, u64)> {
    let context = format!("reading {}", path.display());
    let summing = tokio::task::spawn_blocking(move || summed(&path)).await;
    summing.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(Error::io(context))
}

fn summed(path: &Path) -> io::Result<(Sha256, u64)> {
    let mut file = File::open(path)?;
    let mut sum = Sha256::new();
    let mut block = vec![0; BLOCK];
    let mut bytes = 0;
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok((sum, bytes)),
            Ok(count) => {
                sum.update(&block[..count]);
                bytes += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1u32 << 20))
}
