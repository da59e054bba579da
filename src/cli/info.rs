//! `info`: its arguments, and how they become a request.

use clap::{Arg, ArgMatches, Command};

use super::args::Globals;
use super::flags::{flag, is_set, simple};
use crate::error::Result;
use crate::ops::info;
use crate::ui::Ui;

pub(super) fn command() -> Command {
    simple(
        "info",
        "Show how to connect: address, user, certificate, connection strings",
        "  exasol info -d demo\n  exasol info -d demo --for pyexasol\n  \
           eval \"$(exasol info -d demo --for env --show-password)\"",
    )
    .arg(
        Arg::new("for")
            .long("for")
            .value_name("CLIENT")
            .value_parser(info::CLIENTS)
            .ignore_case(true)
            .help("Print exactly what this client needs, and nothing else"),
    )
    .arg(flag("show-password", "Show the passwords too"))
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let (dir, show_password) = (&globals.deployment_dir, is_set(matches, "show-password"));
    match matches.get_one::<String>("for") {
        Some(client) => ui.result(&info::client(dir, &client.to_lowercase(), show_password)?)?,
        None => ui.result(&info::run(dir, show_password)?)?,
    }
    Ok(0)
}
