//! Opening a hypervisor, and finding out why one does not open.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::client::{Client, Fault, FaultKind};
use super::distro::{Group, Machine, Package};
use super::uri::Uri;
use crate::error::{Error, Result};

/// Where libvirtd, or virtproxyd in its place, listens. The Terraform provider dials this one.
pub(super) const MAIN_SOCKET: &str = "/var/run/libvirt/libvirt-sock";
/// Where virtqemud listens, which libvirt's library tries as well.
const QEMU_SOCKET: &str = "/var/run/libvirt/virtqemud-sock";

/// Opens the hypervisor; the error says why it can't and what to do about it.
pub(super) fn open(uri: &Uri) -> Result<Client> {
    Client::open(&uri.to_connect()).map_err(|fault| unreachable(uri, fault))
}

fn unreachable(uri: &Uri, fault: Fault) -> Error {
    let machine = Machine::here();
    let cause = if fault.kind == FaultKind::NoLibrary {
        library(&fault, &machine)
    } else if uri.is_ssh() {
        over_ssh(uri, &fault)
    } else if uri.is_local() {
        locally(&fault, &machine, sockets(uri))
    } else {
        Cause { text: fault.message, fix: vec!["use qemu+ssh://USER@HOST/system, which needs no certificates".into()] }
    };
    Error::LibvirtUnreachable { uri: uri.to_string(), cause: cause.text, fix: cause.fix }
}

#[derive(Debug, PartialEq, Eq)]
struct Cause {
    text: String,
    fix: Vec<String>,
}

/// What a local socket does when somebody knocks.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Socket {
    Missing,
    /// It is there, nobody listens.
    Dead,
    /// This user may not; the group that owns it.
    Denied {
        group: u32,
    },
    Open,
}

fn sockets(uri: &Uri) -> Socket {
    let paths = uri.socket().map_or(vec![MAIN_SOCKET, QEMU_SOCKET], |path| vec![path]);
    let states: Vec<_> = paths.into_iter().map(|p| knock(Path::new(p))).collect();
    // The most telling one: an open or forbidden socket says more than a missing one.
    states.iter().find(|s| **s != Socket::Missing).cloned().unwrap_or(Socket::Missing)
}

fn knock(path: &Path) -> Socket {
    match UnixStream::connect(path) {
        Ok(_) => Socket::Open,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Socket::Denied { group: path.metadata().map(|m| m.gid()).unwrap_or(0) }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Socket::Missing,
        Err(_) => Socket::Dead,
    }
}

fn library(fault: &Fault, machine: &Machine) -> Cause {
    Cause {
        text: format!("libvirt's client library is not installed ({})", fault.message),
        fix: vec![machine.install(Package::ClientLibrary)],
    }
}

fn locally(fault: &Fault, machine: &Machine, socket: Socket) -> Cause {
    match socket {
        Socket::Missing if !machine.daemon_installed => {
            let mut fix = vec![machine.install(Package::Daemon)];
            fix.extend(machine.start_daemon());
            Cause { text: "no libvirt daemon is installed on this machine".into(), fix }
        }
        Socket::Missing => Cause {
            text: format!("the libvirt daemon is not running ({MAIN_SOCKET} does not exist)"),
            fix: machine.start_daemon(),
        },
        Socket::Dead => Cause {
            text: "the libvirt daemon has ended: its socket is there, but nobody listens".into(),
            fix: vec![machine.restart_daemon()],
        },
        Socket::Denied { group } => {
            denied(machine, machine.group_of_id(group).filter(|g| g.id != 0).or_else(|| machine.group("libvirt")))
        }
        // The socket is open to all and polkit decides; members of group libvirt need no password.
        Socket::Open if is_refusal(&fault.message) => denied(machine, machine.group("libvirt")),
        Socket::Open => Cause { text: fault.message.clone(), fix: vec![machine.restart_daemon()] },
    }
}

fn is_refusal(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["authentication", "polkit", "access denied", "permission denied"].iter().any(|word| message.contains(word))
}

fn denied(machine: &Machine, group: Option<Group>) -> Cause {
    let user = &machine.user;
    let Some(group) = group else {
        return Cause {
            text: format!("user {user} may not use the libvirt daemon, and there is no group libvirt"),
            fix: vec![machine.install(Package::Daemon)],
        };
    };
    let name = &group.name;
    if group.lists_user && !machine.groups.contains(&group.id) {
        return Cause {
            text: format!("user {user} is in group {name}, but this login session began before that"),
            fix: vec![format!("newgrp {name}   # for this shell; or log out and in again")],
        };
    }
    Cause {
        text: format!("user {user} may not use the libvirt daemon: not in group {name}"),
        fix: vec![
            machine.sudo(&format!("usermod -aG {name} {user}")),
            format!("newgrp {name}   # or log out and in again"),
        ],
    }
}

