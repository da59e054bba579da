//! `doctor`: every preflight check at once; changes nothing. `--fix` runs commands of the advice, after that.

mod remedy;

use std::time::Duration;

use serde_json::Value;

use super::preflight::Preflight;
use super::{Context, Given, ReleaseRequest, account, floors, release};
use crate::catalog;
use crate::error::{Error, Result};
use crate::events::EventSink;
use crate::model::{Check, DoctorReport, OptionDef, OptionKind, Options, Spec, quote};
use crate::providers::{self, Provider};
use crate::tools::process::Tool;

/// `offline`: a cloud is not asked whether it knows the account.
pub async fn run(
    context: &Context,
    mut spec: Spec,
    asked: &ReleaseRequest,
    given: &Given,
    offline: bool,
) -> Result<DoctorReport> {
    let provider = providers::find(&spec.provider)?;
    release::resolve(&mut spec, asked, None)?;
    (provider.validate)(&spec)?;
    // The report has every check.
    let Preflight { mut checks, .. } = Preflight::run(&EventSink::silent(), provider, &spec, given, None).await?;
    checks.extend(account::check(provider, &spec, given, offline, &context.interrupt).await?);
    checks.extend(floors::refusal(provider, &spec));
    Ok(DoctorReport {
        provider: provider.name.into(),
        wanted: wanted(provider, &spec),
        ok: !checks.iter().any(Check::is_failed),
        fix: remedy::commands(&checks),
        checks,
    })
}

/// "3 nodes on libvirt: 16 GB, 4 CPUs and 150 GB of disk each; exasol-2025.1.8"
fn wanted(provider: &Provider, spec: &Spec) -> String {
    let nodes = if spec.cluster_size == 1 { "1 node".to_owned() } else { format!("{} nodes", spec.cluster_size) };
    let size = (provider.size)(spec, &Options::new()).ok().flatten().map(|size| {
        let cpus = if size.vcpus == 1 { "1 CPU".to_owned() } else { format!("{} CPUs", size.vcpus) };
        format!("{} GB, {cpus} and ", size.memory_mb as f64 / 1024.0)
    });
    let disk = spec.root_volume_size + spec.data_volume_size * spec.data_volumes_per_node;
    let each = if spec.cluster_size == 1 { "" } else { " each" };
    format!("{nodes} on {}: {}{disk} GB of disk{each}; {}", provider.name, size.unwrap_or_default(), spec.db_version)
}

/// Runs one of the report's commands. It has the terminal: sudo may ask for a password there.
///
/// # Errors
/// [`Error::Usage`] for a command that is none of ours; those of the program.
pub async fn fix(command: &str) -> Result<()> {
    let refused = || Error::Usage { message: format!("'{command}' is not run by --fix"), hint: None };
    let words = remedy::words(command).ok_or_else(refused)?;
    let (program, args) = words.split_first().ok_or_else(refused)?;
    if program == "exasol" {
        let this = std::env::current_exe().map_err(Error::io("cannot find this program"))?;
        // Whoever wants the fix has been asked.
        return Tool::new(this).args(args).arg("--yes").run_on_terminal(FIX_LIMIT).await;
    }
    Tool::new(program).args(args).run_on_terminal(FIX_LIMIT).await
}

/// Packages may have to be downloaded.
const FIX_LIMIT: Duration = Duration::from_secs(1800);

/// What `doctor` takes where no version is named.
const DEFAULT_VERSION: &str = "default";

/// The command that checks this deployment's target: bare, it checks the usual one.
pub(super) fn command(spec: &Spec) -> String {
    let own = providers::find(&spec.provider).map_or(&[][..], |provider| provider.options);
    // An image's address may hold a secret, and does not say where the target is.
    let places = own.iter().filter(|def| !matches!(def.kind, OptionKind::Path | OptionKind::PathOrUrl));
    let words = places.filter_map(|def| word(def, spec.options.get(def.key)?));
    // A rehearsal's sizes are too small for a database. A release that is not built in needs what the default does.
    let version = catalog::find_version(DEFAULT_VERSION).ok();
    let version = version.filter(|version| version.name != spec.db_version && spec.release.is_none());
    let version = version.map(|_| format!("--db-version={}", quote(&spec.db_version)));
    std::iter::once(format!("exasol doctor --cloud-provider {}", spec.provider))
        .chain(version)
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The option as it would be typed; None where that would change nothing.
fn word(def: &OptionDef, value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        // Nothing else tells where the target is.
        _ => return None,
    };
    (def.default != Some(text.as_str())).then(|| format!("--{}={}", def.flag, quote(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deployments_own_target_is_looked_at() {
        let spec = serde_json::from_value(serde_json::json!({
            "provider": "libvirt", "cluster_size": 1, "db_version": "rehearsal", "data_volume_size": 1,
            "data_volumes_per_node": 1, "root_volume_size": 2,
            "options": {"uri": "qemu+ssh://me@server/system?no_tty=1", "pool": "default", "memory": 8,
                "image": "https://me:secret@server/image.qcow2"},
        }))
        .unwrap();
        let command = command(&spec);
        let begin = "exasol doctor --cloud-provider libvirt --db-version=rehearsal ";
        assert!(command.starts_with(begin), "{command}");
        assert!(command.contains("--libvirt-uri='qemu+ssh://me@server/system?no_tty=1'"), "{command}");
        assert!(command.contains("--libvirt-memory=8") && !command.contains("pool"), "{command}");
        let words: Vec<_> = command.split(' ').map(|word| word.replace('\'', "")).collect();
        assert!(crate::cli::accepts(&words), "{words:?}");
    }
}
