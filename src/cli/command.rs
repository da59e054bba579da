//! The command tree: names, arguments and help texts.

use clap::{Arg, ArgAction, Command, value_parser};

use super::flags::{duration, flag, probe_timeout, simple};
use super::{args, credentials, options, passwords};
use crate::model::Phase;

/// Width of help texts: they fit a terminal of 80 columns.
const WIDTH: usize = 80;

pub(super) fn build() -> Command {
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
             4 something is missing, 75 another operation runs, 128+n signal n",
        )
        .term_width(WIDTH)
        .max_term_width(WIDTH)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(init())
        .subcommand(deploy())
        .subcommand(status())
        .subcommand(simple("stop", "Stops the database cleanly and switches the machines off", "  exasol stop -d demo"))
        .subcommand(simple(
            "start",
            "Switches the machines on and waits until the database accepts logins",
            "  exasol start -d demo",
        ))
        .subcommand(super::health::command())
        .subcommand(destroy())
        .subcommand(doctor())
        .subcommand(info())
        .subcommand(ssh())
        .subcommand(super::sql::command())
        .subcommand(super::logs::command())
        .subcommand(super::license::command())
        .subcommand(super::certificate::command())
        .subcommand(super::support::command())
        .subcommand(super::list::command())
        .subcommand(super::versions::command())
        .subcommand(cache())
        .subcommand(super::manual::completions_command())
        .subcommand(super::manual::man_command())
        .subcommand(version());
    args::add(root)
}

fn provider_arg() -> Arg {
    // Not a clap list of values: the table's own error suggests the nearest name.
    Arg::new("cloud-provider")
        .long("cloud-provider")
        .value_name("PROVIDER")
        .help("Where: libvirt or a cloud (see --list-providers) [default: libvirt]")
}

fn config_arg() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(std::path::PathBuf))
        .value_hint(clap::ValueHint::FilePath)
        .help("TOML file with option names as keys; flags and environment win")
}

fn offline_arg() -> Arg {
    flag("offline", "Use only caches and local files")
        .env("EXASOL_OFFLINE")
        .value_parser(clap::builder::BoolishValueParser::new())
}

fn init() -> Command {
    let command = simple(
        "init",
        "Checks the target and makes a deployment directory",
        "  exasol init --cloud-provider libvirt -d demo\n  \
           exasol init --cloud-provider libvirt --db-version rehearsal -d demo\n  \
           exasol init --cloud-provider libvirt --cluster-size 3 \\\n      \
               --data-volumes-per-node 2 --libvirt-network new -d trio\n  \
           exasol init --config cluster.toml -d prod\n  \
           exasol init --cloud-provider libvirt --show-permissions\n  \
           exasol init --update --allowed-cidr 192.0.2.0/24 -d prod\n\n\
         Every option can also be set by its environment variable: --cluster-size by\n\
         EXASOL_CLUSTER_SIZE. The command line wins, then the environment, then --config.",
    )
    .arg(provider_arg())
    .arg(config_arg())
    .arg(flag("create-missing", "Create or start a missing storage pool or network"))
    .arg(
        flag("update", "Change options of an existing deployment; the next deploy applies them")
            .conflicts_with("create-missing"),
    )
    .arg(flag("show-permissions", "Print what an account at the provider needs, and exit"))
    .arg(flag("list-providers", "List the providers and exit"))
    .arg(flag("list-versions", "List the database versions and exit"));
    passwords::add(credentials::add(options::add(command)))
}

fn deploy() -> Command {
    simple(
        "deploy",
        "Makes the machines and installs the database; resumes after a failure",
        "  exasol deploy -d demo\n  exasol deploy -d demo --plan\n  exasol deploy -d demo --json | tail -1",
    )
    .arg(flag("plan", "Only show what would be created; change nothing"))
    .arg(
        Arg::new("allow-replace")
            .long("allow-replace")
            .value_name("NODE")
            .action(ArgAction::Append)
            .help("Let the plan delete or replace this node's machine; repeatable"),
    )
    .arg(flag("yes", "Do not ask before something is made that is paid for").short('y').visible_alias("auto-approve"))
    .arg(flag("overwrite-edits", "Render generated files anew, although edited by hand").conflicts_with("keep-edits"))
    .arg(flag("keep-edits", "Use generated files as they were edited by hand"))
    .arg(offline_arg())
}

