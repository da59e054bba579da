//! What `-h`, `--help` and `exasol help` show.
//!
//! Belongs here: how much of the command tree is shown and how it is laid out, the first screen, and
//! the topics of `exasol help`. Does not belong here: what a command or an option is called and does,
//! which its own file says.

mod arguments;
mod asked;
mod command;
mod first_screen;
mod layout;
mod rows;
mod shown;
mod topics;

pub(super) use asked::{Asked, of_nothing};
pub(super) use command::{command, knows, run};
pub(super) use layout::{laid_out, width};
pub(super) use shown::show;
pub(super) use topics::body;

#[cfg(test)]
mod tests;
