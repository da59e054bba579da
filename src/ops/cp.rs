//! `cp`: scp with the deployment's config takes this process's place.

use std::path::Path;

use super::access::Access;
use super::{node_records, ssh_files};
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::InvalidValue;
use crate::tools::ssh::Ssh;

const COS: &str = "-cos";

/// A copy that can be begun.
pub struct Copy {
    ssh: Ssh,
    recursive: bool,
    words: Vec<String>,
}

/// Checks that each word is a local path, or a path on a node that there is (`n11:/path`), and that some are.
pub fn prepare(root: &Path, words: &[String], recursive: bool) -> Result<Copy> {
    let dir = DeploymentDir::open(root)?;
    let nodes = node_records::of(&dir)?;
    let hosts: Vec<String> =
        nodes.iter().flat_map(|n| [n.plan.name.clone(), format!("{}{COS}", n.plan.name)]).collect();
    let words = words.iter().map(|word| checked(word, &hosts)).collect::<Result<Vec<_>>>()?;
    if !words.iter().any(|word| word.contains(':') && !word.starts_with('/') && !word.starts_with('.')) {
        return Err(Error::Usage {
            message: "none of these paths is on a node".into(),
            hint: Some(format!("name a node before the path: {}:/path", hosts.first().map_or("n11", String::as_str))),
        });
    }
    let dir = ssh_files::heal(dir)?;
    Ok(Copy { ssh: Access::to(&dir)?.ssh()?, recursive, words })
}

/// As scp takes it. A local path with a colon gets its folder, so that scp does not look for a host.
fn checked(word: &str, hosts: &[String]) -> Result<String> {
    match word.split_once(':') {
        Some((host, _)) if hosts.iter().any(|known| known == host) => Ok(word.to_owned()),
        Some((host, _)) if host.contains('/') => Ok(word.to_owned()),
        Some(_) if Path::new(word).exists() => Ok(format!("./{word}")),
        Some((host, _)) => Err(InvalidValue::none_of("NODE", host, hosts).into()),
        None => Ok(word.to_owned()),
    }
}

impl Copy {
    /// Returns only when it failed: otherwise the process is `scp` now.
    pub fn begin(&self) -> Result<std::convert::Infallible> {
        Err(self.ssh.copy(&self.words, self.recursive)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nodes_are_taken_for_hosts() {
        let hosts = ["n11".to_owned(), "n11-cos".to_owned()];
        for same in ["n11:/etc/hosts", "n11-cos:x", "file", "/a:b", "dir/a:b"] {
            assert_eq!(checked(same, &hosts).unwrap(), same);
        }
        let error = checked("n12:/etc/hosts", &hosts).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains("n11"), "{error}");
    }
}
