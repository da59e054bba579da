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
        true => "a rehearsal: no database".to_owned(),
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

A deployment made by `exasol`: {kind} on {}, {nodes}. Commands, in this directory:

    exasol deploy          make it, or go on after a failure
    exasol status          what is true now
    exasol health          every layer of every node
    exasol info            how to connect
    exasol sql             run SQL
    exasol ssh n11         a shell on a node
    exasol stop            database down cleanly, then the machines off
    exasol start           machines on, then the database up
    exasol logs            what the last operation's tools printed
    exasol destroy         remove everything that was made

| Here | Is |
| --- | --- |
| deployment.json | what was asked for, and the phase; no secrets |
| secrets.json | passwords and keys: keep it to yourself |
| terraform/ | the machines; its state knows what exists |
| ansible/ | what is done on the nodes |
| ssh/ | `ssh -F ssh/config n11`; n11-cos is the cluster operating system |
| logs/ | what each operation and its tools printed |

The directory may be moved. Generated files are written again by `exasol deploy`; it tells when one
was edited by hand. Without this directory the machines can only be removed by hand: everything
that belongs to it has a name that begins with `{id}`.
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
