//! `sql`: its arguments, and how they become a request: statements given, piped, or typed.

use std::io::{IsTerminal, Read};
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::args::Globals;
use super::flags::simple;
use super::runtime::{with_own_signals, with_runtime};
use crate::error::{Error, Result};
use crate::model::{SqlFormat, SqlReport, quote};
use crate::ops::named;
use crate::ops::sql::{self, Shell, SqlRequest, Told};
use crate::ui::{Format, Ui};

pub(super) fn command() -> Command {
    simple(
        "sql",
        "Run SQL statements as user sys; open a shell if standard input is a terminal",
        "  exasol sql -d demo\n  exasol sql -d demo 'SELECT 1'\n  \
           exasol sql -d demo -c 'OPEN SCHEMA s; SELECT * FROM t' --format csv\n  \
           exasol sql -d demo --node n12 < script.sql",
    )
    .after_help(
        "A statement ends with a semicolon. A script or a function ends with a line that has only a slash (/). The \
         first error ends the run with exit code 1; the shell goes on. The shell's command \\? lists all of its \
         commands. Its history leaves out statements that may contain a password.",
    )
    .aliases(["connect", "console"])
    .arg(
        Arg::new("statement")
            .value_name("STATEMENT")
            .conflicts_with("command")
            .help("Statements, in quotes; the same as --command"),
    )
    .arg(
        Arg::new("command")
            .short('c')
            .long("command")
            .value_name("STATEMENT")
            .allow_hyphen_values(true)
            .help("Statements, separated by semicolons [default: read from stdin]"),
    )
    .arg(
        Arg::new("format")
            .long("format")
            .value_name("FORM")
            .value_parser(SqlFormat::NAMES)
            .help("Format of the rows [default: table, with --json: json]"),
    )
    .arg(Arg::new("node").long("node").value_name("NODE").help("Log in to this node [default: the first that answers]"))
    .arg(
        Arg::new("timeout")
            .long("timeout")
            .value_name("SECONDS")
            .value_parser(value_parser!(u64).range(1..=86400))
            .default_value("300")
            .help("Give up on a statement after this time"),
    )
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    // No statement is one word that a deployment is called.
    if let Some(name) = text("statement").filter(|word| !word.contains([' ', ';']) && named::is_known(word)) {
        return Err(Error::Usage {
            message: format!("'{name}' is a deployment's name, and no statement"),
            hint: Some(format!("did you mean exasol sql -d {}?", quote(name))),
        });
    }
    let request = SqlRequest {
        dir: globals.deployment_dir.clone(),
        node: text("node").map(str::to_owned),
        timeout: Duration::from_secs(matches.get_one::<u64>("timeout").copied().unwrap_or(300)),
    };
    let format = text("format").and_then(SqlFormat::named).unwrap_or_default();
    let script = match text("command").or(text("statement")) {
        Some(script) => script.to_owned(),
        None if std::io::stdin().is_terminal() => return shell(request, format, ui),
        None => {
            let mut script = String::new();
            std::io::stdin().read_to_string(&mut script).map_err(Error::io("standard input"))?;
            script
        }
    };
    let mut show = |answer: &SqlReport| ui.sql(answer, format);
    with_runtime(ui, async |context| sql::run(context, request, &script, &mut show).await)?;
    Ok(0)
}

fn shell(request: SqlRequest, format: SqlFormat, ui: &Ui) -> Result<u8> {
    let unremembered =
        |why: &dyn std::fmt::Display| ui.warning(&format!("the history of statements is not kept: {why}"));
    let history = sql::history_file().inspect_err(|error| unremembered(error)).ok();
    // Before the runtime starts, because the editor must be the first to listen for SIGINT.
    let editor = ui.line_editor(history)?;
    let shell = Shell {
        read: &|prompt| editor.read(prompt),
        remember: &|statement| editor.remember(statement).iter().for_each(|why| unremembered(why)),
        show: &|answer, format| ui.sql(answer, format),
        tell: &|told| match told {
            Told::Note(text) => ui.note(text),
            Told::Warning(text) => ui.warning_again(text),
            Told::Error(error) => ui.error(error),
        },
        format,
        format_is_fixed: ui.settings().format == Format::Json,
    };
    with_own_signals(ui, async |context| sql::shell(context, request, shell).await)?;
    Ok(0)
}
