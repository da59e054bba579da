//! `deployer`: the library behind the `exasol` binary.
//!
//! # The map
//!
//! | module | what belongs in it |
//! | --- | --- |
//! | [`cli`] | what people type: one file a command (arguments, request, exit code), one table of them |
//! | [`ops`] | one file a command: its story from top to bottom; prints nothing, spawns nothing |
//! | [`deployment`] | the directory as a type: state, lock, secrets, atomic files, transitions |
//! | [`providers`] | one row a provider; `libvirt/client/` alone names the `virt` crate |
//! | [`render`] | pure: spec and provider to files |
//! | [`tools`] | typed wrappers of programs; `process.rs` is the only spawner |
//! | [`sql`] | a small client: login, query, fingerprint |
//! | [`catalog`] | versions and sizes, as commented TOML |
//! | [`ui`] | shows events, reports, errors and questions; the only code that prints |
//! | [`model`], [`events`], [`signal`], [`error`] | the words that all of them speak |
//!
//! # The arrows
//!
//! ```text
//! main       → cli
//! cli        → ops, ui, providers, deployment, events, signal, model, error, catalog
//! ops        → deployment, render, providers, tools, sql, catalog, events, signal, model, error
//! render     → providers, catalog, deployment (config and secrets), model, error; no I/O
//! deployment → model, error
//! providers  → model, catalog, error
//! tools, sql → events, signal, model, error, self_signed (in tests)
//! ui         → events, signal, model, error
//! error      → signal, model
//! events, signal, catalog → model
//! model      → nothing
//! ```
//!
//! `tests/cli/house.rs` reads every `use crate::` and fails on any other arrow.

pub(crate) mod catalog;
pub mod cli;
pub mod deployment;
pub mod error;
pub(crate) mod events;
#[cfg(test)]
#[path = "../tests/fuzz/mod.rs"]
mod fuzz;
pub mod model;
pub(crate) mod ops;
pub mod providers;
pub mod render;
#[cfg(test)]
#[path = "../tests/fakes/self_signed.rs"]
mod self_signed;
pub(crate) mod signal;
pub mod sql;
pub(crate) mod tools;
pub(crate) mod ui;
