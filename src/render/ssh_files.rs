//! The deployment directory's `ssh/`: key, known hosts, configuration.

use std::collections::BTreeMap;
use std::path::Path;

use super::cluster_ssh::COS_PORT;
use super::{Secrets, USER, shell};
use crate::error::{Error, Result};
use crate::model::{Node, RenderedFile, ssh_path};

pub struct SshInput<'a> {
    /// The deployment directory, absolute. See [`config`] for why it must be known.
    pub directory: &'a Path,
    pub nodes: &'a [Node],
    pub secrets: &'a Secrets<'a>,
    /// `user@host:port` through which the nodes are reached.
    pub jump_host: Option<&'a str>,
    /// The private key for it, where its address names one.
    pub jump_key: Option<&'a Path>,
    /// By node name: what [`super::COS_HOST_KEYS`] printed there, `ssh-ed25519 AAAA…` each; empty
    /// before the installation.
    pub cos_host_keys: &'a BTreeMap<String, Vec<String>>,
}

pub fn ssh_files(input: &SshInput) -> Result<Vec<RenderedFile>> {
    let public = format!("{}\n", input.secrets.public_ssh_key()?);
    Ok(vec![
        RenderedFile::secret("ssh/id_ed25519", input.secrets.ssh_key),
        RenderedFile::new("ssh/id_ed25519.pub", public),
        RenderedFile::new("ssh/known_hosts", known_hosts(input)?),
        RenderedFile::new("ssh/config", config(input)?),
    ])
}

/// By alias, not by address: a node keeps its key when its address changes. A rehearsal's COS has
/// its node's host key, the real one's is learned after the installation.
fn known_hosts(input: &SshInput) -> Result<String> {
    let mut text = String::new();
    for node in input.nodes {
        let name = &node.plan.name;
        let key = input.secrets.public_host_key(name)?;
        text += &format!("{name} {key}\n{name}-cos {key}\n");
        for learned in input.cos_host_keys.get(name).into_iter().flatten().filter(|learned| **learned != key) {
            text += &format!("{name}-cos {learned}\n");
        }
    }
    Ok(text)
}

/// The one file in the directory with absolute paths: ssh resolves relative ones against its
/// working directory and has no token for the place of the configuration (ssh_config(5), TOKENS),
/// and `ssh -F DIR/ssh/config n11` has to work from anywhere. It is rendered anew when the
/// directory has moved.
///
/// There is no `Host *`: with a jump host ssh would apply it there too.
fn config(input: &SshInput) -> Result<String> {
    let names: Vec<_> = input.nodes.iter().map(|n| n.plan.name.as_str()).collect();
    let all: Vec<_> = names.iter().flat_map(|n| [(*n).to_owned(), format!("{n}-cos")]).collect();
    let proxy = input.jump_host.map(|jump| proxy_command(jump, input.jump_key)).transpose()?.unwrap_or_default();
    let mut text = String::from("# Generated; absolute paths are written anew when the directory has moved.\n");
    for node in input.nodes {
        let (name, address) = (&node.plan.name, node.public_ip);
        text += &format!("Host {name}\n  HostName {address}\n  HostKeyAlias {name}\n  User {USER}\n");
        text += &format!(
            "Host {name}-cos\n  HostName {address}\n  HostKeyAlias {name}-cos\n  User root\n  Port {COS_PORT}\n"
        );
    }
    text += &format!("Host {}\n  {}\n{proxy}{OPTIONS}", all.join(" "), ssh_place(input.directory)?.join("\n  "));
    Ok(text)
}

const OPTIONS: &str = "  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
  CheckHostIP no
  IdentitiesOnly yes
  PreferredAuthentications publickey
  ForwardAgent no
  ConnectTimeout 10
  ServerAliveInterval 15
  ServerAliveCountMax 4
";

