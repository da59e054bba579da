//! The commands: one table, from which the command line is built and run.

use clap::{ArgMatches, Command};

use super::args::{self, Globals};
use super::{
    cache, certificate, completions, cp, deploy, destroy, doctor, health, info, init, license, list, logs, man, open,
    report, run, sql, ssh, start, status, stop, support, tunnel, up, version, versions,
};
use crate::error::{Error, Result};
use crate::ui::Ui;

/// Width of help texts: they fit a terminal of 80 columns.
const WIDTH: usize = 80;

/// Runs a command; the number is the exit status.
enum Run {
    Usual(fn(&Globals, &ArgMatches, &Ui) -> Result<u8>),
    /// Works on a deployment that is there: `-d` takes its name too.
    There(fn(&Globals, &ArgMatches, &Ui) -> Result<u8>),
    /// Needs to know all commands: the tree from which arguments are parsed.
    OfTree(fn(Command, &ArgMatches, &Ui) -> Result<u8>),
}

use Run::{OfTree, There, Usual};

/// In the order of the help text.
static COMMANDS: [(fn() -> Command, Run); 27] = [
    (init::command, Usual(init::run)),
    (up::command, Usual(up::run)),
    (deploy::command, There(deploy::run)),
    (status::command, There(status::run)),
    (stop::command, There(stop::run)),
    (start::command, There(start::run)),
    (health::command, There(health::run)),
    (destroy::command, There(destroy::run)),
    (run::command, Usual(run::run)),
    (doctor::command, Usual(doctor::run)),
    (info::command, There(info::run)),
    (ssh::command, There(ssh::run)),
    (cp::command, There(cp::run)),
    (tunnel::command, There(tunnel::run)),
    (open::command, There(open::run)),
    (sql::command, There(sql::run)),
    (logs::command, There(logs::run)),
    (license::command, There(license::run)),
    (certificate::command, There(certificate::run)),
    (report::command, There(report::run)),
    (support::command, There(support::run)),
    (list::command, Usual(list::run)),
    (versions::command, Usual(versions::run)),
    (cache::command, Usual(cache::run)),
    (completions::command, OfTree(completions::run)),
    (man::command, OfTree(man::run)),
    (version::command, Usual(version::run)),
];

/// The whole command line.
pub(super) fn tree() -> Command {
    let root = Command::new("exasol")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Deploys an Exasol database cluster on virtual machines")
        .after_help(
            "Examples:\n  \
             exasol init --cloud-provider libvirt --db-version rehearsal -d demo\n  \
             exasol deploy -d demo\n  \
             exasol status -d demo\n  \
             exasol sql -d demo -c 'SELECT 1'\n  \
             exasol destroy -d demo --yes\n\n\
             Exit codes: 0 done, 1 failed, 2 wrong usage, 3 wrong directory or phase,\n  \
             4 a requirement is missing, 75 another operation is running, 128+n signal n",
        )
        .term_width(WIDTH)
        .max_term_width(WIDTH)
        .subcommand_required(true)
        .arg_required_else_help(true);
    args::add(COMMANDS.iter().fold(root, |root, (command, _)| root.subcommand(command())))
}

/// Runs the command that was typed; the number is the exit status.
pub(super) fn dispatch(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let (name, matches) = matches.subcommand().unwrap_or(("", matches));
    match COMMANDS.iter().find(|(command, _)| command().get_name() == name) {
        Some((_, Usual(run))) => run(globals, matches, ui),
        Some((_, There(run))) => run(&globals.there()?, matches, ui),
        Some((_, OfTree(run))) => run(tree(), matches, ui),
        None => Err(Error::other(format!("no command has the name '{name}'"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(command: &mut Command, visit: &mut dyn FnMut(&mut Command)) {
        visit(command);
        // `help` is clap's own, with a copy of the tree below it.
        let names: Vec<_> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
        for name in names.into_iter().filter(|name| name != "help") {
            if let Some(sub) = command.find_subcommand_mut(&name) {
                each(sub, visit);
            }
        }
    }

    #[test]
    fn the_tree_is_consistent() {
        tree().debug_assert();
    }

    #[test]
    fn every_help_fits_80_columns_and_has_examples() {
        let mut root = tree();
        root.build();
        each(&mut root, &mut |command| {
            assert!(command.render_help().to_string().contains("Examples:"), "{}", command.get_name());
            let help = command.render_long_help().to_string();
            for line in help.lines() {
                assert!(line.chars().count() <= WIDTH, "{}: {line}", command.get_name());
            }
        });
    }
}
