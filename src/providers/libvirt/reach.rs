//! Opening a hypervisor, and finding out why one does not open.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::super::dial::dialled;
use super::client::{Answer, Client, Fault, FaultKind};
use super::distro::{Group, Machine, Package};
use super::uri::Uri;
use crate::error::{Error, Result};
use crate::model::{Login, NoWay, command_line, quote};

/// Where libvirtd, or virtproxyd in its place, listens. The Terraform provider dials this one.
pub(super) const MAIN_SOCKET: &str = "/var/run/libvirt/libvirt-sock";
/// Where virtqemud listens, which libvirt's library tries as well.
const QEMU_SOCKET: &str = "/var/run/libvirt/virtqemud-sock";

/// Opens the hypervisor; the error says why it can't and what to do about it.
pub(super) fn open(uri: &Uri) -> Result<Client> {
    let first = open_at(uri)?;
    // The way may have been lost just now: asked again, it is opened anew, or says what is wrong with it.
    let answer = if first.is_err() && uri.is_ssh() { open_at(uri)? } else { first };
    answer.map_err(|fault| unreachable(uri, fault))
}

fn open_at(uri: &Uri) -> Result<Answer<Client>> {
    Ok(Client::open(&match socket(uri)? {
        Some(socket) if uri.is_ssh() => at(&socket),
        // The library finds the sockets of this machine by itself.
        _ => uri.to_connect(),
    }))
}

/// The daemon's socket on this machine where the address alone does not lead to it: the near end of the way
/// to another machine, or that of modular daemons, which the Terraform provider does not look for.
pub(super) fn socket(uri: &Uri) -> Result<Option<PathBuf>> {
    if let (Some(login), Some(dial)) = (uri.login(), dialled()) {
        return dial(&login, uri.socket()).map(Some).map_err(|no_way| no_way_to(uri, &login, no_way));
    }
    let usual = uri.is_local() && !uri.is_mock() && uri.socket().is_none();
    Ok(usual.then(|| modular(Path::new(MAIN_SOCKET), Path::new(QEMU_SOCKET))).flatten())
}

/// The second socket where the first lets nobody in (it is not there, or not for this user) and that one does.
fn modular(main: &Path, qemu: &Path) -> Option<PathBuf> {
    (knock(main) != Socket::Open && knock(qemu) == Socket::Open).then(|| qemu.to_owned())
}

/// The address of a daemon at a socket.
pub(super) fn at(socket: &Path) -> String {
    format!("qemu:///system?socket={}", socket.display())
}

fn unreachable(uri: &Uri, fault: Fault) -> Error {
    let machine = Machine::here();
    let cause = if fault.kind == FaultKind::NoLibrary {
        library(&fault, &machine)
    } else if let Some(login) = uri.login() {
        beyond_ssh(&login, &fault.message)
    } else if uri.is_local() {
        locally(&fault, &machine, sockets(uri))
    } else {
        Cause { text: fault.message, fix: vec!["use qemu+ssh://USER@HOST/system, which needs no certificates".into()] }
    };
    cause.of(uri)
}

fn no_way_to(uri: &Uri, login: &Login, no_way: NoWay) -> Error {
    let cause = match no_way {
        NoWay::Login(words) => over_ssh(login, &words),
        NoWay::Denied { socket, user, group } => Cause {
            text: format!("SSH works, but user {user} may not use {socket} on {}: it is for group {group}", login.host),
            fix: vec![format!("{} sudo usermod -aG {group} {user}", login.command())],
        },
        NoWay::Missing => no_daemon(login),
        NoWay::Forward(words) => Cause {
            text: format!("SSH works, but {} forwards no sockets ({words})", login.host),
            fix: vec![format!(
                "set AllowStreamLocalForwarding yes and AllowTcpForwarding yes in its sshd_config, then: {} sudo systemctl reload ssh",
                login.command()
            )],
        },
        NoWay::Here(text) => Cause { text, fix: Vec::new() },
    };
    cause.of(uri)
}

