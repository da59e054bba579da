//! One integration binary: the `exasol` command as people run it, and the rules of the house.

// Clippy lets tests unwrap, but not their helpers; and helpers here start the binary under test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod access;
mod adopt;
mod bug_report;
mod cache;
mod clouds;
mod cluster;
mod confd;
mod connect;
mod database;
mod dependencies;
mod deploy;
mod display;
mod doctor;
mod engine;
mod environment;
mod floors;
mod frozen;
mod health;
mod house;
mod hypervisors;
mod image;
mod init;
mod injection;
mod install_tools;
mod lab_libvirt;
mod lifecycle;
mod list;
mod logs;
mod manual;
mod names;
mod networks;
mod no_libvirt;
mod releases;
mod remote;
mod report;
mod runs;
mod schema;
#[path = "../fakes/self_signed.rs"]
#[allow(dead_code)]
mod self_signed;
mod signals;
mod sql;
mod stalled;
mod stand_in;
mod state;
mod support;
mod sweep;
mod up;
mod usage;
mod version;
mod warm;
mod ways;
