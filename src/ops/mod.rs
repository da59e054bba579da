//! One file a command: the story of that command, from top to bottom.
//!
//! Belongs here: the order of things, and what each result means for the deployment. Does not
//! belong here: printing (events and reports go to `ui`), spawning (`tools`), writing in the
//! deployment directory (`deployment`), and anything that names a provider.

pub mod cache;
pub mod deploy;
pub mod destroy;
pub mod doctor;
pub mod info;
pub mod init;
pub mod plan;
pub mod sql;
pub mod ssh;
pub mod status;

mod blocking;
mod cache_dirs;
mod connections;
mod operation;
mod preflight;
mod render_input;
mod terraform_dir;

pub use preflight::CreateMissing;

use crate::events::EventSink;
use crate::signal::Interrupt;

/// What every operation gets beside its request.
#[derive(Clone)]
pub struct Context {
    pub sink: EventSink,
    pub interrupt: Interrupt,
}

/// Asks a person a question; None without a terminal.
pub type Confirm<'a> = &'a (dyn Fn(&str) -> Option<bool> + Sync);
