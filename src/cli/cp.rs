//! `cp`: its arguments, and how they become a request.

use clap::{Arg, ArgMatches, Command};

use super::args::Globals;
use super::flags::{flag, is_set, simple};
use crate::error::Result;
use crate::ops::cp;
use crate::ui::Ui;

pub(super) fn command() -> Command {
    simple(
        "cp",
        "Copy files to a node or from it, with verified host keys",
        "  exasol cp -d demo data.csv n11:/tmp/\n  exasol cp -d demo n11:/var/log/syslog .\n  \
           exasol cp -d demo -r scripts n12:",
    )
    .arg(flag("recursive", "Copy directories too").short('r'))
    .arg(
        Arg::new("paths")
            .value_name("PATH")
            .num_args(2..)
            .required(true)
            .help("Sources, and the target last; a path on a node is NODE:PATH"),
    )
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let words: Vec<String> = matches.get_many::<String>("paths").into_iter().flatten().cloned().collect();
    let copy = cp::prepare(&globals.deployment_dir, &words, is_set(matches, "recursive"))?;
    // What was logged would not survive the process's becoming scp.
    ui.finish();
    match copy.begin()? {}
}
