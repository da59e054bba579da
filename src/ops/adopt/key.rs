//! The login that somebody gives to `adopt`: a private key that the nodes know, and the nodes' own host keys. Nobody is
//! trusted blindly: without their host keys there is no SSH.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::AdoptRequest;
use crate::deployment::{State, keys};
use crate::error::{Error, Result};
use crate::model::{self, DeploymentId, RenderedFile};
use crate::providers::Provider;
use crate::render::{self, SshInput};
use crate::tools::scratch::Scratch;
use crate::tools::ssh::{NO_SESSION, Refusal, Ssh};

const KEY: &str = "--ssh-key";
const HOST_KEYS: &str = "--host-keys";
/// To be let in or not.
const SESSION_LIMIT: Duration = Duration::from_secs(30);

pub(super) struct Login {
    key: String,
    /// By the name that stands in the file: the node's or its machine's.
    named: BTreeMap<String, String>,
}

/// None: nobody gave one.
pub(super) fn read(request: &AdoptRequest) -> Result<Option<Login>> {
    let (key, host_keys) = match (&request.ssh_key, &request.host_keys) {
        (None, None) => return Ok(None),
        (Some(key), Some(host_keys)) => (key, host_keys),
        (Some(_), None) => {
            return Err(Error::Usage {
                message: format!("{KEY} needs {HOST_KEYS}: else nobody can tell the nodes from another machine"),
                hint: Some(format!(
                    "write a file with a line for each node, its name and its key: n11 ssh-ed25519 AAAA…\n\
                     the key is in /etc/ssh/ssh_host_ed25519_key.pub on the node; on the hypervisor: virt-cat -d \
                     {} /etc/ssh/ssh_host_ed25519_key.pub",
                    request.id.named("n11")
                )),
            });
        }
        (None, Some(_)) => {
            return Err(Error::Usage { message: format!("{HOST_KEYS} is of no use without {KEY}"), hint: None });
        }
    };
    let text =
        |path: &PathBuf| std::fs::read_to_string(path).map_err(Error::io(format!("cannot read {}", path.display())));
    let key_text = text(key)?;
    keys::check_private_key(&key_text).map_err(|problem| Error::invalid(KEY, key.display().to_string(), problem))?;
    let named = parse(&text(host_keys)?)
        .map_err(|problem| Error::invalid(HOST_KEYS, host_keys.display().to_string(), problem))?;
    Ok(Some(Login { key: key_text, named }))
}

/// Lines of a name and a key, as known_hosts has them.
fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut named = BTreeMap::new();
    for (index, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key =
            line.split_once(char::is_whitespace).and_then(|(name, key)| Some((name, keys::host_key(key.trim())?)));
        let (name, key) = key.ok_or_else(|| format!("must have a name and an ssh-ed25519 key in line {index}"))?;
        if named.insert(name.to_owned(), key).is_some() {
            return Err(format!("must have one key for {name}, but has another in line {index}"));
        }
    }
    Ok(named)
}

impl Login {
    /// By node.
    pub fn host_keys(&self, id: &DeploymentId) -> BTreeMap<String, String> {
        let prefix = id.named("");
        let node = |name: &String| name.strip_prefix(&prefix).unwrap_or(name).to_owned();
        self.named.iter().map(|(name, key)| (node(name), key.clone())).collect()
    }

    /// What belongs in `ssh/` of that directory.
    ///
    /// # Errors
    /// [`Error::Usage`] if no node can be reached by it.
    pub fn files(&self, dir: &Path, state: &State, provider: &Provider) -> Result<Vec<RenderedFile>> {
        if state.nodes.is_empty() {
            return Err(Error::Usage {
                message: format!("{KEY} is of no use now: no node has an address"),
                hint: Some("switch the machines on first; or adopt without a key".into()),
            });
        }
        let host_keys = state.adopted.clone().unwrap_or_default().host_keys;
        if let Some(node) = state.nodes.iter().find(|node| !host_keys.contains_key(&node.plan.name)) {
            return Err(Error::Usage {
                message: format!("{HOST_KEYS} has no key of {}", node.plan.name),
                hint: Some(format!("a line such as: {} ssh-ed25519 AAAA…", node.plan.name)),
            });
        }
        let directory = std::path::absolute(dir).map_err(Error::io(format!("cannot find {}", dir.display())))?;
        let jump = way(state, provider)?;
        render::ssh_files(&SshInput {
            directory: &directory,
            nodes: &state.nodes,
            key: &self.key,
            host_keys: &host_keys,
            jump: jump.as_ref(),
            cos_host_keys: &BTreeMap::new(),
        })
    }

