//! One file a command: the story of that command, from top to bottom.
//!
//! Belongs here: the order of things, and what each result means for the deployment. Does not
//! belong here: printing (events and reports go to `ui`), spawning (`tools`), writing in the
//! deployment directory (`deployment`), and anything that names a provider.

pub mod adopt;
pub mod cache;
pub mod certificate;
pub mod cp;
pub mod deploy;
pub mod destroy;
pub mod doctor;
pub mod health;
pub mod info;
pub mod init;
pub mod install_tools;
pub mod license;
pub mod list;
pub mod logs;
pub mod named;
pub mod open;
pub mod pager;
pub mod plan;
mod plugin_checksums;
pub mod report;
pub mod run;
pub mod sql;
pub mod ssh;
pub mod stand_in;
pub mod start;
pub mod state;
pub mod status;
pub mod stop;
pub mod suggest;
pub mod support;
pub mod sweep;
pub mod tunnel;
pub mod up;
pub mod update;
pub mod version;
pub mod versions;
pub mod warm;

mod access;
mod account;
mod aftermath;
mod apply;
mod blocking;
mod boot;
mod cache_use;
mod cluster;
mod credentials;
mod engine;
mod floors;
mod host;
mod hosts;
mod known;
pub mod links;
mod login;
mod lost_image;
mod mend;
mod new_file;
mod node_program;
mod node_records;
mod operation;
mod owners;
mod passwords;
mod patience;
mod power;
mod preflight;
mod recorded;
mod redaction;
mod release;
mod render_input;
mod rendered;
#[cfg(test)]
mod second_hypervisor;
mod seed;
mod ssh_files;
mod switcher;
mod terraform_dir;
mod this_machine;
mod user_dirs;
mod usual;
mod workdir;

pub use credentials::Given;
pub use passwords::Passwords;
pub use preflight::CreateMissing;
pub use release::ReleaseRequest;

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
