//! The only folder that names the `virt` crate: a connection, and plain data read through it.
//!
//! Belongs here: calls of libvirt, and parsers of the XML that it answers with. Does not belong
//! here: what any of it means for a deployment. Everything blocks; callers use `spawn_blocking`.

mod console;
mod domains;
mod forward;
mod host;
mod interfaces;
mod networks;
mod paused;
mod pools;
mod scratch;
mod volumes;
mod xml;

use std::fmt;

use virt::connect::Connect;
use virt::error::{ErrorNumber, clear_error_callback};

pub(super) use domains::Ended;
pub(super) use host::HostInfo;
pub(super) use interfaces::{Interface, InterfaceSource};
pub(super) use networks::Network;
pub(super) use paused::{DiskError, Pause};
pub(super) use pools::Pool;
pub(super) use volumes::{Access, Upload, Volume};
pub(super) use xml::escape;

use crate::error::Error;

/// What libvirt answered instead of doing what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub kind: FaultKind,
    /// libvirt's own words, without its numbers.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// The client library is not on this machine, or too old.
    NoLibrary,
    /// There is no domain, pool, volume or network of that name.
    NotFound,
    /// The name is taken.
    Exists,
    /// This driver or version cannot do it.
    Unsupported,
    Other,
}

impl Fault {
    /// The error of an operation that needed it: "cannot start network 'x': …".
    pub fn during(self, what: impl fmt::Display) -> Error {
        Error::other(format!("cannot {what}: {}", self.message))
    }

    pub fn is_not_found(&self) -> bool {
        self.kind == FaultKind::NotFound
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<virt::error::Error> for Fault {
    fn from(error: virt::error::Error) -> Self {
        use ErrorNumber as N;
        let kind = match error.code() {
            N::NoDomain | N::NoNetwork | N::NoStoragePool | N::NoStorageVolume | N::NoInterface => FaultKind::NotFound,
            N::DomExist | N::NetworkExist | N::StorageVolExist => FaultKind::Exists,
            N::NoSupport | N::ArgumentUnsupported | N::OperationUnsupported | N::ConfigUnsupported => {
                FaultKind::Unsupported
            }
            _ => FaultKind::Other,
        };
        let message = error.message().trim().to_owned();
        tracing::debug!(?kind, message, "libvirt refused");
        Self { kind, message }
    }
}

pub(super) type Answer<T> = Result<T, Fault>;

/// Turns "there is none" into `None`.
fn found<T>(answer: Result<T, virt::error::Error>) -> Answer<Option<T>> {
    match answer.map_err(Fault::from) {
        Ok(thing) => Ok(Some(thing)),
        Err(fault) if fault.is_not_found() => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// A connection to a hypervisor; closed when it goes.
pub(super) struct Client {
    connect: Connect,
}

impl Client {
    /// Opens `uri`. Never asks for anything on a terminal (see [`super::uri::Uri::to_connect`]).
    pub fn open(uri: &str) -> Answer<Self> {
        forward::load().map_err(|message| Fault { kind: FaultKind::NoLibrary, message })?;
        // Else libvirt prints every error, expected ones too, on standard error.
        clear_error_callback();
        let connect = Connect::open(Some(uri))?;
        tracing::debug!(uri, "connected to libvirt");
        Ok(Self { connect })
    }
}

/// Of the client library on this machine.
pub(super) fn library_version() -> Answer<u32> {
    forward::load().map_err(|message| Fault { kind: FaultKind::NoLibrary, message })?;
    Ok(Connect::get_version()?)
}

impl Drop for Client {
    fn drop(&mut self) {
        // Nothing can be done about a connection that does not want to close.
        let _ = self.connect.close();
    }
}

#[cfg(test)]
mod tests;