impl Cause {
    fn of(self, uri: &Uri) -> Error {
        Error::LibvirtUnreachable { uri: uri.to_string(), cause: self.text, fix: self.fix }
    }
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
            text: "the libvirt daemon has ended: its socket exists, but nothing listens on it".into(),
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

/// What ssh said instead of logging in.
fn over_ssh(login: &Login, words: &str) -> Cause {
    let (host, ssh) = (&login.host, login.command());
    let says = |texts: &[&str]| texts.iter().any(|text| words.contains(text));
    let (text, fix) = if says(&["the SSH agent at"]) {
        (words.to_owned(), "unset SSH_AUTH_SOCK   # or restart the agent".to_owned())
    } else if says(&["Host key verification failed", "HOST IDENTIFICATION HAS CHANGED"]) {
        (
            format!("this machine does not know the SSH host key of {host}"),
            format!("{ssh} true   # compare the fingerprint and accept it"),
        )
    } else if says(&["Permission denied", "Too many authentication failures"]) {
        (format!("{host} does not accept an SSH key of this user ({words})"), copy_id(login))
    } else if says(&["Could not resolve", "Name or service not known"]) {
        (
            format!("the name {host} is not known ({words})"),
            format!("name another host in --libvirt-uri, or give {host} an address in /etc/hosts or ~/.ssh/config"),
        )
    } else if says(&["Connection refused", "timed out", "No route"]) {
        (format!("no SSH server answers at {host} ({words})"), format!("{ssh} true"))
    } else {
        (words.to_owned(), format!("{ssh} true"))
    };
    Cause { text, fix: vec![fix] }
}

fn copy_id(login: &Login) -> String {
    let key = login.key.iter().flat_map(|key| ["-i".to_owned(), key.display().to_string()]);
    let port = login.port.iter().flat_map(|port| ["-p".to_owned(), port.to_string()]);
    let user = login.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
    command_line(
        std::iter::once("ssh-copy-id".to_owned()).chain(key).chain(port).chain([format!("{user}{}", login.host)]),
    )
}

fn no_daemon(login: &Login) -> Cause {
    Cause {
        text: format!("SSH works, but no libvirt daemon runs on {}", login.host),
        fix: vec![format!("{} virsh -c qemu:///system version", login.command())],
    }
}

/// The socket was open to this user, and the daemon still gave no connection.
fn beyond_ssh(login: &Login, words: &str) -> Cause {
    if is_refusal(words) { refused(login, words) } else { no_answer(login, words) }
}

/// The socket is open to all and polkit decides; members of group libvirt need no password.
fn refused(login: &Login, words: &str) -> Cause {
    // The login's own name, where only ssh's configuration knows it.
    let user = login.user.as_deref().map_or("'$(id -un)'".to_owned(), quote);
    Cause {
        text: format!("SSH works, but this user may not use the libvirt daemon on {} ({words})", login.host),
        fix: vec![format!("{} sudo usermod -aG libvirt {user}", login.command())],
    }
}

/// There was a socket, and nothing came through it. sshd says the same of a daemon that has ended and of
/// sockets that it forwards to nobody (seen with 9.2: "connect failed: open failed").
fn no_answer(login: &Login, words: &str) -> Cause {
    let (host, ssh) = (&login.host, login.command());
    Cause {
        text: format!(
            "SSH works, but nothing answers at the daemon's socket on {host} ({words}): the daemon has ended, or the \
             SSH server forwards no sockets"
        ),
        fix: vec![format!(
            "{ssh} virsh -c qemu:///system version   # if this works, it is the SSH server: AllowStreamLocalForwarding yes"
        )],
    }
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
    fn the_socket_that_lets_us_in_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (main, qemu) = (folder.path().join("main"), folder.path().join("qemu"));
        assert_eq!(modular(&main, &qemu), None);
        let _qemu = std::os::unix::net::UnixListener::bind(&qemu).unwrap();
        assert_eq!(modular(&main, &qemu), Some(qemu.clone()));
        let _main = std::os::unix::net::UnixListener::bind(&main).unwrap();
        assert_eq!(modular(&main, &qemu), None);
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
        let login = Uri::parse("qemu+ssh://me@kvm:2222/system?keyfile=/k").unwrap().login().unwrap();
        let cause = |words: &str| over_ssh(&login, words);
        let key = cause("Host key verification failed.");
        assert!(key.fix[0].ends_with("-p 2222 -l me -- kvm true   # compare the fingerprint and accept it"), "{key:?}");
        assert_eq!(cause("me@kvm: Permission denied (publickey).").fix, ["ssh-copy-id -i /k -p 2222 me@kvm"]);
        assert!(cause("ssh: connect to host kvm port 2222: Connection refused").text.contains("no SSH server"));
        assert!(
            cause("no login within 45 s: the SSH agent at /a accepts connections").fix[0]
                .starts_with("unset SSH_AUTH_SOCK")
        );
        assert!(cause("ssh: Could not resolve hostname kvm").text.contains("not known"));
    }

    #[test]
    fn what_is_wrong_behind_the_login_is_told() {
        let uri = Uri::parse("qemu+ssh://kvm/system").unwrap();
        let login = uri.login().unwrap();
        let said = |no_way| {
            let Error::LibvirtUnreachable { cause, fix, .. } = no_way_to(&uri, &login, no_way) else { panic!() };
            (cause, fix.join(";"))
        };
        let denied = NoWay::Denied { socket: "/s".into(), user: "me".into(), group: "libvirt".into() };
        assert_eq!(said(denied).1, "ssh -- kvm sudo usermod -aG libvirt me");
        let polkit = "authentication unavailable: no polkit agent available to authenticate action";
        assert_eq!(beyond_ssh(&login, polkit).fix, ["ssh -- kvm sudo usermod -aG libvirt '$(id -un)'"]);
        let named = Login { user: Some("me".into()), ..login.clone() };
        assert_eq!(beyond_ssh(&named, polkit).fix, ["ssh -l me -- kvm sudo usermod -aG libvirt me"]);
        assert!(beyond_ssh(&login, "reset").text.contains("forwards no sockets"));
        assert!(said(NoWay::Missing).0.contains("no libvirt daemon"));
        assert!(said(NoWay::Forward("prohibited".into())).1.contains("AllowStreamLocalForwarding"));
    }
}
