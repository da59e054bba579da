//! What `version` answers: what a report of a bug should name.

use std::path::PathBuf;

use serde::Serialize;

/// `version`. Without `--verbose` only the first field is there.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VersionReport {
    pub exasol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemInfo>,
    /// The programs and services that are used, whether they were found or not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    /// The versions of the Terraform providers that the templates require.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub terraform_providers: Vec<PinnedProvider>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog: Option<CatalogInfo>,
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BuildInfo {
    /// The commit that was checked out; null for a build from a source archive and for a debug build.
    pub commit: Option<&'static str>,
    pub target: &'static str,
    pub rustc: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SystemInfo {
    pub os: String,
    pub kernel: String,
    pub architecture: String,
}

/// A program, library or service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Component {
    /// `terraform`, `libvirt library`, …
    pub name: String,
    /// Null: it was not found or did not answer.
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "super::shown_path::maybe")]
    #[cfg_attr(test, schemars(with = "Option<PathBuf>"))]
    pub path: Option<PathBuf>,
    /// More about it: which Python runs it, or why its version is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PinnedProvider {
    /// As in `--cloud-provider`.
    pub provider: String,
    /// `dmacvicar/libvirt`
    pub source: String,
    pub version: String,
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CatalogInfo {
    pub database_versions: Vec<String>,
    /// The version that is installed if no version is named.
    pub default_version: String,
    /// The image that nodes boot from if none is named, where the provider has no images of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_image: Option<String>,
}

impl Component {
    pub fn found(name: &str, version: impl Into<String>) -> Self {
        Self { name: name.to_owned(), version: Some(version.into()), path: None, remark: None }
    }

    pub fn missing(name: &str, why: impl Into<String>) -> Self {
        Self { name: name.to_owned(), version: None, path: None, remark: Some(why.into()) }
    }

    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    pub fn remark(mut self, remark: impl Into<String>) -> Self {
        self.remark = Some(remark.into());
        self
    }
}

/// `completions` and `man`: a text for another program.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScriptReport {
    pub text: String,
}

/// `man --dir`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WrittenReport {
    #[serde(serialize_with = "super::shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub directory: PathBuf,
    pub files: Vec<String>,
}
