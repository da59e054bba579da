//! Can the hypervisor be reached, by us and by Terraform?

use std::path::{Path, PathBuf};

use super::super::client::Client;
use super::super::distro::Machine;
use super::super::options::Options;
use super::super::reach::{self, MAIN_SOCKET};
use super::super::uri::Uri;
use crate::error::Error;
use crate::model::{Check, quote};

pub(super) fn check(options: &Options, machine: &Machine, checks: &mut Vec<Check>) -> Option<Client> {
    let title = format!("hypervisor {} answers", options.uri);
    let client = match reach::open(&options.uri) {
        Ok(client) => client,
        Err(error) => {
            checks.push(unreachable(&title, error));
            return None;
        }
    };
    checks.push(match client.driver() {
        Ok(driver) if options.uri.is_mock() => Check::warning(
            "libvirt_connect",
            title,
            format!("{driver}: libvirt's mock hypervisor, nothing will really run"),
        ),
        Ok(driver) => Check::ok("libvirt_connect", title, driver),
        Err(fault) => super::unanswered("libvirt_connect", &title, &fault),
    });
    checks.extend(terraform_socket(options, machine));
    checks.extend(terraform_ssh(&options.uri, &Ssh::here()));
    Some(client)
}

fn unreachable(title: &str, error: Error) -> Check {
    let (detail, fix) = match error {
        Error::LibvirtUnreachable { cause, fix, .. } => (cause, fix),
        other => (other.to_string(), Vec::new()),
    };
    let mut check = Check::failed("libvirt_connect", title, detail);
    check.fix = fix;
    check
}

/// libvirt's library finds the sockets of modular daemons by itself; the Terraform provider (0.8.3) dials one path.
fn terraform_socket(options: &Options, machine: &Machine) -> Option<Check> {
    let plain = options.uri.is_local() && !options.uri.is_mock() && options.uri.socket().is_none();
    if !plain || Path::new(MAIN_SOCKET).exists() {
        return None;
    }
    let title = format!("socket {MAIN_SOCKET} for Terraform");
    let mut check =
        Check::failed("libvirt_socket", title, "not there: the Terraform provider knows no other; virtproxyd makes it");
    check.fix = machine.start_daemon();
    Some(check)
}

/// What the Terraform provider's own SSH client finds on this machine. It is not OpenSSH: it reads
/// these files of the user, and nothing in /etc/ssh.
struct Ssh {
    known_hosts: bool,
    /// An agent, one of the usual keys, or a configuration that may name another.
    identity: bool,
}

impl Ssh {
    fn here() -> Self {
        let folder = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default().join(".ssh");
        let has = |name: &str| folder.join(name).exists();
        let config = std::fs::read_to_string(folder.join("config")).unwrap_or_default().to_ascii_lowercase();
        let agent = std::env::var_os("SSH_AUTH_SOCK").is_some_and(|socket| !socket.is_empty());
        Self {
            known_hosts: has("known_hosts") || config.contains("userknownhostsfile"),
            identity: agent
                || ["id_ed25519", "id_ecdsa", "id_rsa"].into_iter().any(has)
                || config.contains("identityfile"),
        }
    }
}

fn terraform_ssh(uri: &Uri, ssh: &Ssh) -> Option<Check> {
    let host = uri.host.as_deref().filter(|_| uri.is_ssh())?;
    let title = format!("Terraform can log in to {host}");
    if !ssh.known_hosts && !uri.settles_known_hosts() {
        let port = uri.port.unwrap_or(22);
        let detail = "its provider trusts only hosts in ~/.ssh/known_hosts, and there is no such file";
        let scan =
            format!("ssh-keyscan -p {port} {} >> ~/.ssh/known_hosts   # then compare the fingerprint", quote(host));
        return Some(Check::failed("libvirt_ssh", title, detail).fix(scan));
    }
    if !ssh.identity && uri.keyfile().is_none() {
        let detail = "its provider finds no SSH key: no agent, none of ~/.ssh/id_ed25519, id_ecdsa, id_rsa";
        return Some(
            Check::failed("libvirt_ssh", title, detail).fix("name one: --libvirt-uri '…/system?keyfile=/path/to/key'"),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terraform_s_own_ssh_client_needs_known_hosts_and_a_key() {
        let check = |uri: &str, known_hosts, identity| {
            terraform_ssh(&Uri::parse(uri).unwrap(), &Ssh { known_hosts, identity }).map(|c| c.fix[0].clone())
        };
        let plain = "qemu+ssh://me@kvm:2222/system";
        assert!(check(plain, false, true).unwrap().starts_with("ssh-keyscan -p 2222 kvm >>"));
        assert!(check(plain, true, false).unwrap().contains("keyfile="));
        assert_eq!(check(plain, true, true), None);
        assert_eq!(check("qemu+ssh://me@kvm/system?keyfile=/k&knownhosts=/h", false, false), None);
        assert_eq!(check("qemu:///system", false, false), None);
    }
}
