//! The topics of `exasol help`. What the code knows as a table is shown from that table.

use std::collections::HashSet;

use clap::Command;

use super::arguments::{about, row};
use super::rows::{self, rows};
use crate::catalog;
use crate::cli::{credentials, options, passwords};
use crate::deployment::transitions;
use crate::error::{ENDED_BY_SIGNAL, EXIT_CODES};
use crate::model::{OptionDef, Phase, RELEASE_TREE, env_name};
use crate::providers;

pub(in crate::cli) struct Topic {
    pub name: &'static str,
    pub about: &'static str,
    parts: fn(&Command) -> Vec<Part>,
}

pub(in crate::cli) const TOPICS: [Topic; 6] = [
    Topic { name: "commands", about: "All commands", parts: commands },
    Topic { name: "options", about: "Options of all commands", parts: global_options },
    Topic { name: "states", about: "What exasol status says, and what leads on from there", parts: states },
    Topic { name: "exit-codes", about: "How a command ends, for scripts", parts: exit_codes },
    Topic { name: "files", about: "What lies where on this machine", parts: files },
    Topic { name: "env", about: "Environment variables", parts: variables },
];

/// What a topic tells, without what it is about; nothing of a topic that there is not.
pub(in crate::cli) fn body(tree: &Command, name: &str, width: usize) -> String {
    let topic = TOPICS.iter().find(|topic| topic.name == name);
    let parts = topic.into_iter().flat_map(|topic| (topic.parts)(tree)).map(|part| part.text(width));
    parts.collect::<Vec<_>>().join("\n")
}

/// A piece of a topic.
enum Part {
    Text(String),
    /// Names, and what each means.
    Rows(Vec<(String, String)>),
}

impl Topic {
    /// `tree`: the whole command line.
    pub(super) fn text(&self, tree: &Command, width: usize) -> String {
        let parts = (self.parts)(tree).into_iter().map(|part| part.text(width));
        [rows::text(self.about, width) + "\n"].into_iter().chain(parts).collect::<Vec<_>>().join("\n")
    }
}

impl Part {
    fn rows<A: Into<String>, B: Into<String>>(rows: impl IntoIterator<Item = (A, B)>) -> Self {
        Part::Rows(rows.into_iter().map(|(name, meaning)| (format!("  {}", name.into()), meaning.into())).collect())
    }

    fn text(self, width: usize) -> String {
        match self {
            Part::Text(text) => rows::text(&text, width) + "\n",
            Part::Rows(list) => rows(&list, width),
        }
    }
}

fn commands(tree: &Command) -> Vec<Part> {
    let shown = tree.get_subcommands().filter(|command| !command.is_hide_set());
    let rows = shown.map(|command| (command.get_name(), about(command)));
    vec![
        Part::rows(rows),
        Part::Text("exasol COMMAND -h shows a command's options, exasol COMMAND --help all of them.".into()),
    ]
}

fn global_options(tree: &Command) -> Vec<Part> {
    vec![
        Part::Rows(tree.get_arguments().filter(|arg| arg.is_global_set()).map(row).collect()),
        Part::Text(
            "They may stand before or after the command. What follows -- belongs to a command on a node.".into(),
        ),
    ]
}

fn states(_: &Command) -> Vec<Part> {
    let rows = Phase::ALL.map(|phase| {
        let next = transitions::next_commands(phase, false);
        let first = next.first().map(|next| format!(" Next: {} ({}).", next.command, next.why));
        (phase.as_str(), format!("{}.{}", phase.meaning(), first.unwrap_or_default()))
    });
    vec![
        Part::Text("The phase is what the last operation left behind. exasol status compares it with what is there now.".into()),
        Part::rows(rows),
        Part::Text("A phase in progress whose operation does not run any more is shown as interrupted: run the same command again.".into()),
    ]
}

fn exit_codes(_: &Command) -> Vec<Part> {
    let rows = EXIT_CODES.iter().map(|(code, meaning)| (code.to_string(), *meaning));
    let signalled = ("128 + n".to_owned(), ENDED_BY_SIGNAL);
    vec![
        Part::rows(rows.chain([signalled])),
        Part::Text(
            "With --json, the last line of a command that failed has the error's code as well: error.code.".into(),
        ),
        Part::Text(
            "exasol ssh ends as the command on the node does, or with 255 where there was no connection.".into(),
        ),
    ]
}

