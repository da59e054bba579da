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
    simple("certificate", "Show the database's TLS certificate, or install your own on all nodes", examples)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(simple(
            "show",
            "Show the recorded certificate and the one that each node presents",
            "  exasol certificate show -d prod",
        ))
        .subcommand(
            simple(
                "set",
                "Check a certificate and its key, install them on all nodes, and pin the certificate",
                examples,
            )
            .arg(file("cert", "PEM file: the server's certificate first, then those of its issuers, the root's last"))
            .arg(file("key", "PEM file: the server's private key, not encrypted")),
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
    Ok(u8::from(report.is_unanswered()))
}
