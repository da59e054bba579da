//! Values that exist, offered while a line is typed: deployments, nodes, steps, pools, …

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};

use super::mistakes::arguments;
use super::options;
use crate::catalog;
use crate::model::{OptionDef, OptionKind};
use crate::ops::{named, suggest};
use crate::providers;

/// The tree with values for every option that has some, as far as this line tells which deployment is meant.
pub(super) fn with_values(tree: Command, line: &[OsString]) -> Command {
    let line = Line::read(&tree, line);
    below(tree, &line)
}

fn below(command: Command, line: &Line) -> Command {
    command.mut_args(|arg| completed(arg, line)).mut_subcommands(|command| below(command, line))
}

/// What a line says already.
#[derive(Clone)]
struct Line {
    dir: PathBuf,
    words: Vec<String>,
}

impl Line {
    fn read(tree: &Command, words: &[OsString]) -> Self {
        let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let mut line = Self { dir: PathBuf::from("."), words };
        let typed = line.value(&["-d", "--deployment-dir"]).or_else(|| line.directory_word(tree));
        let typed = typed.and_then(|word| named::find(Path::new(&word)).ok());
        let set = || std::env::var_os("EXASOL_DEPLOYMENT_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        line.dir = typed.or_else(set).unwrap_or(line.dir);
        line
    }

    /// The deployment as a word of its own: `exasol logs demo --step`.
    fn directory_word(&self, tree: &Command) -> Option<String> {
        let mut command = tree;
        let mut words = self.words.iter().skip(1);
        while let Some(word) = words.next() {
            if let Some(below) = command.find_subcommand(word) {
                command = below;
            } else if word.starts_with('-') {
                let named = |arg: &&Arg| {
                    let long = word.strip_prefix("--").is_some_and(|long| arg.get_long() == Some(long));
                    long || arg.get_short().is_some_and(|short| *word == format!("-{short}"))
                };
                // Its value is no directory's name.
                if arguments(command, tree).find(named).is_some_and(|arg| arg.get_action().takes_values()) {
                    words.next();
                }
            } else {
                return command.get_arguments().any(|arg| arg.get_id() == "deployment").then(|| word.clone());
            }
        }
        None
    }

    /// The value of an option by one of its names.
    fn value(&self, names: &[&str]) -> Option<String> {
        let joined = |word: &String| {
            let (name, value) = word.split_once('=')?;
            names.contains(&name).then(|| value.to_owned())
        };
        let after = || {
            let at = self.words.iter().position(|word| names.contains(&word.as_str()))?;
            self.words.get(at + 1).cloned()
        };
        self.words.iter().find_map(joined).or_else(after)
    }
}

fn completed(arg: Arg, line: &Line) -> Arg {
    let id = arg.get_id().to_string();
    let line = line.clone();
    match id.as_str() {
        "deployment-dir" | "deployment" | "like" => arg.add(ArgValueCompleter::new(deployments)),
        "cloud-provider" => arg.add(from_list(|| providers::names().into_iter().map(str::to_owned).collect())),
        "db-version" => arg.add(from_list(versions)),
        "step" => arg.add(from_list(move || suggest::steps(&line.dir))),
        "operation" => arg.add(from_list(move || suggest::operations(&line.dir))),
        "node" | "allow-replace" => arg.add(from_list(move || suggest::nodes(&line.dir))),
        _ => match options::find(&id) {
            Some(def) => of_option(arg, def, line),
            None if id.ends_with("-file") => arg.add(ArgValueCompleter::new(PathCompleter::file())),
            None => arg,
        },
    }
}

/// The values of an option that describes a deployment.
fn of_option(arg: Arg, def: &'static OptionDef, line: Line) -> Arg {
    match def.kind {
        OptionKind::Choice(choices) => {
            arg.add(from_list(move || choices.iter().map(|choice| (*choice).to_owned()).collect()))
        }
        OptionKind::Path | OptionKind::PathOrUrl => arg.add(ArgValueCompleter::new(PathCompleter::file())),
        OptionKind::Flag | OptionKind::Integer { .. } => arg,
        OptionKind::Text | OptionKind::OneOrMore | OptionKind::List => {
            let owner = providers::ALL.iter().find(|provider| provider.options.iter().any(|own| own.flag == def.flag));
            let Some((provider, hypervisor)) = owner.and_then(|owner| Some((owner, owner.hypervisor()?))) else {
                return arg;
            };
            let at = provider.flag("uri").unwrap_or_default();
            arg.add(from_list(move || suggest::on_hypervisor(hypervisor, def.key, line.value(&[at.as_str()]))))
        }
    }
}

/// Those of a list that begin with what was typed; nobody asks for the list before it is needed.
fn from_list(list: impl Fn() -> Vec<String> + Send + Sync + 'static) -> ArgValueCompleter {
    ArgValueCompleter::new(move |typed: &OsStr| {
        let typed = typed.to_string_lossy().into_owned();
        let fitting = list().into_iter().filter(|name| name.starts_with(&typed));
        fitting.map(CompletionCandidate::new).collect::<Vec<_>>()
    })
}

/// Directories, and names of deployments wherever they are.
fn deployments(typed: &OsStr) -> Vec<CompletionCandidate> {
    let mut found = PathCompleter::dir().complete(typed);
    let text = typed.to_string_lossy();
    for (name, directory) in suggest::deployments().into_iter().filter(|(name, _)| name.starts_with(&*text)) {
        if !found.iter().any(|other| other.get_value().to_string_lossy().trim_end_matches('/') == name) {
            found.push(CompletionCandidate::new(name).help(Some(directory.display().to_string().into())));
        }
    }
    found
}

fn versions() -> Vec<String> {
    catalog::versions().iter().flat_map(|version| version.aliases.iter().chain([&version.name]).cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_may_be_a_word_of_its_own() {
        let tree = crate::cli::commands::tree();
        let word = |line: &str| {
            let words = line.split(' ').map(str::to_owned).collect();
            Line { dir: ".".into(), words }.directory_word(&tree)
        };
        assert_eq!(word("exasol logs hz2 --step ").as_deref(), Some("hz2"));
        assert_eq!(word("exasol logs --node n11 -v hz2 --step ").as_deref(), Some("hz2"));
        assert_eq!(word("exasol certificate show hz2").as_deref(), Some("hz2"));
        assert_eq!(word("exasol logs --step "), None);
        assert_eq!(word("exasol ssh n11 "), None);
    }
}
