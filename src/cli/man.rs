//! `man`: pages generated from the command tree, so that they match it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::flags::simple;
use super::help;
use crate::error::{Error, Result};
use crate::model::{ScriptReport, WrittenReport};
use crate::ui::Ui;

/// The main page, and what the others begin with.
const MAIN: &str = "exasol";
/// Columns of lists; a page is indented by seven.
const WIDTH: usize = 72;

pub(super) fn command() -> Command {
    simple(
        "man",
        "Print the manual page, or write all pages into a folder",
        "  exasol man | man -l -\n  exasol man --dir ~/.local/share/man/man1",
    )
    .arg(
        Arg::new("dir")
            .long("dir")
            .value_name("DIR")
            .value_parser(value_parser!(PathBuf))
            .value_hint(clap::ValueHint::DirPath)
            .help("Write exasol.1, exasol-init.1, … into this folder, which is created if it is missing"),
    )
}

/// `tree`: the whole command line.
pub(super) fn run(tree: Command, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let pages = pages(tree)?;
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
            // Everybody may read manual pages, so their mode does not depend on our umask.
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

/// File name and text of every page; the main one first.
fn pages(tree: Command) -> Result<Vec<(String, String)>> {
    let mut root = tree.disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    add_page(&root, &mut pages)?;
    Ok(pages)
}

/// The page of a command with its own options, or with those of all commands.
fn of_page(command: &Command, global: bool) -> Man {
    let command = command.clone().mut_args(|arg| compact(arg, global));
    Man::new(command).source(concat!("exasol ", env!("CARGO_PKG_VERSION"))).manual("Exasol deployment")
}

/// Possible values stand in the text; clap_mangen gives each a paragraph.
fn compact(arg: Arg, global: bool) -> Arg {
    let hidden = arg.is_hide_set() || arg.is_global_set() != global;
    let values: Vec<_> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let listed = !values.is_empty() && arg.get_action().takes_values() && !arg.is_hide_possible_values_set();
    let arg = match arg.get_help().filter(|_| listed).map(ToString::to_string) {
        Some(help) => arg.help(format!("{help}: {}", values.join(", "))),
        None => arg,
    };
    arg.hide(hidden).hide_possible_values(true)
}

/// In the order of a manual page, the examples before what every page says.
fn sections(own: &Man, global: &Man, command: &Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    own.render_title(page)?;
    own.render_name_section(page)?;
    synopsis(command, page)?;
    own.render_description_section(page)?;
    own.render_options_section(page)?;
    if command.has_subcommands() {
        own.render_subcommands_section(page)?;
    }
    let text = |text: Option<&clap::builder::StyledStr>| text.map(ToString::to_string).unwrap_or_default();
    let examples = text(command.get_before_help());
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in examples.lines().skip(1) {
        roff.text([roman(line.trim_start())]);
    }
    roff.control("fi", []);
    if let Some(notes) = command.get_after_help() {
        roff.control("SH", ["NOTES"]);
        for line in text(Some(notes)).lines() {
            roff.text([roman(line)]);
        }
    }
    roff.to_writer(page)?;
    global.render_options_section(page)?;
    more(command, page)
}

/// One line: the options are told below, each with what it does.
fn synopsis(command: &Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    let usage = command.clone().render_usage().to_string();
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]).control("nf", []);
    for line in usage.trim_start_matches("Usage:").lines().map(str::trim).filter(|line| !line.is_empty()) {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.to_writer(page)
}

/// What all commands share is told on the main page, from the topics of `exasol help`.
fn more(command: &Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    let mut roff = Roff::new();
    let is_main = command.get_name() == MAIN;
    for (title, topic) in [("ENVIRONMENT", "env"), ("FILES", "files"), ("EXIT STATUS", "exit-codes")] {
        if is_main {
            roff.control("SH", [title]).control("nf", []);
            help::body(command, topic, WIDTH).lines().for_each(|line| {
                roff.text([roman(line)]);
            });
            roff.control("fi", []);
        }
    }
    let pages: Vec<_> = match is_main {
        true => {
            let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
            shown.map(|command| format!("{MAIN}-{}(1)", command.get_name())).collect()
        }
        false => vec![format!("{MAIN}(1), which has the environment, the files and the exit status of all commands")],
    };
    roff.control("SH", ["SEE ALSO"]).text([roman(pages.join(", "))]);
    roff.to_writer(page)
}

fn add_page(command: &Command, pages: &mut Vec<(String, String)>) -> Result<()> {
    let (own, global) = (of_page(command, false), of_page(command, true));
    let mut page = Vec::new();
    sections(&own, &global, command, &mut page).map_err(Error::io("a manual page"))?;
    let text = String::from_utf8(page).map_err(|_| Error::other("the page is not UTF-8"))?;
    pages.push((own.get_filename(), text));
    command.get_subcommands().try_for_each(|sub| add_page(sub, pages))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_short_synopsis_and_says_where_the_rest_is() {
        let pages = pages(crate::cli::commands::tree()).unwrap();
        let page = |name: &str| pages.iter().find(|(file, _)| file == name).unwrap().1.clone();
        let (main, init) = (page("exasol.1"), page("exasol-init.1"));
        for section in [".SH ENVIRONMENT", ".SH FILES", ".SH \"EXIT STATUS\"", ".SH \"SEE ALSO\""] {
            assert!(main.contains(section), "{section}: {main}");
        }
        assert!(main.contains("exasol\\-init(1)") || main.contains("exasol-init(1)"), "{main}");
        let (_, synopsis) = init.split_once(".SH SYNOPSIS").unwrap();
        let (synopsis, _) = synopsis.split_once(".SH").unwrap();
        assert!(synopsis.contains("\nexasol init [OPTIONS] [DIR]\n") && !synopsis.contains("cluster"), "{synopsis}");
        assert!(synopsis.contains("[OPTIONS]"), "{synopsis}");
        assert!(init.contains("SEE ALSO"), "{init}");
    }
}
