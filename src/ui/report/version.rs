//! `version`, and the texts of `completions` and `man`.

use crate::model::{Component, ScriptReport, VersionReport, WrittenReport};
use crate::ui::page::Page;

use super::Report;

impl Report for VersionReport {
    fn text(&self, page: &mut Page) {
        page.line(&format!("exasol {}", self.exasol));
        let mut facts: Vec<(&str, String)> = Vec::new();
        if let Some(build) = &self.build {
            facts.push(("commit", build.commit.unwrap_or("unknown").to_owned()));
            facts.push(("built for", build.target.to_owned()));
            facts.push(("built with", build.rustc.to_owned()));
        }
        if let Some(system) = &self.system {
            facts.push(("system", system.os.clone()));
            facts.push(("kernel", format!("{} ({})", system.kernel, system.architecture)));
        }
        facts.extend(self.components.iter().map(|component| (component.name.as_str(), describe(component))));
        for pinned in &self.terraform_providers {
            facts.push(("provider", format!("{} {} ({})", pinned.source, pinned.version, pinned.provider)));
        }
        if let Some(catalog) = &self.catalog {
            facts.push(("databases", catalog.database_versions.join(", ")));
            facts.push(("default database", catalog.default_version.clone()));
            facts.extend(catalog.default_image.iter().map(|image| ("default image", image.clone())));
        }
        page.facts(&facts);
    }
}

fn describe(component: &Component) -> String {
    let Component { version, path, remark, .. } = component;
    let notes: Vec<_> = path.iter().map(|path| path.display().to_string()).chain(remark.clone()).collect();
    match version {
        Some(version) if notes.is_empty() => version.clone(),
        Some(version) => format!("{version} ({})", notes.join(", ")),
        None => notes.join(": "),
    }
}

/// The text is this program's own, and goes to another program as it is.
impl Report for ScriptReport {
    fn text(&self, page: &mut Page) {
        page.verbatim(&self.text);
    }
}

impl Report for WrittenReport {
    fn text(&self, page: &mut Page) {
        self.files.iter().for_each(|file| page.line(&self.directory.join(file).display().to_string()));
    }
}
