//! Typed wrappers of the programs and services that operations use.
//!
//! Belongs here: how a program is called, and a pure parser of what it prints. Does not belong
//! here: which step comes when (`ops`), text for the screen (`ui`), files of the deployment
//! directory (`deployment`). [`process`] is the only file that spawns anything.

pub mod alias;
pub mod ansible;
mod ansible_events;
pub mod attended;
mod child;
pub mod fetched;
mod follow;
pub mod http;
mod lines;
pub mod lock_file;
mod outcome;
pub mod pager;
pub mod plan;
pub mod plugin_cache;
pub mod process;
mod process_tree;
pub mod python;
pub mod requirements;
mod running;
pub mod scratch;
pub mod ssh;
pub mod ssh_connections;
pub mod ssh_forward;
pub mod ssh_link;
pub mod ssh_ready;
pub mod ssh_scan;
pub mod terraform;
mod terraform_events;
mod terraform_program;
pub mod tunnel;
pub mod unpack;
pub mod versions;
