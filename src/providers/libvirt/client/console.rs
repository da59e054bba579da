//! A domain's serial console.

use std::thread::sleep;
use std::time::Duration;

use virt::domain::Domain;
use virt::stream::Stream;
use virt_sys as sys;

use super::{Answer, Client, Fault};
use crate::model::Power;

/// How often a console without news is asked again.
const PAUSE: Duration = Duration::from_millis(100);

impl Client {
    /// Hands over what a running domain prints on its first serial console, from now on, until
    /// `read` returns false, the domain ends, or somebody else takes the console. `read` gets an
    /// empty slice about ten times a second while nothing is printed, so that it can give up.
    pub fn follow_console(&self, domain: &str, read: &mut dyn FnMut(&[u8]) -> bool) -> Answer<()> {
        let handle = Domain::lookup_by_name(&self.connect, domain)?;
        let stream = Stream::new(&self.connect, sys::VIR_STREAM_NONBLOCK)?;
        handle.open_console(None, &stream, 0)?;
        let mut buffer = vec![0; 16 * 1024];
        loop {
            match receive(&stream, &mut buffer)? {
                Received::Bytes(count) => {
                    if !read(&buffer[..count]) {
                        break;
                    }
                }
                Received::End => return Ok(()),
                Received::Nothing => {
                    if !read(&[]) {
                        break;
                    }
                    sleep(PAUSE);
                    // Without an event loop a connection reads its socket only while a question is under way: this
                    // one also brings in what the console has printed.
                    if self.power(domain)? != Power::Running {
                        return Ok(());
                    }
                }
            }
        }
        let _ = stream.abort();
        Ok(())
    }
}

enum Received {
    Bytes(usize),
    Nothing,
    End,
}

/// Through virt-sys: `virt` 0.4.3 makes an error of "nothing yet" (-2).
fn receive(stream: &Stream, buffer: &mut [u8]) -> Answer<Received> {
    // SAFETY: the stream is open, the buffer is as long as we say.
    let count = unsafe { sys::virStreamRecv(stream.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) };
    match count {
        0 => Ok(Received::End),
        -2 => Ok(Received::Nothing),
        count => match usize::try_from(count) {
            Ok(count) => Ok(Received::Bytes(count)),
            Err(_) => Err(Fault::from(virt::error::Error::last_error())),
        },
    }
}
