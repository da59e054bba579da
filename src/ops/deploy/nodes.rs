//! The nodes, once they have a shell: what Rust rendered is copied, and Ansible runs the playbook.

use super::super::operation::Work;
use super::super::{connections, render_input};
use super::artifacts::Release;
use super::{INSTALL, Plan};
use crate::error::Result;
use crate::model::Node;
use crate::render::{self, AnsibleInput};
use crate::tools::ansible::{Ansible, PlaybookRun};

pub(super) async fn install(
    work: &mut Work,
    plan: &Plan,
    nodes: &[Node],
    release: &Release,
    ansible: &Ansible,
) -> Result<()> {
    work.begin(INSTALL.id);
    write_files(work, plan, nodes, release)?;
    let secrets = work.dir.secrets()?;
    let log = work.log.file("ansible.jsonl");
    let mut run = PlaybookRun::new(work.dir.root(), "setup-exasol-cluster.yml", log).holding(&work.dir.lock_fd())?;
    run.env = vec![
        ("EXASOL_C4_FILE".into(), release.c4.path.display().to_string()),
        ("EXASOL_ARCHIVE_FILE".into(), release.archive.path.display().to_string()),
    ];
    run.secrets = vec![secrets.db_password, secrets.adminui_password, secrets.host_password];
    run.nodes = nodes.len();
    ansible.run_playbook(run, &work.sink, &work.interrupt).await
}

fn write_files(work: &mut Work, plan: &Plan, nodes: &[Node], release: &Release) -> Result<()> {
    let state = work.dir.state();
    let secrets = work.dir.secrets()?;
    let route = connections::route(&work.dir, plan.provider)?;
    let files = render::ansible_files(&AnsibleInput {
        id: &state.id,
        spec: &state.spec,
        nodes,
        secrets: &render_input::borrowed(&secrets),
        deployer_addresses: &route.deployer_addresses,
        release: render::Release {
            working_copy: &plan.version.working_copy,
            archive_file: &plan.version.archive.file,
            archive_sha256: &release.archive.sha256,
            c4_sha256: &release.c4.sha256,
            rehearsal: plan.version.rehearsal,
        },
    })?;
    work.dir.write_files(&files, plan.request.edits)
}