    /// Opens a session on every node, before anything is written; what could not be tried is a warning.
    ///
    /// # Errors
    /// [`Error::Usage`] if a node does not let the key in, or has another host key.
    pub async fn prove(&self, state: &State, provider: &Provider) -> Result<Vec<String>> {
        let scratch = Scratch::make()?;
        for file in self.files(scratch.path(), state, provider)? {
            let path = scratch.path().join(&file.path);
            let folder = path.parent().unwrap_or(scratch.path());
            let failed = || Error::io(format!("cannot write {}", path.display()));
            // Nobody else can read it: see `umask` in `cli`.
            std::fs::create_dir_all(folder).map_err(failed())?;
            std::fs::write(&path, &file.content).map_err(failed())?;
        }
        let ssh = Ssh::new(scratch.path().join("ssh/config"))?;
        // To a hypervisor the user's own configuration leads, with programs that may want a token.
        let ssh = if way(state, provider)?.is_none() { ssh.without_secrets() } else { ssh };
        let mut warnings = Vec::new();
        for node in &state.nodes {
            let name = &node.plan.name;
            let output = ssh.run_script(name, "exit 0", SESSION_LIMIT).await;
            match output.map(|output| (output.status.code() == Some(NO_SESSION), output.stderr_text())) {
                Ok((false, _)) => {}
                Ok((true, said)) => match Refusal::read(&said) {
                    Refusal::NotLetIn(why) => return Err(refused(format!("{name} does not let this key in: {why}"))),
                    Refusal::OtherIdentity(_) => {
                        return Err(refused(format!("{name} has another host key than {HOST_KEYS} says")));
                    }
                    Refusal::Unreachable(why) => warnings.push(untried(name, &why)),
                },
                Err(error) => warnings.push(untried(name, &error.to_string())),
            }
        }
        Ok(warnings)
    }
}

/// The login through which the nodes are reached.
fn way(state: &State, provider: &Provider) -> Result<Option<model::Login>> {
    provider.hypervisor().map_or(Ok(None), |row| (row.login)(&state.spec))
}

fn refused(message: String) -> Error {
    Error::Usage { message, hint: Some("nothing was written; without a key, status and destroy still work".into()) }
}

fn untried(node: &str, why: &str) -> String {
    format!("the key was not tried on {node}: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(comment: &str) -> String {
        format!("{} {comment}", keys::public_key(&keys::ed25519_key("x").unwrap()).unwrap())
    }

    #[test]
    fn host_keys_are_lines_of_known_hosts() {
        let (one, two) = (key(""), key("root@n12"));
        let text = format!("# nodes\n\nn11 {one}\n exasol-00000001-n12\t{two}\n");
        let login = Login { key: String::new(), named: parse(&text).unwrap() };
        let by_node = login.host_keys(&DeploymentId::from_random([0, 0, 0, 1]));
        assert_eq!(by_node.keys().collect::<Vec<_>>(), ["n11", "n12"]);
        assert!(by_node.values().all(|key| key.split(' ').count() == 2), "no comments: {by_node:?}");
        for (wrong, why) in [
            ("n11", "in line 1"),
            ("n11 ssh-ed25519 AAAA", "in line 1"),
            (one.as_str(), "in line 1"),
            (&*format!("n11 {one}\nn11 {two}"), "another in line 2"),
            ("# x\nn11 ssh-rsa AAAAB3NzaC1yc2E=", "in line 2"),
        ] {
            assert!(parse(wrong).unwrap_err().contains(why), "{wrong}: {:?}", parse(wrong));
        }
    }

    #[test]
    fn fuzz_known_hosts() {
        let frozen = include_str!("../../../tests/fixtures/frozen/schema-1/ssh/known_hosts");
        crate::fuzz::text_target("known-hosts", &[frozen], |text| {
            for key in parse(text).into_iter().flat_map(BTreeMap::into_values) {
                assert!(key.starts_with("ssh-ed25519 ") && !key.contains('\n'));
            }
        });
    }
}
