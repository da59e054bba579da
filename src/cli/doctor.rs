//! `doctor`: its arguments, and how they become a request.

use clap::{ArgGroup, ArgMatches, Command};

use super::args::Globals;
use super::flags::{config_arg, flag, is_set, provider_arg, simple};
use super::runtime::until_signal;
use super::{credentials, deploy, options, spec};
use crate::error::{Error, Result};
use crate::model::DoctorReport;
use crate::ops::doctor::{self, Asked, DoctorRequest};
use crate::ops::install_tools::{self, Consent};
use crate::ops::update;
use crate::ui::{Format, Ui};

pub(super) fn command() -> Command {
    let command = simple(
        "doctor",
        "Check this machine for a new deployment, or for that of -d; change it only with --fix or --install-tools",
        "  exasol doctor\n  exasol doctor -d demo\n  exasol doctor --cloud-provider libvirt --cluster-size 4\n  \
           exasol doctor --libvirt-uri qemu+ssh://me@server/system --json\n  exasol doctor --install-tools",
    )
    .arg(provider_arg())
    .arg(config_arg())
    .arg(deploy::offline())
    .arg(flag(
        "install-tools",
        "First fetch OpenTofu and ansible-core for this user, if they are missing; needs no root",
    ))
    .arg(flag("fix", "Show the commands that fix what was found, ask, run them, and check again"))
    .arg(flag("yes", "Do not ask before fetching or fixing").short('y').requires("changes"))
    .group(ArgGroup::new("changes").args(["install-tools", "fix"]).multiple(true));
    credentials::add(options::add(command))
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let Wanted { request, warnings } = wanted(globals, matches)?;
    let (fix, yes) = (is_set(matches, "fix"), is_set(matches, "yes"));
    if fix && !yes && !ui.settings().terminal {
        return Err(Error::Usage {
            message: "--fix asks before it runs anything, and nobody is here to answer".into(),
            hint: Some("on a terminal: exasol doctor --fix; without asking: exasol doctor --fix --yes".into()),
        });
    }
    if is_set(matches, "install-tools") {
        let confirm = |question: &str| ui.confirm(question);
        let consent = if yes { Consent::Given } else { Consent::Ask(&confirm) };
        until_signal(ui, async |context| install_tools::run(context, &request.asked.spec()?, consent).await)?;
    }
    let check = || {
        until_signal(ui, async |context| {
            warnings.iter().for_each(|warning| context.sink.warn(warning.clone()));
            doctor::run(context, request.clone()).await
        })
    };
    let mut report = check()?;
    if fix && !report.fix.is_empty() {
        // Programs that read JSON get one result: the last.
        if ui.settings().format == Format::Text {
            ui.result(&report)?;
        }
        let question = format!("Run {}?", if report.fix.len() == 1 { "this command" } else { "these commands" });
        // Nobody agrees to commands that were not shown.
        let question = match ui.settings().format {
            Format::Text => question,
            Format::Json => format!("  {}\n{question}", report.fix.join("\n  ")),
        };
        if yes || ui.confirm(&question) == Some(true) {
            for command in &report.fix {
                ui.note(&format!("$ {command}"));
                until_signal(ui, async |_| doctor::fix(command).await)?;
            }
            report = check()?;
        } else if ui.settings().format == Format::Text {
            return Ok(exit_code(&report));
        }
    }
    ui.result(&report)?;
    Ok(exit_code(&report))
}

struct Wanted {
    request: DoctorRequest,
    /// About the command line itself.
    warnings: Vec<String>,
}

/// For the deployment that was named, or that is here; else for a new one.
fn wanted(globals: &Globals, matches: &ArgMatches) -> Result<Wanted> {
    let offline = is_set(matches, "offline");
    // Where no directory was typed, a provider that was means a new deployment.
    let new = !globals.dir_typed && matches.get_one::<String>("cloud-provider").is_some();
    let dir = globals.there().map(|globals| globals.deployment_dir);
    let dir = if globals.dir_typed { Some(dir?) } else { dir.ok() };
    // A directory that init has not made yet may be named already.
    if let Some(dir) = dir.filter(|dir| !new && doctor::is_deployment(dir)) {
        let spec::Wanted { spec: changes, release, credentials, warnings, .. } =
            spec::changes(matches, update::provider(&dir)?)?;
        let request = DoctorRequest { asked: Asked::There(dir, changes), release, credentials, offline };
        return Ok(Wanted { request, warnings });
    }
    let spec::Wanted { spec, release, credentials, warnings, .. } = spec::wanted(matches)?;
    Ok(Wanted { request: DoctorRequest { asked: Asked::New(spec), release, credentials, offline }, warnings })
}

fn exit_code(report: &DoctorReport) -> u8 {
    if report.ok { 0 } else { 4 }
}
