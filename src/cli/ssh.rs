//! `ssh`: its arguments, and how they become a request.

use clap::{Arg, ArgMatches, Command};

use super::args::Globals;
use super::flags::simple;
use super::runtime::until_signal;
use crate::error::Result;
use crate::ops::ssh;
use crate::ui::Ui;

/// The node that is meant where none is named.
const FIRST: &str = "n11";

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
            .default_value(FIRST)
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
    let node = matches.get_one::<String>("node").map_or(FIRST, String::as_str);
    let command: Vec<String> = matches.get_many::<String>("command").into_iter().flatten().cloned().collect();
    let typed: Vec<_> = std::env::args_os().collect();
    let after_dashes = typed.iter().position(|word| word == "--").map(|at| typed.len() - at - 1);
    let (node, command) = divided(node, command, after_dashes);
    let session = until_signal(ui, async |_| ssh::find(&globals.deployment_dir, &node).await)?;
    // What was logged would not survive the process's becoming ssh.
    ui.finish();
    match session.begin(&command)? {}
}

/// What stands after `--` is the command, also where no node is named: clap takes its first word for the node then.
/// `after_dashes`: how many words stand there.
fn divided(node: &str, command: Vec<String>, after_dashes: Option<usize>) -> (String, Vec<String>) {
    if after_dashes == Some(command.len() + 1) {
        return (FIRST.to_owned(), std::iter::once(node.to_owned()).chain(command).collect());
    }
    (node.to_owned(), command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_after_dashes_needs_no_node() {
        let divided = |node: &str, command: &[&str], after| {
            let (node, command) = divided(node, command.iter().map(|word| (*word).to_owned()).collect(), after);
            format!("{node}: {}", command.join("|"))
        };
        assert_eq!(divided("exit 7", &[], Some(1)), "n11: exit 7");
        assert_eq!(divided("lsblk", &["-f"], Some(2)), "n11: lsblk|-f");
        assert_eq!(divided("n12", &["lsblk", "-f"], Some(2)), "n12: lsblk|-f");
        assert_eq!(divided("n12", &["lsblk", "-f"], None), "n12: lsblk|-f");
        assert_eq!(divided("n12", &[], None), "n12: ");
    }
}
