//! The deployment directory's `ssh/`: key, known hosts, configuration.

use std::collections::BTreeMap;
use std::path::Path;

use super::USER;
use super::cluster_ssh::COS_PORT;
use super::keys::public_half;
use crate::error::{Error, Result};
use crate::model::{Login, Node, RenderedFile, command_line, ssh_path};

pub struct SshInput<'a> {
    /// The deployment directory, absolute. See [`config`] for why it must be known.
    pub directory: &'a Path,
    pub nodes: &'a [Node],
    /// The deployer's private key, OpenSSH PEM.
    pub key: &'a str,
    /// By node name: its public host key.
    pub host_keys: &'a BTreeMap<String, String>,
    /// The login through which the nodes are reached.
    pub jump: Option<&'a Login>,
    /// By node name: what [`super::COS_HOST_KEYS`] printed there, `ssh-ed25519 AAAA…` each; empty
    /// before the installation.
    pub cos_host_keys: &'a BTreeMap<String, Vec<String>>,
}

pub fn ssh_files(input: &SshInput) -> Result<Vec<RenderedFile>> {
    let public = format!("{}\n", public_half(input.key, "the deployer")?);
    Ok(vec![
        RenderedFile::secret("ssh/id_ed25519", input.key),
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
        let key = input.host_keys.get(name).ok_or_else(|| Error::other(format!("no host key for {name}")))?;
        text += &format!("{name} {key}\n{name}-cos {key}\n");
        for learned in input.cos_host_keys.get(name).into_iter().flatten().filter(|learned| *learned != key) {
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
    let proxy = input.jump.map(|jump| ssh_proxy(jump, None)).transpose()?;
    let proxy = proxy.map(|line| format!("  {line}\n")).unwrap_or_default();
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

/// No agent: it has nothing for the nodes, and one that does not answer would keep every session from opening.
const OPTIONS: &str = "  IdentityAgent none
  GlobalKnownHostsFile /dev/null
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

/// The line of the configuration that leads through a jump host, in the form that `ssh -o` takes too. It runs
/// ssh itself, so that the user's own configuration holds for the jump host; `ProxyJump` would hand it this
/// file instead. ssh runs the line in a shell and expands `%` in it.
///
/// `control`: the socket of an ssh that is logged in there already. Where it is not any more, ssh logs in.
///
/// No `BatchMode`: a person at a terminal may unlock a key, and what runs in the background is kept from
/// asking by its environment (`tools::process`).
pub fn ssh_proxy(jump: &Login, control: Option<&Path>) -> Result<String> {
    let mut words = vec!["ssh".to_owned()];
    if let Some(control) = control {
        words.extend(["-o", "ControlMaster=no", "-S"].map(str::to_owned));
        words.push(control.to_str().ok_or_else(|| Error::other("a socket's path is not UTF-8"))?.to_owned());
    }
    words.extend(["-o", "ConnectTimeout=10"].map(str::to_owned));
    let login = jump.words().map_err(|why| Error::other(format!("the path {why}: ssh cannot use it")))?;
    if words.iter().chain(&login).any(|word| word.chars().any(char::is_control)) {
        return Err(Error::other("the jump host has a control character (line break, tab, …)"));
    }
    let escaped = |words: &[String]| command_line(words).replace('%', "%%");
    Ok(format!("ProxyCommand {} -W '[%h]:%p' {}", escaped(&words), escaped(&login)))
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
    use crate::model::HostKeys;
    use crate::render::testing;

    fn input<'a>(
        nodes: &'a [Node],
        (key, host_keys): &'a (String, BTreeMap<String, String>),
        cos: &'a BTreeMap<String, Vec<String>>,
    ) -> SshInput<'a> {
        let directory = Path::new("/srv/my clusters/50%");
        SshInput { directory, nodes, key, host_keys, jump: None, cos_host_keys: cos }
    }

    fn keys(fixture: &testing::Fixture) -> (String, BTreeMap<String, String>) {
        let secrets = fixture.secrets();
        (secrets.ssh_key.to_string(), secrets.public_host_keys().unwrap())
    }

    #[test]
    fn configuration_and_known_hosts() {
        let fixture = testing::Fixture::two_nodes();
        let (nodes, keys, cos) = (fixture.nodes(), keys(fixture), BTreeMap::new());
        let input = input(&nodes, &keys, &cos);
        insta::assert_snapshot!("ssh_config", config(&input).unwrap());
        insta::assert_snapshot!("ssh_known_hosts", known_hosts(&input).unwrap());
    }

    #[test]
    fn a_learned_key_of_cos_is_added() {
        let fixture = testing::Fixture::two_nodes();
        let (nodes, keys) = (fixture.nodes(), keys(fixture));
        let cos = BTreeMap::from([("n11".to_owned(), vec!["ssh-rsa AAAAB3".to_owned()])]);
        assert!(known_hosts(&input(&nodes, &keys, &cos)).unwrap().contains("\nn11-cos ssh-rsa AAAAB3\n"));
    }

    #[test]
    fn a_jump_host_is_reached_by_the_users_own_ssh() {
        let login = |user: Option<&str>, host: &str, port, key: Option<&str>| Login {
            user: user.map(str::to_owned),
            host: host.into(),
            port,
            key: key.map(Into::into),
            host_keys: HostKeys::Known,
        };
        let line = |login: &Login| ssh_proxy(login, None).unwrap();
        assert_eq!(
            line(&login(Some("me"), "kvm", Some(2222), None)),
            "ProxyCommand ssh -o ConnectTimeout=10 -W '[%h]:%p' -p 2222 -l me -- kvm"
        );
        assert!(line(&login(None, "fd00::1", None, None)).ends_with("-- fd00::1"));
        assert!(line(&login(Some("a'b%h"), "kvm", None, None)).contains(r"-l 'a'\''b%%h' --"));
        assert!(line(&login(None, "kvm", None, Some("/50%/k"))).contains("IdentityFile=\"/50%%%%/k\""));
        let shared = ssh_proxy(&login(None, "kvm", None, None), Some(Path::new("/run/c"))).unwrap();
        assert_eq!(shared, "ProxyCommand ssh -o ControlMaster=no -S /run/c -o ConnectTimeout=10 -W '[%h]:%p' -- kvm");
    }

    #[test]
    fn a_directory_that_ssh_would_misread_is_refused() {
        for directory in ["relative", "/a/${HOME}", "/a\nb", "/a\"b"] {
            assert!(path(Path::new(directory), "x").is_err(), "{directory}");
        }
    }

    /// The values of a key that the real ssh reads for n11.
    fn ssh_reads(config: &str, key: &str) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), config).unwrap();
        let read = testing::sh(&format!("ssh -G -F {} n11 </dev/null", file.path().display()));
        read.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(' ').map(str::to_owned)).collect()
    }

    #[test]
    fn ssh_reads_the_path_of_a_hostile_directory_as_it_is() {
        let fixture = testing::Fixture::two_nodes();
        let (nodes, keys, cos) = (fixture.nodes(), keys(fixture), BTreeMap::new());
        let mut read = 0;
        for name in
            testing::HOSTILE.iter().chain(&["%h %d ~", "a\\b", "`touch x`$(touch x)", "-oProxyCommand=x", "a#b"])
        {
            let directory = Path::new("/srv").join(name);
            let Ok(text) = config(&SshInput { directory: &directory, ..input(&nodes, &keys, &cos) }) else { continue };
            // What it shows is expanded for one of the keys, and for the other not yet.
            for (key, file) in [("identityfile", "ssh/id_ed25519"), ("userknownhostsfile", "ssh/known_hosts")] {
                let shown: Vec<_> = ssh_reads(&text, key).iter().map(|path| path.replace("%%", "%")).collect();
                assert_eq!(shown, [directory.join(file).display().to_string()], "{name}");
            }
            read += 1;
        }
        assert!(read > 10, "{read} were not refused");
    }

    #[test]
    fn a_shell_starts_the_jump_hosts_ssh_with_hostile_words_as_they_are() {
        let fixture = testing::Fixture::two_nodes();
        let (nodes, keys, cos) = (fixture.nodes(), keys(fixture), BTreeMap::new());
        for word in testing::HOSTILE.iter().chain(&["%h %r ~", "a\\b", "-oProxyCommand=touch x"]) {
            let login = Login {
                user: Some((*word).to_owned()),
                host: (*word).to_owned(),
                port: None,
                key: None,
                host_keys: HostKeys::Known,
            };
            let text = config(&SshInput { jump: Some(&login), ..input(&nodes, &keys, &cos) }).unwrap();
            let [line] = &ssh_reads(&text, "proxycommand")[..] else { panic!("{text}") };
            // As ssh does before it hands the line to a shell.
            let line = line.replace("%%", "\0").replace("%h", "192.0.2.7").replace("%p", "22").replace('\0', "%");
            let words = testing::sh(&format!("ssh() {{ printf '%s\\n' \"$@\"; }}\n{line}"));
            let wanted = ["-o", "ConnectTimeout=10", "-W", "[192.0.2.7]:22", "-l", *word, "--", *word];
            assert_eq!(words.lines().collect::<Vec<_>>(), wanted);
        }
    }
}
