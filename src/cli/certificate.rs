//! `certificate`: its arguments, and how they become a request.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::args::Globals;
use super::flags::simple;
use super::runtime::until_signal;
use crate::error::Result;
use crate::ops::certificate::{self, SetRequest};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    let examples =
        "  exasol certificate show -d prod\n  exasol certificate set --cert chain.pem --key server.key -d prod";
    let file = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("FILE")
            .required(true)
            .value_parser(value_parser!(PathBuf))
            .value_hint(clap::ValueHint::FilePath)
            .help(help)
    };
    simple("certificate", "Shows the database's TLS certificate, or brings your own to all nodes", examples)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(simple(
            "show",
            "Shows what is recorded and what every node shows",
            "  exasol certificate show -d prod",
        ))
        .subcommand(
            simple("set", "Checks a certificate and its key, brings them to all nodes, and pins it", examples)
                .arg(file("cert", "PEM: the server's certificate, then its issuers', the root's last"))
                .arg(file("key", "PEM: the server's private key, not encrypted")),
        )
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let dir = globals.deployment_dir.clone();
    let given = matches.subcommand_matches("set").and_then(|set| {
        let file = |name: &str| set.get_one::<PathBuf>(name).cloned();
        Some((file("cert")?, file("key")?))
    });
    let report = until_signal(ui, async |context| match given {
        Some((cert, key)) => certificate::set(context, SetRequest { dir, cert, key }).await,
        None => certificate::show(context, &dir).await,
    })?;
    ui.result(&report)?;
    Ok(0)
}
