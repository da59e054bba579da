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
    simple("license", "Shows the database's license, or uploads one", examples)
        .after_help(format!(
            "Examples:\n{examples}\n\n\
             Every installation begins with a license for 10 GiB of raw data; more than that\n\
             needs one from Exasol. It goes to confd by standard input."
        ))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(simple("show", "Shows its fields, as confd tells them", "  exasol license show -d prod"))
        .subcommand(
            simple("upload", "Uploads a license file, and asks for it again", "  exasol license upload FILE -d prod")
                .arg(
                    Arg::new("file")
                        .value_name("FILE")
                        .required(true)
                        .value_parser(value_parser!(PathBuf))
                        .value_hint(clap::ValueHint::FilePath)
                        .help("The file from Exasol: 1234.exasol_license"),
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
