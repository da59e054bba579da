//! The commands: one table, from which the command line is built and run.

use clap::{ArgMatches, Command};

use super::args::{self, Globals};
use super::{
    adopt, cache, certificate, completions, cp, deploy, destroy, doctor, health, help, info, init, license, list, logs,
    man, open, report, run, sql, ssh, start, state, status, stop, support, sweep, tunnel, up, version, versions,
};
use crate::error::{Error, Result};
use crate::ops::named;
use crate::ui::Ui;

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
static COMMANDS: [(fn() -> Command, Run); 31] = [
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
    (state::command, There(state::run)),
    (report::command, There(report::run)),
    (support::command, There(support::run)),
    (list::command, Usual(list::run)),
    (adopt::command, Usual(adopt::run)),
    (sweep::command, Usual(sweep::run)),
    (versions::command, Usual(versions::run)),
    (cache::command, Usual(cache::run)),
    (completions::command, OfTree(completions::run)),
    (man::command, OfTree(man::run)),
    (version::command, Usual(version::run)),
    (help::command, OfTree(help::run)),
];

/// Commands that make a deployment: they take its directory as a word too.
const NEW: [&str; 2] = ["init", "up"];

/// The whole command line.
pub(super) fn tree() -> Command {
    let root = Command::new("exasol")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Create and run Exasol database clusters on virtual machines, here or in a cloud")
        .before_help(
            "Examples:\n  \
             exasol init -d demo --db-version rehearsal\n  \
             exasol deploy -d demo\n  \
             exasol status -d demo\n  \
             exasol sql -d demo -c 'SELECT 1'\n  \
             exasol stop -d demo",
        )
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(true);
    args::add(COMMANDS.iter().fold(root, |root, (command, run)| {
        let command = command();
        let has_one = matches!(run, There(_)) || NEW.contains(&command.get_name());
        root.subcommand(if has_one { args::with_deployment(command) } else { command })
    }))
}

/// Runs the command that was typed; the number is the exit status.
pub(super) fn dispatch(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let (name, matches) = matches.subcommand().unwrap_or(("", matches));
    match COMMANDS.iter().find(|(command, _)| command().get_name() == name) {
        Some((_, Usual(run))) => run(globals, matches, ui),
        Some((_, There(run))) => run(&globals.there()?, matches, ui).map_err(named::with_known),
        Some((_, OfTree(run))) => run(tree(), matches, ui),
        None => Err(Error::other(format!("no command has the name '{name}'"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_consistent() {
        tree().debug_assert();
    }
}
