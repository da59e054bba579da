//! Locks on files that stay: whether one could be taken, and waiting for it. The holder's end gives it back, however
//! that comes about.

use std::fs::TryLockError;
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::signal::Interrupt;

const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Whether it was taken; false: somebody else holds it. `taken`: what `try_lock` or `try_lock_shared` said.
pub fn is_taken(taken: std::result::Result<(), TryLockError>, path: &Path) -> Result<bool> {
    match taken {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(cause)) => Err(Error::io(format!("cannot lock {}", path.display()))(cause)),
    }
}

/// Asks until there is something. `waits` is called once if that takes a while.
pub async fn wait<T>(take: impl Fn() -> Result<Option<T>>, waits: impl FnOnce(), interrupt: &Interrupt) -> Result<T> {
    let mut waits = Some(waits);
    loop {
        if let Some(taken) = take()? {
            return Ok(taken);
        }
        if let Some(waits) = waits.take() {
            waits();
        }
        interrupt.sleep(LOOK_AGAIN).await?;
    }
}