/// The deployment directory's own files are listed where they are written: `src/deployment/mod.rs`.
fn files(_: &Command) -> Vec<Part> {
    vec![
        Part::Text("In a deployment's directory (-d):".into()),
        Part::rows([
            ("deployment.json", "what was asked for, and the phase; no secrets"),
            ("secrets.json", "passwords and private keys; only you can read it"),
            ("terraform/", "generated, with Terraform's state: without it nothing can be removed"),
            ("ansible/", "generated: how the nodes are installed"),
            ("ssh/", "generated: ssh -F ssh/config n11"),
            ("previous/", "the last 10 copies of deployment.json, secrets.json and Terraform's state"),
            ("logs/", "one folder for each operation; exasol logs shows them"),
            ("README.md", "what this directory is"),
            (".lock", "held while an operation runs"),
        ]),
        Part::Text("For all deployments of this user:".into()),
        Part::rows([
            ("~/.cache/exasol/", "images, releases and plugins (XDG_CACHE_HOME); exasol cache list"),
            ("~/.local/state/exasol/", "which deployments there are, and the SQL history (XDG_STATE_HOME)"),
        ]),
        Part::Text("Generated files that you edit are kept only if you say so: exasol deploy --keep-edits.".into()),
    ]
}

fn variables(tree: &Command) -> Vec<Part> {
    let of_commands = |command: &Command| -> Vec<(String, String)> {
        let named = command.get_arguments().filter_map(|arg| Some((arg.get_env()?, arg.get_help()?)));
        named.map(|(name, help)| (name.to_string_lossy().into_owned(), help.to_string())).collect()
    };
    let mut rows = of_commands(tree);
    rows.extend(tree.get_subcommands().flat_map(of_commands));
    rows.extend(passwords::NAMES.map(|(name, whose)| (env_name(name), format!("Password of {whose}"))));
    // Some options are of several commands.
    let mut known = HashSet::new();
    rows.retain(|(name, _)| known.insert(name.clone()));
    rows.extend([
        (catalog::RELEASE_SERVER.to_owned(), "Server to download releases from".to_owned()),
        (
            RELEASE_TREE.to_owned(),
            "Folder with builds of releases, for those that the catalogue takes from there".to_owned(),
        ),
        (catalog::TOOLS_FILE.to_owned(), "File with other programs for doctor --install-tools to fetch".to_owned()),
        (
            catalog::CHECKSUMS_FILE.to_owned(),
            "File with the checksums of Terraform's plugins, for those who build them".to_owned(),
        ),
        ("NO_COLOR, CLICOLOR_FORCE".to_owned(), "No colors, or colors without a terminal too".to_owned()),
        ("PAGER".to_owned(), "Program that shows long help [default: less]; cat shows it at once".to_owned()),
        ("HTTPS_PROXY, HTTP_PROXY, NO_PROXY".to_owned(), "Proxy for downloads, here and on the nodes".to_owned()),
        ("XDG_CACHE_HOME, XDG_STATE_HOME".to_owned(), "Where downloads and the list of deployments lie".to_owned()),
    ]);
    let mut parts = vec![
        Part::Text("Every option of init has a variable: --cluster-size is EXASOL_CLUSTER_SIZE. The command line overrides it.".into()),
        Part::rows(rows),
    ];
    for provider in providers::ALL {
        let options = provider.options.iter().filter(|def| !def.env.is_empty());
        let secrets = credentials::secrets_of(provider).iter().filter(|secret| !secret.env.is_empty());
        let read = options.map(|def: &OptionDef| (def.env.join(", "), format!("--{}", def.flag)));
        let read: Vec<_> = read.chain(secrets.map(|def| (def.env.join(", "), format!("the {}", def.what)))).collect();
        if !read.is_empty() {
            parts.extend([Part::Text(format!("{}:", options::group(provider))), Part::rows(read)]);
        }
    }
    parts
}