fn status() -> Command {
    let phases: Vec<_> = Phase::ALL.iter().map(|phase| phase.as_str()).collect();
    simple(
        "status",
        "Shows what is true now: recorded phase and live probes",
        "  exasol status -d demo\n  exasol status -d demo --json\n  \
           exasol status -d demo --wait database_ready --timeout 20m\n  exasol status -d demo --watch",
    )
    .arg(probe_timeout())
    .arg(flag("refresh", "Ask a cloud how its machines are (takes seconds; libvirt is always asked)"))
    .arg(
        Arg::new("wait")
            .long("wait")
            .value_name("STATUS")
            .value_parser(phases)
            .hide_possible_values(true)
            .conflicts_with("watch")
            .help("Look until the status is this one, e.g. database_ready or stopped; exit 1 when time is up"),
    )
    .arg(
        Arg::new("timeout")
            .long("timeout")
            .value_name("TIME")
            .value_parser(duration)
            .requires("wait")
            .default_value("15m")
            .help("For how long --wait looks: 90s, 15m, 1h"),
    )
    .arg(flag("watch", "Show every change until Ctrl-C"))
}

fn destroy() -> Command {
    simple(
        "destroy",
        "Removes everything that the deployment made, and proves it",
        "  exasol destroy -d demo --dry-run\n  exasol destroy -d demo\n  exasol destroy -d demo --yes",
    )
    .arg(flag("yes", "Do not ask").short('y').visible_alias("auto-approve"))
    .arg(flag("dry-run", "Only list what would be removed"))
}

fn doctor() -> Command {
    let command = simple(
        "doctor",
        "Runs every preflight check of a provider; changes nothing",
        "  exasol doctor\n  exasol doctor --cloud-provider libvirt --cluster-size 4\n  \
           exasol doctor --libvirt-uri qemu+ssh://me@server/system --json",
    )
    .arg(provider_arg())
    .arg(config_arg());
    credentials::add(options::add(command))
}

fn info() -> Command {
    simple(
        "info",
        "Shows how to connect: address, user, certificate, connection strings",
        "  exasol info -d demo\n  exasol info -d demo --show-password --json",
    )
    .arg(flag("show-password", "Show the passwords too"))
}

fn ssh() -> Command {
    simple(
        "ssh",
        "Opens a shell on a node, or runs a command there",
        "  exasol ssh -d demo\n  exasol ssh -d demo n12\n  exasol ssh -d demo n11-cos\n  \
           exasol ssh -d demo n11 -- lsblk",
    )
    .arg(Arg::new("node").value_name("NODE").default_value("n11").help("n11, n12, … or its COS container: n11-cos"))
    .arg(Arg::new("command").value_name("CMD").last(true).num_args(0..).help("Command and arguments, after --"))
}

fn cache() -> Command {
    let examples = "  exasol cache list\n  exasol cache prune";
    let uri = || {
        Arg::new("libvirt-uri").long("libvirt-uri").value_name("URI").help("Hypervisor whose pool holds base images")
    };
    let pool = || Arg::new("libvirt-pool").long("libvirt-pool").value_name("NAME").help("Its storage pool");
    simple("cache", "Images, artifacts and plugins that are kept between deployments", examples)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(simple("list", "Lists them with their sizes", examples).arg(uri()).arg(pool()))
        .subcommand(
            simple("prune", "Empties the cache; removes base images from the pool that no node uses", examples)
                .arg(uri())
                .arg(pool())
                .arg(flag("dry-run", "Only list what would be removed")),
        )
}

fn version() -> Command {
    simple(
        "version",
        "Shows the version; with --verbose everything that a bug report needs",
        "  exasol version\n  exasol version --verbose\n  exasol version --verbose --json",
    )
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
        build().debug_assert();
    }

    #[test]
    fn every_help_fits_80_columns_and_has_examples() {
        let mut root = build();
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
