//! `version --verbose`: everything that a report of a bug should name. Every question has a limit,
//! all are asked at once, and nothing that is missing is an error.

use std::time::Duration;

use super::blocking::blocking;
use super::preflight::FETCHED;
use super::user_dirs::fetched_tools;
use crate::catalog;
use crate::error::{Error, Result};
use crate::model::{BuildInfo, CatalogInfo, Component, PinnedProvider, SystemInfo, VersionReport};
use crate::providers::{self, Hypervisor};
use crate::render;
use crate::tools::ansible::Ansible;
use crate::tools::terraform::{Engine, Terraform};
use crate::tools::versions;

/// For one program or service.
const LIMIT: Duration = Duration::from_secs(5);

/// The version alone.
pub fn short() -> VersionReport {
    VersionReport {
        exasol: env!("CARGO_PKG_VERSION"),
        build: None,
        system: None,
        components: Vec::new(),
        terraform_providers: Vec::new(),
        catalog: None,
    }
}

pub async fn verbose() -> Result<VersionReport> {
    let (terraform, tofu, ansible, ssh, hypervisors) = tokio::join!(
        engine(Engine::Terraform),
        engine(Engine::Tofu),
        ansible(),
        versions::program("ssh", "-V", &[], LIMIT),
        hypervisors(),
    );
    let mut components = vec![terraform, tofu, ansible, ssh];
    components.extend(hypervisors);
    Ok(VersionReport {
        build: Some(build()),
        system: Some(system()),
        components,
        terraform_providers: pinned_providers()?,
        catalog: Some(catalog_info()),
        ..short()
    })
}

fn build() -> BuildInfo {
    let commit = env!("EXASOL_BUILD_COMMIT");
    BuildInfo {
        commit: (!commit.is_empty()).then_some(commit),
        target: env!("EXASOL_BUILD_TARGET"),
        rustc: env!("EXASOL_BUILD_RUSTC"),
    }
}

fn system() -> SystemInfo {
    let uname = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    SystemInfo {
        os: name.map_or_else(|| text(uname.sysname()), |name| name.trim_matches('"').to_owned()),
        kernel: text(uname.release()),
        architecture: text(uname.machine()),
    }
}

async fn engine(engine: Engine) -> Component {
    let name = engine.as_str();
    match tokio::time::timeout(LIMIT, Terraform::find(Some(engine), &fetched_tools())).await {
        Ok(Ok(found)) => by_whom(Component::found(name, found.version).at(found.program), found.lease.is_some(), None),
        Ok(Err(error)) => missing(name, error),
        Err(_) => late(name),
    }
}

async fn ansible() -> Component {
    const NAME: &str = "ansible-core";
    match tokio::time::timeout(LIMIT, Ansible::find(&fetched_tools())).await {
        Ok(Ok(found)) => {
            let python = found.python.map(|python| format!("Python {python}"));
            by_whom(Component::found(NAME, found.version).at(found.program), found.lease.is_some(), python)
        }
        Ok(Err(error)) => missing(NAME, error),
        Err(_) => late(NAME),
    }
}

/// Says which programs were not there before.
fn by_whom(component: Component, fetched: bool, remark: Option<String>) -> Component {
    let remarks: Vec<_> = fetched.then(|| FETCHED.to_owned()).into_iter().chain(remark).collect();
    if remarks.is_empty() { component } else { component.remark(remarks.join(", ")) }
}

/// One that is there but too old, or broken, has something to say.
fn missing(name: &str, error: Error) -> Component {
    match error {
        Error::ToolMissing { needed: None, .. } => Component::missing(name, versions::NOT_FOUND),
        Error::ToolMissing { tool, needed: Some(found), .. } => {
            Component::missing(name, format!("{found}; needed: {tool}"))
        }
        other => Component::missing(name, other.to_string()),
    }
}

fn late(name: &str) -> Component {
    Component::missing(name, format!("no answer within {} s", LIMIT.as_secs()))
}

async fn hypervisors() -> Vec<Component> {
    let mut all = Vec::new();
    for Hypervisor { versions, .. } in providers::ALL.iter().filter_map(|p| p.hypervisor()) {
        let asked = tokio::time::timeout(LIMIT, blocking(move || Ok(versions()))).await;
        all.extend(asked.map_or_else(|_| vec![late("hypervisor")], |answer| answer.unwrap_or_default()));
    }
    all
}

fn pinned_providers() -> Result<Vec<PinnedProvider>> {
    let mut all = Vec::new();
    for provider in providers::ALL {
        for (source, version) in render::pinned_providers(&provider.template_folders())? {
            all.push(PinnedProvider { provider: provider.name.to_owned(), source, version });
        }
    }
    Ok(all)
}

fn catalog_info() -> CatalogInfo {
    let default = catalog::find_version("default").map(|version| version.name.clone());
    let image = providers::ALL.iter().find_map(|p| p.hypervisor()).and_then(|h| (h.default_image)());
    CatalogInfo {
        database_versions: catalog::versions().iter().map(|version| version.name.clone()).collect(),
        default_version: default.unwrap_or_default(),
        default_image: image,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_pins_its_terraform_provider() {
        let pinned = pinned_providers().unwrap();
        for provider in providers::ALL {
            let own: Vec<_> = pinned.iter().filter(|p| p.provider == provider.name).collect();
            assert_eq!(own.len(), 1, "{}", provider.name);
            assert!(own[0].version.starts_with(|c: char| c.is_ascii_digit()), "{}", own[0].version);
        }
    }

    #[test]
    fn what_is_too_old_is_not_called_missing() {
        let error = Error::ToolMissing {
            tool: "tofu 1.6 or newer".into(),
            needed: Some("/usr/bin/tofu is version 1.5.0".into()),
            install: String::new(),
            fetched: true,
        };
        let component = missing("tofu", error);
        assert_eq!(component.remark.as_deref(), Some("/usr/bin/tofu is version 1.5.0; needed: tofu 1.6 or newer"));
    }
}