/// ssh itself to the jump host, so that the user's own configuration holds for it; `ProxyJump`
/// would hand it this file instead. ssh runs the line in a shell and expands `%` in it.
/// No `BatchMode`: a person at a terminal may unlock a key, and what runs in the background is kept from
/// asking by its environment (`tools::process`).
fn proxy_command(jump: &str, key: Option<&Path>) -> Result<String> {
    let (login, port) = match jump.rsplit_once(':') {
        Some((login, port)) if port.parse::<u16>().is_ok() && !login.ends_with(':') => (login, Some(port)),
        _ => (jump, None),
    };
    let login = login.replace(['[', ']'], "");
    if login.is_empty() || login.starts_with('-') {
        return Err(Error::other(format!("'{jump}' is no jump host (user@host:port)")));
    }
    let login = shell::quoted(&login, "the jump host")?.replace('%', "%%");
    let port = port.map(|p| format!("-p {p} ")).unwrap_or_default();
    let key = key.map(|k| shell::quoted(&k.to_string_lossy(), "the jump host's key")).transpose()?;
    let key = key.map(|k| format!("-i {} ", k.replace('%', "%%"))).unwrap_or_default();
    Ok(format!("  ProxyCommand ssh -o ConnectTimeout=10 {port}{key}-W '[%h]:%p' -- {login}\n"))
}

/// The lines of the configuration that name the directory, in the form that `ssh -o` takes too.
pub fn ssh_place(directory: &Path) -> Result<[String; 2]> {
    Ok([
        format!("IdentityFile {}", path(directory, "ssh/id_ed25519")?),
        format!("UserKnownHostsFile {}", path(directory, "ssh/known_hosts")?),
    ])
}

fn path(directory: &Path, relative: &str) -> Result<String> {
    let refused = |why: &str| Error::other(format!("{} {why}: ssh cannot use it", directory.display()));
    if !directory.is_absolute() {
        return Err(refused("is not an absolute path"));
    }
    ssh_path(&directory.join(relative)).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing;

    fn input<'a>(nodes: &'a [Node], secrets: &'a Secrets<'a>, cos: &'a BTreeMap<String, Vec<String>>) -> SshInput<'a> {
        SshInput {
            directory: Path::new("/srv/my clusters/50%"),
            nodes,
            secrets,
            jump_host: None,
            jump_key: None,
            cos_host_keys: cos,
        }
    }

    #[test]
    fn configuration_and_known_hosts() {
        let fixture = testing::Fixture::two_nodes();
        let (nodes, secrets, cos) = (fixture.nodes(), fixture.secrets(), BTreeMap::new());
        let input = input(&nodes, &secrets, &cos);
        insta::assert_snapshot!("ssh_config", config(&input).unwrap());
        insta::assert_snapshot!("ssh_known_hosts", known_hosts(&input).unwrap());
    }

    #[test]
    fn a_learned_key_of_cos_is_added() {
        let fixture = testing::Fixture::two_nodes();
        let (nodes, secrets) = (fixture.nodes(), fixture.secrets());
        let cos = BTreeMap::from([("n11".to_owned(), vec!["ssh-rsa AAAAB3".to_owned()])]);
        assert!(known_hosts(&input(&nodes, &secrets, &cos)).unwrap().contains("\nn11-cos ssh-rsa AAAAB3\n"));
    }

    #[test]
    fn a_jump_host_is_reached_by_the_users_own_ssh() {
        assert_eq!(
            proxy_command("me@kvm:2222", None).unwrap(),
            "  ProxyCommand ssh -o ConnectTimeout=10 -p 2222 -W '[%h]:%p' -- 'me@kvm'\n"
        );
        assert_eq!(
            proxy_command("kvm", None).unwrap(),
            "  ProxyCommand ssh -o ConnectTimeout=10 -W '[%h]:%p' -- 'kvm'\n"
        );
        assert_eq!(
            proxy_command("me@[fd00::1]:22", None).unwrap(),
            "  ProxyCommand ssh -o ConnectTimeout=10 -p 22 -W '[%h]:%p' -- 'me@fd00::1'\n"
        );
        assert_eq!(
            proxy_command("a'b%h", None).unwrap(),
            "  ProxyCommand ssh -o ConnectTimeout=10 -W '[%h]:%p' -- 'a'\\''b%%h'\n"
        );
        assert!(proxy_command("-oProxyCommand=x", None).is_err());
        assert!(proxy_command("", None).is_err());
    }

    #[test]
    fn a_directory_that_ssh_would_misread_is_refused() {
        for directory in ["relative", "/a/${HOME}", "/a\nb", "/a\"b"] {
            assert!(path(Path::new(directory), "x").is_err(), "{directory}");
        }
    }
}