fn over_ssh(uri: &Uri, fault: &Fault) -> Cause {
    let host = uri.host.as_deref().unwrap_or("the host");
    let user = uri.user.as_ref().map(|u| format!("{u}@")).unwrap_or_default();
    let port = uri.port.map(|p| format!("-p {p} ")).unwrap_or_default();
    let key = uri.keyfile().map(|k| format!("-i {} ", k.display())).unwrap_or_default();
    let ssh = format!("ssh {key}{port}{user}{host}");
    let message = fault.message.as_str();
    let (text, fix) = if message.contains("Host key verification failed") {
        (
            format!("this machine does not know the SSH host key of {host}"),
            format!("{ssh} true   # compare the fingerprint and accept it"),
        )
    } else if message.contains("Permission denied") {
        (
            format!("{host} does not accept an SSH key of this user"),
            format!(
                "{}{user}{host}",
                if port.is_empty() { "ssh-copy-id ".to_owned() } else { format!("ssh-copy-id {port}") }
            ),
        )
    } else if message.contains("Could not resolve") || message.contains("Name or service not known") {
        (format!("the name {host} is not known"), format!("getent hosts {host}"))
    } else if message.contains("Connection refused") || message.contains("timed out") || message.contains("No route") {
        (format!("no SSH server answers at {host}"), format!("{ssh} true"))
    } else if message.contains("No such file")
        || message.contains("libvirt-sock")
        || message.contains("virt-ssh-helper")
    {
        (
            format!("SSH works, but no libvirt daemon answers on {host}"),
            format!("{ssh} virsh -c qemu:///system version"),
        )
    } else {
        (message.to_owned(), format!("{ssh} virsh -c qemu:///system version"))
    };
    Cause { text, fix: vec![fix] }
}

#[cfg(test)]
mod tests {
    use super::super::distro::tests::debian;
    use super::*;
    use std::collections::BTreeSet;

    fn fault(message: &str) -> Fault {
        Fault { kind: FaultKind::Other, message: message.into() }
    }

    fn local(machine: &Machine, socket: Socket) -> Cause {
        locally(&fault("libvirt's words"), machine, socket)
    }

    #[test]
    fn a_missing_library_is_installed() {
        let fault =
            Fault { kind: FaultKind::NoLibrary, message: "libvirt.so.0: cannot open shared object file".into() };
        assert_eq!(library(&fault, &debian()).fix, ["sudo apt-get install -y libvirt0 libvirt-clients"]);
    }

    #[test]
    fn a_missing_socket_is_a_daemon_that_is_not_installed_or_not_running() {
        let running = local(&debian(), Socket::Missing);
        assert!(running.text.contains("not running"));
        assert_eq!(running.fix, ["sudo systemctl enable --now libvirtd"]);
        let absent = local(&Machine { daemon_installed: false, ..debian() }, Socket::Missing);
        assert!(absent.fix[0].contains("apt-get install -y libvirt-daemon-system"));
        assert!(local(&debian(), Socket::Dead).fix[0].contains("restart libvirtd"));
    }

    #[test]
    fn a_forbidden_socket_is_a_group_or_a_session_that_is_too_old() {
        let outside = local(&debian(), Socket::Denied { group: 106 });
        assert_eq!(outside.fix[0], "sudo usermod -aG libvirt me");
        let listed = Machine { user: "other".into(), ..debian() };
        let session = local(&listed, Socket::Denied { group: 106 });
        assert!(session.text.contains("this login session"), "{session:?}");
        assert!(session.fix[0].starts_with("newgrp libvirt"));
        let member = Machine { groups: BTreeSet::from([106]), ..listed };
        assert!(!local(&member, Socket::Denied { group: 106 }).text.contains("session"));
    }

    #[test]
    fn polkit_s_refusal_is_a_matter_of_groups_too() {
        let words =
            "authentication unavailable: no polkit agent available to authenticate action 'org.libvirt.unix.manage'";
        let cause = locally(&fault(words), &debian(), Socket::Open);
        assert_eq!(cause.fix[0], "sudo usermod -aG libvirt me");
        assert_eq!(local(&debian(), Socket::Open).text, "libvirt's words");
    }

    #[test]
    fn ssh_s_words_are_understood() {
        let uri = Uri::parse("qemu+ssh://me@kvm:2222/system?keyfile=/k").unwrap();
        let cause = |message: &str| over_ssh(&uri, &fault(message));
        let key = cause("Cannot recv data: Host key verification failed.: Connection reset by peer");
        assert_eq!(key.fix[0], "ssh -i /k -p 2222 me@kvm true   # compare the fingerprint and accept it");
        assert!(cause("Cannot recv data: me@kvm: Permission denied (publickey).").fix[0].contains("ssh-copy-id"));
        assert!(
            cause("Cannot recv data: ssh: connect to host kvm port 2222: Connection refused")
                .text
                .contains("no SSH server")
        );
        assert!(cause("ssh: Could not resolve hostname kvm").text.contains("not known"));
    }
}
