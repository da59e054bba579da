//! Domains' serial consoles, all of them over one connection.

use std::thread::sleep;
use std::time::{Duration, Instant};

use virt::domain::Domain;
use virt::stream::Stream;
use virt_sys as sys;

use super::{Answer, Client, Fault};
use crate::model::Power;
use crate::providers::{ConsoleNews, ConsoleReader};

/// How often consoles without news are asked again.
const PAUSE: Duration = Duration::from_millis(100);
/// How often one is tried that could not be opened: its domain does not run yet, or somebody else has it.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// A console that is followed.
struct Console<'a> {
    domain: &'a str,
    stream: Option<Stream>,
    /// When to try again to open it.
    due: Instant,
    /// Why it could not be opened, as it was told last.
    told: Option<String>,
}

impl Client {
    /// Hands over what domains print on their first serial consoles, from now on, until `read` returns false.
    /// A domain that does not run, or does not exist yet, is waited for; one that ends is waited for again.
    /// `read` hears [`ConsoleNews::Nothing`] about ten times a second while nothing is printed.
    ///
    /// Error: the connection is lost.
    pub fn follow_consoles(&self, domains: &[&str], read: ConsoleReader<'_>) -> Answer<()> {
        let mut consoles: Vec<_> =
            domains.iter().map(|domain| Console { domain, stream: None, due: Instant::now(), told: None }).collect();
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let mut silent = true;
            for (index, console) in consoles.iter_mut().enumerate() {
                if let Some(news) = self.try_console(console) {
                    let told = match &news {
                        Some(why) => ConsoleNews::Refused(index, why),
                        None => ConsoleNews::Opened(index),
                    };
                    if !read(told) {
                        return Ok(());
                    }
                }
                let Some(stream) = &console.stream else { continue };
                match receive(stream, &mut buffer) {
                    Ok(Received::Bytes(count)) => {
                        silent = false;
                        if !read(ConsoleNews::Printed(index, &buffer[..count])) {
                            return Ok(());
                        }
                    }
                    Ok(Received::Nothing) => {}
                    Ok(Received::End) | Err(_) => {
                        console.stream = None;
                        console.due = Instant::now() + PAUSE;
                    }
                }
            }
            if silent {
                if !read(ConsoleNews::Nothing) {
                    return Ok(());
                }
                sleep(PAUSE);
                // Without an event loop a connection reads its socket only while a question is under way: this
                // one also brings in what the consoles have printed. And it finds out that the connection is lost.
                if let Some(console) = consoles.first() {
                    self.power(console.domain)?;
                }
            }
        }
    }

    /// Opens a console that is due. None: nothing new; `Some(None)`: it is open; else why not, said once.
    fn try_console(&self, console: &mut Console<'_>) -> Option<Option<String>> {
        if console.stream.is_some() || Instant::now() < console.due {
            return None;
        }
        console.due = Instant::now() + TRY_AGAIN;
        if !matches!(self.power(console.domain), Ok(Power::Running)) {
            return None;
        }
        match self.console(console.domain) {
            Ok(stream) => {
                console.stream = Some(stream);
                console.told = None;
                Some(None)
            }
            // It has ended meanwhile.
            Err(_) if !matches!(self.power(console.domain), Ok(Power::Running)) => None,
            Err(fault) if console.told.as_deref() == Some(&fault.message) => None,
            Err(fault) => {
                console.told = Some(fault.message.clone());
                Some(Some(fault.message))
            }
        }
    }

    fn console(&self, domain: &str) -> Answer<Stream> {
        let handle = Domain::lookup_by_name(&self.connect, domain)?;
        let stream = Stream::new(&self.connect, sys::VIR_STREAM_NONBLOCK)?;
        handle.open_console(None, &stream, 0)?;
        Ok(stream)
    }
}

impl Drop for Console<'_> {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            let _ = stream.abort();
        }
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
