//! `license`: its arguments, and how they become a request.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::args::Globals;
use super::flags::simple;
use super::runtime::until_signal;
use crate::error::Result;
use crate::ops::license::{self, UploadRequest};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    let examples = "  exasol license show -d prod\n  exasol license upload 1234.exasol_license -d prod";
    simple("license", "Show the database's license, or upload one", examples)
        .after_help(
            "Every installation begins with a license for 10 GiB of raw data. For more data you need a license from \
             Exasol. upload sends the file to confd by standard input.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(simple("show", "Show the license's fields, as confd reports them", "  exasol license show -d prod"))
        .subcommand(
            simple(
                "upload",
                "Upload a license file, and read it back to check it",
                "  exasol license upload FILE -d prod",
            )
            .arg(
                Arg::new("file")
                    .value_name("FILE")
                    .required(true)
                    .value_parser(value_parser!(PathBuf))
                    .value_hint(clap::ValueHint::FilePath)
                    .help("License file from Exasol: 1234.exasol_license"),
            ),
        )
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let dir = globals.deployment_dir.clone();
    let file = matches.subcommand_matches("upload").and_then(|upload| upload.get_one::<PathBuf>("file").cloned());
    let report = until_signal(ui, async |context| match file {
        Some(file) => license::upload(context, UploadRequest { dir, file }).await,
        None => license::show(context, &dir).await,
    })?;
    ui.result(&report)?;
    Ok(0)
}
