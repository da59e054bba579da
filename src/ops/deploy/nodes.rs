//! The nodes, once they have a shell: what Rust rendered is copied, and Ansible runs the playbook.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::IpAddr;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::super::operation::{Work, mendable};
use super::INSTALL;
use super::artifacts::Release;
use super::proxy;
use crate::error::{Error, Result};
use crate::model::{Node, RenderedFile, hex};
use crate::render::{self, AnsibleInput, Proxies};
use crate::tools::ansible::{Ansible, PlaybookRun, StartedPlaybook};

/// What an installation needs beside the machines.
pub(super) struct Installer<'a> {
    pub release: &'a Release,
    pub ansible: &'a Ansible,
    /// What keeps the release's files in their places. Ansible holds it, too: it may live longer than we do.
    pub cache: &'a Option<File>,
}

impl Installer<'_> {
    /// Starts Ansible while the machines boot, which takes it seconds. It plays nothing before [`Installer::install`].
    ///
    /// None where there are files of an earlier run, which somebody may have edited.
    pub(super) fn start(&self, work: &mut Work) -> Result<Option<StartedPlaybook>> {
        if work.dir.root().join("ansible").exists() {
            return Ok(None);
        }
        let files = render::playbook_files(work.cluster.nodes.iter().map(|node| node.name.as_str()))?;
        work.dir.write_files(&files, work.cluster.edits)?;
        self.started(work).map(Some)
    }

    pub(super) async fn install(
        &self,
        work: &mut Work,
        nodes: &[Node],
        started: Option<StartedPlaybook>,
        offline: bool,
    ) -> Result<()> {
        work.begin(INSTALL.id);
        write_files(work, nodes, self.release, !offline).await?;
        let started = started.map_or_else(|| self.started(work), Ok)?;
        // A run that is killed when it has just installed the database leaves one with these passwords.
        work.dir.install_begins()?;
        work.changes();
        let played = started.begin(&work.sink, &work.interrupt).await;
        played.map_err(|error| with_directory(error, work.dir.root()))?;
        work.dir.installed(addresses(nodes))
    }

    fn started(&self, work: &Work) -> Result<StartedPlaybook> {
        let run = playbook(work, "setup-exasol-cluster.yml")?;
        let mut run = self.cache.iter().try_fold(run, PlaybookRun::holding)?;
        run.env = vec![
            ("EXASOL_C4_FILE".into(), self.release.c4.path.display().to_string()),
            ("EXASOL_ARCHIVE_FILE".into(), self.release.archive.path.display().to_string()),
        ];
        self.ansible.start(run)
    }
}

/// Commands that a node's script names work from anywhere.
fn with_directory(error: Error, root: &Path) -> Error {
    match error {
        Error::Tool(mut failure) => {
            let lines = failure.diagnostics.iter_mut().chain(&mut failure.tail);
            lines.for_each(|line| *line = mendable(line, root));
            Error::Tool(failure)
        }
        error => error,
    }
}

/// Only what the nodes are told of each other and of their surroundings; the database is not touched.
pub(in crate::ops) async fn prepare(
    work: &mut Work,
    nodes: &[Node],
    release: &Release,
    ansible: &Ansible,
) -> Result<()> {
    // Addresses that have changed are no reason to look for packages.
    write_files(work, nodes, release, false).await?;
    let run = playbook(work, "prepare-nodes.yml")?;
    work.changes();
    ansible.run_playbook(run, &work.sink, &work.interrupt).await?;
    let form = form(work, nodes, release)?;
    work.dir.told_nodes(addresses(nodes), form)
}

fn addresses(nodes: &[Node]) -> BTreeMap<String, IpAddr> {
    nodes.iter().map(|node| (node.plan.name.clone(), node.private_ip)).collect()
}

fn playbook(work: &Work, name: &str) -> Result<PlaybookRun> {
    let secrets = work.dir.secrets()?;
    let log = work.log.file("ansible.jsonl");
    let mut run = PlaybookRun::new(work.dir.root(), name, log).holding(&work.dir.lock_fd())?;
    run.secrets = [&secrets.db_password, &secrets.adminui_password, &secrets.host_password]
        .map(|secret| secret.to_string())
        .to_vec();
    run.secrets.extend(proxy::secrets(&proxy::of_environment()));
    run.nodes = work.cluster.nodes.len();
    run.ssh_lines = work.access.lines()?;
    run = work.connections.hold().iter().try_fold(run, PlaybookRun::holding)?;
    run.keep_secrets = work.access.route().is_some();
    Ok(run)
}

pub(in crate::ops) async fn write_files(
    work: &mut Work,
    nodes: &[Node],
    release: &Release,
    welcome_packages: bool,
) -> Result<()> {
    let state = work.dir.state();
    let mut deployer_addresses = Vec::new();
    if let Some(hosts) = work.cluster.hosts() {
        deployer_addresses = hosts.deployer_addresses(&state.facts).await?;
        // What they have seen counts, whatever the way there looks like from here.
        deployer_addresses.extend(&state.seen_from);
    }
    let surroundings = Surroundings { deployer_addresses, welcome_packages, proxies: proxy::of_environment() };
    let files = files(work, nodes, release, &surroundings)?;
    work.dir.write_files(&files, work.cluster.edits)
}

/// What a run brings along, and another one may not.
#[derive(Default)]
struct Surroundings {
    deployer_addresses: Vec<IpAddr>,
    welcome_packages: bool,
    proxies: Proxies,
}

/// A hash of all that the nodes are told, but for this run's surroundings. Another version of this program
/// may tell them more: a cluster of an earlier one gets that with the next deploy.
pub(super) fn form(work: &Work, nodes: &[Node], release: &Release) -> Result<String> {
    let mut hash = Sha256::new();
    for file in files(work, nodes, release, &Surroundings::default())? {
        hash.update(file.content.len().to_le_bytes());
        hash.update(&file.content);
    }
    Ok(hex(hash.finalize()))
}

fn files(work: &Work, nodes: &[Node], release: &Release, surroundings: &Surroundings) -> Result<Vec<RenderedFile>> {
    let state = work.dir.state();
    let (secrets, version) = (work.dir.secrets()?, work.version()?);
    render::ansible_files(&AnsibleInput {
        id: &state.id,
        spec: &state.spec,
        nodes,
        secrets: &secrets,
        deployer_addresses: &surroundings.deployer_addresses,
        installed: state.installed,
        release: render::Release {
            working_copy: &version.working_copy,
            config_keys: version.config_keys,
            archive_file: &version.archive.file,
            archive_sha256: &release.archive.sha256,
            c4_sha256: &release.c4.sha256,
            rehearsal: version.rehearsal,
        },
        on_a_cloud: work.cluster.provider.is_cloud(),
        welcome_packages: surroundings.welcome_packages,
        proxies: &surroundings.proxies,
    })
}
