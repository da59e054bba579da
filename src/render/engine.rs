//! Tera decides the *structure* of Terraform files: how many blocks, which of them. Values go to
//! Terraform as JSON variables.

use anyhow::Context as _;
use include_dir::{Dir, include_dir};
use serde::Serialize;
use serde_json::Value;
use tera::{Context, Tera};

use crate::error::{Error, Result};
use crate::model::{NodePlan, Options, RenderedFile, Spec, host_suffix};
use crate::providers::Provider;

static TEMPLATES: Dir = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// What templates may look at; anything else is an error.
pub struct TemplateInput<'a> {
    pub spec: &'a Spec,
    /// What preflight found out.
    pub facts: &'a Options,
    pub nodes: &'a [NodePlan],
}

/// `terraform/<name>` for each `<name>.tera` of these folders of `templates/`; of two with one name the
/// later folder's counts. Those whose names begin with `_` are for including.
pub fn render(folders: &[String], input: &TemplateInput) -> Result<Vec<RenderedFile>> {
    let templates = templates(folders)?;
    let mut tera = Tera::default();
    // HCL is no HTML.
    tera.autoescape_on(Vec::<&str>::new());
    tera.add_raw_templates(templates.iter().copied()).map_err(|e| broken(&folders.join(", "), &e))?;
    let mut context = Context::new();
    context.insert("spec", input.spec);
    context.insert("facts", input.facts);
    context.insert("nodes", input.nodes);
    let hosts = hosts(input.nodes);
    context.insert("several_hosts", &(hosts.len() > 1));
    context.insert("hosts", &hosts);
    let pages = templates.iter().filter(|(name, _)| !name.starts_with('_'));
    pages
        .map(|(name, _)| {
            let text = tera.render(name, &context).map_err(|e| broken(name, &e))?;
            Ok(RenderedFile::new(format!("terraform/{}", name.trim_end_matches(".tera")), text))
        })
        .collect()
}

/// A hypervisor, for templates.
#[derive(Serialize)]
struct TemplateHost {
    /// From 0, as the nodes name it.
    index: u32,
    /// See [`host_suffix`].
    suffix: String,
}

/// Those that the nodes are on; one at least.
fn hosts(nodes: &[NodePlan]) -> Vec<TemplateHost> {
    let last = nodes.iter().map(|node| node.host).max().unwrap_or_default();
    (0..=last).map(|index| TemplateHost { index, suffix: host_suffix(index) }).collect()
}

/// What the templates of these folders demand of Terraform's registry: source and version of each plugin.
pub fn pinned_providers(folders: &[String]) -> Result<Vec<(String, String)>> {
    Ok(templates(folders)?.into_iter().flat_map(|(_, text)| pinned(text)).collect())
}

/// What an account needs so that everything works, as `init --show-permissions` prints it.
///
/// # Errors
/// Never for a provider of this program: a test reads the file of each.
pub fn permissions(provider: &Provider) -> Result<Value> {
    let folder = provider.template_folders().pop().unwrap_or_default();
    let file = TEMPLATES.get_file(format!("{folder}/permissions.json"));
    let text = file.and_then(|file| file.contents_utf8()).unwrap_or_default();
    serde_json::from_str(text).with_context(|| format!("templates/{folder}/permissions.json")).map_err(Error::Other)
}

/// The `source` and `version` of the block `required_providers`, as our templates are written.
fn pinned(text: &str) -> Vec<(String, String)> {
    let Some((_, block)) = text.split_once("required_providers {") else { return Vec::new() };
    let block = block.split("\n  }").next().unwrap_or_default();
    let values = |key: &str| -> Vec<String> {
        let pairs = block.lines().filter_map(|line| line.split_once('='));
        pairs.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().trim_matches('"').into()).collect()
    };
    values("source").into_iter().zip(values("version")).collect()
}

/// (name, content), sorted by name.
fn templates(folders: &[String]) -> Result<Vec<(&'static str, &'static str)>> {
    let mut found = std::collections::BTreeMap::new();
    for folder in folders {
        let missing = || Error::other(format!("no templates/{folder} in this binary"));
        let dir = TEMPLATES.get_dir(folder).ok_or_else(missing)?;
        for file in dir.files() {
            let name = file.path().file_name().and_then(|n| n.to_str()).filter(|n| n.ends_with(".tera"));
            if let (Some(name), Some(text)) = (name, file.contents_utf8()) {
                found.insert(name, text);
            }
        }
    }
    Ok(found.into_iter().collect())
}

fn broken(what: &str, error: &tera::Error) -> Error {
    let mut text = format!("template {what}: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    Error::other(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing;

    #[test]
    fn every_provider_has_templates_that_render() {
        let fixture = testing::Fixture::two_nodes();
        for provider in crate::providers::ALL {
            let input = TemplateInput { spec: &fixture.spec, facts: &fixture.facts, nodes: &fixture.plans };
            let files = render(&provider.template_folders(), &input).unwrap();
            assert!(files.iter().any(|f| f.path.ends_with("main.tf")), "{}", provider.name);
        }
    }

    #[test]
    fn an_unknown_variable_is_an_error() {
        let mut tera = Tera::default();
        tera.add_raw_template("t", "{{ spec.typo }}").unwrap();
        let mut context = Context::new();
        context.insert("spec", &testing::Fixture::two_nodes().spec);
        assert!(broken("t", &tera.render("t", &context).unwrap_err()).to_string().contains("typo"));
    }
}
