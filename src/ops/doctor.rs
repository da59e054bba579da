//! `doctor`: every preflight check at once; changes nothing.

use serde_json::Value;

use super::preflight::Preflight;
use super::{Context, Given, ReleaseRequest, account, floors, release};
use crate::catalog;
use crate::error::Result;
use crate::model::{Check, DoctorReport, OptionDef, OptionKind, Spec, quote};
use crate::providers;

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
    let Preflight { mut checks, .. } = Preflight::run(&context.sink, provider, &spec, given, None).await?;
    checks.extend(account::check(provider, &spec, given, offline, &context.interrupt).await?);
    checks.extend(floors::refusal(provider, &spec));
    Ok(DoctorReport { provider: provider.name.into(), ok: !checks.iter().any(Check::is_failed), checks })
}

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
