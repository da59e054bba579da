//! `completions` and `man`: both are made from the command tree, so that they say what it does.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use clap_mangen::Man;

use super::command;
use super::flags::simple;
use super::options;
use crate::catalog;
use crate::error::{Error, Result};
use crate::model::{OptionKind, ScriptReport, WrittenReport};
use crate::providers;
use crate::ui::Ui;

const PROGRAM: &str = "exasol";

pub(super) fn completions_command() -> Command {
    simple(
        "completions",
        "Prints the completions of a shell",
        "  exasol completions bash > ~/.local/share/bash-completion/completions/exasol\n  \
           exasol completions zsh > _exasol\n  \
           exasol completions fish > ~/.config/fish/completions/exasol.fish",
    )
    .arg(Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell)).help("Which shell's"))
}

pub(super) fn man_command() -> Command {
    simple(
        "man",
        "Prints the manual page, or writes all pages into a folder",
        "  exasol man | man -l -\n  exasol man --dir ~/.local/share/man/man1",
    )
    .arg(
        Arg::new("dir")
            .long("dir")
            .value_name("DIR")
            .value_parser(value_parser!(PathBuf))
            .value_hint(clap::ValueHint::DirPath)
            .help("Write exasol.1, exasol-init.1, … there; it is made if need be"),
    )
}

pub(super) fn completions(matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let Some(shell) = matches.get_one::<Shell>("shell").copied() else { return Ok(2) };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut completed(), PROGRAM, &mut script);
    ui.result(&ScriptReport { text: text(script)? })?;
    Ok(0)
}

pub(super) fn man(matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let pages = pages()?;
    let Some(dir) = matches.get_one::<PathBuf>("dir") else {
        let (_, main) = pages.into_iter().next().unwrap_or_default();
        ui.result(&ScriptReport { text: main })?;
        return Ok(0);
    };
    make_folder(dir)?;
    let mut files = Vec::new();
    for (name, page) in pages {
        let path = dir.join(&name);
        let written = std::fs::write(&path, page)
            // Manual pages are for everybody, whatever our umask.
            .and_then(|()| std::fs::set_permissions(&path, Permissions::from_mode(0o644)));
        written.map_err(Error::io(path.display().to_string()))?;
        files.push(name);
    }
    ui.result(&WrittenReport { directory: dir.clone(), files })?;
    Ok(0)
}

fn make_folder(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::set_permissions(dir, Permissions::from_mode(0o755)))
        .map_err(Error::io(dir.display().to_string()))
}

/// The tree as parsing takes it, with values that parsing leaves to errors of its own with suggestions.
fn completed() -> Command {
    let mut root = command::build();
    for name in ["init", "doctor"] {
        root = root.mut_subcommand(name, |command| command.mut_args(with_values));
    }
    root
}

fn with_values(arg: Arg) -> Arg {
    let id = arg.get_id().to_string();
    let values: Vec<String> = match id.as_str() {
        "cloud-provider" => providers::ALL.iter().map(|p| p.name.to_owned()).collect(),
        "db-version" => catalog::versions().iter().flat_map(|v| v.aliases.iter().chain([&v.name]).cloned()).collect(),
        _ => match options::find(&id).map(|def| def.kind) {
            Some(OptionKind::Choice(choices)) => choices.iter().map(|choice| (*choice).to_owned()).collect(),
            _ if id.ends_with("-file") => return arg.value_hint(clap::ValueHint::FilePath),
            _ => return arg,
        },
    };
    arg.value_parser(PossibleValuesParser::new(values))
}

/// File name and text of every page; the main one first.
fn pages() -> Result<Vec<(String, String)>> {
    let mut root = command::build().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    add_page(&root, &mut pages)?;
    Ok(pages)
}

fn add_page(command: &Command, pages: &mut Vec<(String, String)>) -> Result<()> {
    let mut page = Vec::new();
    let man =
        Man::new(command.clone()).source(concat!("exasol ", env!("CARGO_PKG_VERSION"))).manual("Exasol deployment");
    man.render(&mut page).map_err(Error::io("a manual page"))?;
    pages.push((man.get_filename(), text(page)?));
    command.get_subcommands().try_for_each(|sub| add_page(sub, pages))
}

fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| Error::other("the text is not UTF-8"))
}
