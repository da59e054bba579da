//! The deployment directory's README.md.

use crate::model::{DeploymentId, RenderedFile, Spec};

pub struct ReadmeInput<'a> {
    pub id: &'a DeploymentId,
    pub spec: &'a Spec,
    pub rehearsal: bool,
}

/// What this directory is and what to do with it. Relative to itself: it may be moved.
pub fn readme(input: &ReadmeInput) -> RenderedFile {
    let ReadmeInput { id, spec, rehearsal } = input;
    let kind = match rehearsal {
        true => "a rehearsal without a database".to_owned(),
        false => format!("Exasol {}", spec.db_version),
    };
    let nodes = match spec.cluster_size {
        1 => "1 node".to_owned(),
        n => format!("{n} nodes"),
    };
    RenderedFile::new(
        "README.md",
        format!(
            "\
# {id}

A deployment of `exasol`: {kind}, {nodes} on {}. Commands, in this directory:

    exasol deploy          create the cluster, or continue after a failure
    exasol status          show the status now
    exasol health          check every layer of every node
    exasol info            show how to connect
    exasol sql             run SQL
    exasol ssh n11         open a shell on a node
    exasol stop            stop the database, then switch the machines off
    exasol start           switch the machines on, then start the database
    exasol logs            show what the tools of the last operation printed
    exasol destroy         remove everything that was created, with all data

| File or folder | Contents |
| --- | --- |
| deployment.json | the options of `exasol init` and the phase; no secrets |
| secrets.json | passwords and keys: do not share this file |
| terraform/ | the description of the machines, and Terraform's state: the list of what exists |
| ansible/ | the playbooks that set the nodes up |
| ssh/ | `ssh -F ssh/config n11`; n11-cos is the cluster operating system on n11 |
| previous/ | the last ten copies of deployment.json, secrets.json and Terraform's state; `exasol state repair` uses them |
| logs/ | the output of each operation and its tools |

You may move the directory. `exasol deploy` writes the generated files again, and says so if you have edited one
of them. Keep the directory: without it the machines can only be removed by hand. The name of everything that
belongs to the deployment begins with `{id}`.
",
            spec.provider
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing;

    #[test]
    fn a_readme() {
        let fixture = testing::Fixture::two_nodes();
        let file = readme(&ReadmeInput { id: &fixture.id, spec: &fixture.spec, rehearsal: true });
        insta::assert_snapshot!(String::from_utf8(file.content).unwrap());
    }
}
