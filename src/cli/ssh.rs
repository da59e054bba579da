//! `ssh`: its arguments, and how they become a request.

use clap::{Arg, ArgMatches, Command};

use super::args::Globals;
use super::flags::simple;
use super::runtime::until_signal;
use crate::error::Result;
use crate::ops::ssh;
use crate::ui::Ui;

pub(super) fn command() -> Command {
    simple(
        "ssh",
        "Open a shell on a node, or run a command there",
        "  exasol ssh -d demo\n  exasol ssh -d demo n12\n  exasol ssh -d demo n11-cos\n  \
           exasol ssh -d demo n11 lsblk -f",
    )
    .arg(
        Arg::new("node")
            .value_name("NODE")
            .default_value("n11")
            .help("A node (n11, n12, …) or its COS container (n11-cos)"),
    )
    .alias("shell")
    .arg(
        Arg::new("command")
            .value_name("CMD")
            .num_args(0..)
            .trailing_var_arg(true)
            .help("Command to run there, with its arguments"),
    )
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let node = matches.get_one::<String>("node").map_or("n11", String::as_str);
    let command: Vec<String> = matches.get_many::<String>("command").into_iter().flatten().cloned().collect();
    let session = until_signal(ui, async |_| ssh::find(&globals.deployment_dir, node).await)?;
    // What was logged would not survive the process's becoming ssh.
    ui.finish();
    match session.begin(&command)? {}
}
