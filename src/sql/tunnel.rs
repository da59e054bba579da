//! A way to a SQL port that is not a TCP connection of our own.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes from and to a SQL port, however they get there.
pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// Begins a new stream to the port at every call.
///
/// An error of the kind `ConnectionRefused` says that nothing listens on the port, `HostUnreachable`
/// that the way to it is closed; both may also come from the stream as its first answer.
#[derive(Clone)]
pub struct Tunnel(Arc<dyn Fn() -> io::Result<Box<dyn Stream>> + Send + Sync>);

impl Tunnel {
    pub fn new(open: impl Fn() -> io::Result<Box<dyn Stream>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(open))
    }

    pub(super) fn open(&self) -> io::Result<Box<dyn Stream>> {
        (self.0)()
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tunnel")
    }
}
