//! What Terraform's plugins must be: the checksums that their authors published, where they are known.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::catalog::{self, CHECKSUMS_FILE, ProviderChecksums};
use crate::error::{Error, Result};
use crate::providers::Provider;
use crate::render;
use crate::tools::terraform::{Engine, PluginLock};

/// For the plugin of this provider, from the registry of this engine.
///
/// # Errors
/// [`Error::Usage`] for a file that cannot be understood, and [`Error::Io`].
pub(super) fn lock(provider: &Provider, engine: Engine) -> Result<PluginLock> {
    let known = known()?;
    let pinned = render::pinned_providers(&provider.template_folders())?;
    let registry = engine.registry();
    let of = |source: &str, version: &str| {
        known.iter().find(|known| {
            known.source == source && known.version == version && known.registries.iter().any(|r| r == registry)
        })
    };
    let mut text = String::new();
    for (source, version) in &pinned {
        match of(source, version) {
            Some(known) => text.push_str(&known.lock_file(registry)),
            None => return Ok(PluginLock::Unknown(format!("{source} {version} from {registry}"))),
        }
    }
    Ok(PluginLock::Known(text))
}

fn known() -> Result<Cow<'static, [ProviderChecksums]>> {
    let Some(path) = std::env::var_os(CHECKSUMS_FILE).map(PathBuf::from) else {
        return Ok(catalog::provider_checksums().into());
    };
    let text = std::fs::read_to_string(&path).map_err(Error::io(format!("{CHECKSUMS_FILE}: {}", path.display())))?;
    let parsed = catalog::parse_checksums(&text);
    parsed.map(Cow::from).map_err(|why| Error::Usage {
        message: format!("{CHECKSUMS_FILE}: {}: {why}", path.display()),
        hint: Some("see docs/security.md for its form".into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers;

    #[test]
    fn what_is_known_is_of_the_pinned_versions() {
        let pinned: Vec<_> = providers::ALL
            .iter()
            .flat_map(|provider| render::pinned_providers(&provider.template_folders()).unwrap())
            .collect();
        for known in catalog::provider_checksums() {
            assert!(pinned.contains(&(known.source.clone(), known.version.clone())), "{} is old", known.source);
        }
    }

    #[test]
    fn a_provider_that_is_not_known_is_named() {
        let of = |name: &str, engine| lock(providers::find(name).unwrap(), engine).unwrap();
        let PluginLock::Known(text) = of("libvirt", Engine::Tofu) else { panic!("libvirt is known") };
        assert!(text.starts_with("provider \"registry.opentofu.org/dmacvicar/libvirt\""), "{text}");
        let PluginLock::Unknown(what) = of("aws", Engine::Tofu) else { panic!("OpenTofu builds it anew") };
        assert!(what.starts_with("hashicorp/aws ") && what.ends_with(" from registry.opentofu.org"), "{what}");
    }
}
