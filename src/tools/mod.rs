//! Typed wrappers of the programs and services that operations use.
//!
//! Belongs here: how a program is called, and a pure parser of what it prints. Does not belong
//! here: which step comes when (`ops`), text for the screen (`ui`), files of the deployment
//! directory (`deployment`). [`process`] is the only file that spawns anything.

mod lines;
pub mod plan;
mod plugin_cache;
pub mod process;
pub mod quote;
pub mod terraform;
mod terraform_events;
