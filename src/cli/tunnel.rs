//! `tunnel`: its arguments, and how they become a request.

use clap::{Arg, ArgMatches, Command, value_parser};

use super::args::Globals;
use super::flags::{flag, is_set, simple};
use super::runtime::with_runtime;
use crate::error::Result;
use crate::model::TunnelReport;
use crate::ops::tunnel::{self, LocalPort, TunnelRequest};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    simple(
        "tunnel",
        "Forward a node's SQL and Admin UI ports to this machine through SSH, until Ctrl-C",
        "  exasol tunnel -d demo\n  exasol tunnel -d demo n12 --sql\n  \
           exasol tunnel -d demo --admin-ui --admin-ui-port 9443",
    )
    .after_help("Without --sql and --admin-ui, both ports are forwarded. Only programs on this machine reach them.")
    .arg(Arg::new("node").value_name("NODE").default_value("n11").help("The node"))
    .arg(flag("sql", "Forward the SQL port"))
    .arg(flag("admin-ui", "Forward the Admin UI"))
    .arg(port("sql-port", "Local port for SQL [default: 8563, or any free port]"))
    .arg(port("admin-ui-port", "Local port for the Admin UI [default: 8443, or any free port]"))
}

fn port(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("PORT").value_parser(value_parser!(u16).range(1..)).help(help)
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let port = |name: &str| matches.get_one::<u16>(name).copied();
    let asked = |service: &str, local: &str| is_set(matches, service) || port(local).is_some();
    let all = !asked("sql", "sql-port") && !asked("admin-ui", "admin-ui-port");
    let wish = |service: &str, local: &str| {
        let wanted = all || asked(service, local);
        wanted.then(|| port(local).map_or(LocalPort::Any, LocalPort::Exactly))
    };
    let request = TunnelRequest {
        dir: globals.deployment_dir.clone(),
        node: matches.get_one::<String>("node").cloned().unwrap_or_default(),
        sql: wish("sql", "sql-port"),
        admin_ui: wish("admin-ui", "admin-ui-port"),
    };
    let mut open = |report: &TunnelReport| {
        ui.result(report)?;
        ui.note("open until Ctrl-C");
        Ok(())
    };
    with_runtime(ui, async |context| tunnel::run(context, request, &mut open).await)?;
    Ok(0)
}
