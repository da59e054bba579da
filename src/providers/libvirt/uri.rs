//! Connection addresses: `qemu:///system`, `qemu+ssh://user@host:port/system?keyfile=…`.

use std::fmt;
use std::path::PathBuf;

use crate::model::{HostKeys, Login};

/// A connection address, taken apart. Which ones are accepted, and why, is in [`Uri::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Uri {
    text: String,
    pub driver: String,
    pub transport: Option<String>,
    pub user: Option<String>,
    /// None: this machine.
    pub host: Option<String>,
    pub port: Option<u16>,
    /// Without the leading slash: `system`, `session`.
    pub path: String,
    /// Percent-decoded.
    parameters: Vec<(String, String)>,
}

/// Why an address is not accepted, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub why: String,
    pub instead: String,
}

/// Transports that libvirt's library and the Terraform provider both know.
const TRANSPORTS: [&str; 4] = ["unix", "ssh", "tcp", "tls"];
const SSH_PORT: u16 = 22;

/// Parameters of SSH addresses that are carried out here, in the spellings of libvirt's library and of the Terraform
/// provider. `no_tty` and `mode` change nothing: nobody is asked, and the daemon's sockets are looked for.
pub(super) const HEEDED: [&str; 8] =
    ["keyfile", "knownhosts", "known_hosts", "known_hosts_verify", "no_verify", "no_tty", "mode", "socket"];

impl Uri {
    /// Takes an address apart; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let (driver, transport) = match scheme.split_once('+') {
            Some((driver, transport)) => (driver, Some(transport.to_owned())),
            None => (scheme, None),
        };
        if driver.is_empty() {
            return None;
        }
        let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = location.split_once('/').unwrap_or((location, ""));
        let (user, host, port) = parse_authority(authority)?;
        let parameters = query
            .split('&')
            .filter(|p| !p.is_empty())
            .map(|p| p.split_once('=').unwrap_or((p, "")))
            .map(|(key, value)| (key.to_owned(), decode(value)))
            .collect();
        let (text, driver, path) = (text.to_owned(), driver.to_owned(), path.to_owned());
        Some(Self { text, driver, transport, user, host, port, path, parameters })
    }

    /// Refuses what cannot work, before anything is asked: with the reason and the way out.
    pub fn check(&self) -> Result<(), Refused> {
        let refuse = |why: &str, instead: String| Err(Refused { why: why.to_owned(), instead });
        if self.is_mock() {
            return Ok(());
        }
        if self.has_password() {
            return refuse(
                "a password in it would appear in files, process lists and messages, and SSH does not read it",
                format!(
                    "use a key: qemu+ssh://USER@{}/system?keyfile=/path/to/key, or one that your ssh agent holds",
                    self.host.as_deref().unwrap_or("HOST")
                ),
            );
        }
        if self.driver != "qemu" {
            return refuse(
                "only QEMU/KVM hypervisors are supported",
                "use qemu:///system or qemu+ssh://user@host/system".into(),
            );
        }
        if self.path == "session" {
            return refuse(
                "guests of a session daemon have user-mode networking only: neither the nodes nor this machine could reach them",
                format!("use the system daemon: {}", self.text.replacen("/session", "/system", 1)),
            );
        }
        if self.path != "system" {
            return refuse("a QEMU address ends in /system", "use qemu:///system".into());
        }
        if let Some(transport) = self.transport.as_deref().filter(|t| !TRANSPORTS.contains(t)) {
            let why = format!("the Terraform provider has no transport '{transport}'");
            return refuse(&why, "use qemu+ssh://user@host/system".into());
        }
        if self.transport.as_deref() == Some("ssh") && self.host.is_none() {
            return refuse("an SSH address needs a host", "use qemu+ssh://user@host/system".into());
        }
        if let Some(Err(why)) = self.login().map(|login| login.words()) {
            return refuse(&format!("the path {why}"), "give the file another name".into());
        }
        Ok(())
    }

    pub fn is_local(&self) -> bool {
        self.host.is_none()
    }

    /// Whether both lead to one daemon, whoever logs in and with what key.
    pub fn is_same_daemon(&self, other: &Uri) -> bool {
        let place = |uri: &Uri| {
            let host = uri.host.as_deref().map(str::to_ascii_lowercase);
            let port = uri.port.filter(|port| !(uri.is_ssh() && *port == SSH_PORT));
            (uri.driver.clone(), host, port, uri.path.clone(), uri.socket().map(str::to_owned))
        };
        place(self) == place(other)
    }

    pub fn is_ssh(&self) -> bool {
        self.transport.as_deref() == Some("ssh") && self.host.is_some()
    }

    /// libvirt's mock hypervisor, for tests.
    pub fn is_mock(&self) -> bool {
        self.driver == "test"
    }

    /// The first parameter that nothing here would heed, for SSH addresses: there libvirt's library is given a
    /// socket of ours, and the login is the user's own OpenSSH.
    pub fn unheeded(&self) -> Option<&str> {
        let unheeded = |name: &&str| self.is_ssh() && !HEEDED.contains(name);
        self.parameters.iter().map(|(key, _)| key.as_str()).find(unheeded)
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The daemon's socket where the address names it.
    pub fn socket(&self) -> Option<&str> {
        self.parameter("socket")
    }

    /// How the machine is reached, for SSH addresses. Parameters are those of libvirt's library and of the
    /// Terraform provider.
    pub fn login(&self) -> Option<Login> {
        let host = self.host.clone().filter(|_| self.is_ssh())?;
        let given = |name: &str| self.parameter(name).filter(|value| !value.is_empty());
        let any = given("no_verify").is_some_and(|value| value != "0") || given("known_hosts_verify") == Some("ignore");
        let host_keys = match given("knownhosts").or(given("known_hosts")) {
            _ if any => HostKeys::Any,
            Some(file) => HostKeys::In(file.into()),
            None => HostKeys::Known,
        };
        let key = given("keyfile").map(PathBuf::from);
        Some(Login { user: self.user.clone(), host, port: self.port, key, host_keys })
    }

    /// `user:password@`: in no place of ours is one safe.
    fn has_password(&self) -> bool {
        self.user.as_ref().is_some_and(|user| user.contains(':'))
    }

    /// As libvirt's library gets it: SSH never asks on the terminal, since nobody may be there,
    /// and Terraform's provider could not ask either.
    pub fn to_connect(&self) -> String {
        if !self.is_ssh() || self.parameter("no_tty").is_some() {
            return self.text.clone();
        }
        let separator = if self.text.contains('?') { '&' } else { '?' };
        format!("{}{separator}no_tty=1", self.text)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

type Authority = (Option<String>, Option<String>, Option<u16>);

fn parse_authority(text: &str) -> Option<Authority> {
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(decode(user)), rest),
        None => (None, text),
    };
    let (host, port) = match rest.strip_prefix('[') {
        Some(v6) => {
            let (host, port) = v6.split_once(']')?;
            (host, port.strip_prefix(':'))
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let port = port.map(str::parse).transpose().ok()?;
    let host = Some(decode(host));
    let some = |part: Option<String>| part.filter(|part| !part.is_empty());
    let (user, host) = (some(user), some(host));
    // One that begins with a dash would be read as an option by ssh.
    let odd = |part: &String| part.starts_with('-') || part.chars().any(|c| c.is_control() || c.is_whitespace());
    if user.iter().chain(&host).any(odd) {
        return None;
    }
    Some((user, host, port))
}

/// Percent-decoding; what is not valid stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
        match hex.filter(|_| bytes[at] == b'%').and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Uri {
        Uri::parse(text).unwrap()
    }

    #[test]
    fn local_and_remote_addresses_are_taken_apart() {
        let local = parsed("qemu:///system");
        assert!(local.is_local() && local.check().is_ok() && local.login().is_none());
        assert_eq!(local.to_connect(), "qemu:///system");

        let remote = parsed("qemu+ssh://root@kvm.example.org:2222/system?keyfile=/home/me/a%20key&no_verify=1");
        assert_eq!(remote.check(), Ok(()));
        let login = remote.login().unwrap();
        assert_eq!((login.user.as_deref(), login.host.as_str()), (Some("root"), "kvm.example.org"));
        assert_eq!((login.port, login.key), (Some(2222), Some(PathBuf::from("/home/me/a key"))));
        assert_eq!(login.host_keys, HostKeys::Any);
        assert!(remote.to_connect().ends_with("&no_verify=1&no_tty=1"));

        let same = |a: &str, b: &str| parsed(a).is_same_daemon(&parsed(b));
        assert!(same("qemu+ssh://me@Host/system", "qemu+ssh://root@host:22/system?keyfile=/k"));
        assert!(!same("qemu+ssh://host:2222/system", "qemu+ssh://host/system"));
        let v6 = parsed("qemu+ssh://me@[2001:db8::5]:22/system");
        assert_eq!((v6.host.as_deref(), v6.port), (Some("2001:db8::5"), Some(22)));
        assert_eq!(v6.login().unwrap().host, "2001:db8::5");
        let zone = parsed("qemu+ssh://me@[fe80::1%25br0]/system").login().unwrap();
        assert_eq!(zone.host, "fe80::1%br0");
        let known = parsed("qemu+ssh://kvm/system?knownhosts=/h").login().unwrap();
        assert_eq!((known.user, known.host_keys), (None, HostKeys::In("/h".into())));
        assert_eq!(
            parsed("qemu+ssh://me@[2001:db8::5]/system").to_connect(),
            "qemu+ssh://me@[2001:db8::5]/system?no_tty=1"
        );
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_way_out() {
        let refused = |text: &str| parsed(text).check().unwrap_err();
        assert_eq!(refused("qemu:///session").instead, "use the system daemon: qemu:///system");
        assert!(refused("qemu:///session").why.contains("networking"));
        assert!(refused("xen:///system").why.contains("QEMU"));
        assert!(refused("qemu+libssh2://me@host/system").why.contains("libssh2"));
        assert!(refused("qemu+ssh://kvm/system?keyfile=/${HOME}/k").why.contains("/${HOME}/k contains"));
        for text in ["qemu+ssh://root:secret@kvm/system", "qemu+tcp://root%3Asecret@kvm/system"] {
            assert!(refused(text).why.contains("password"), "{text}");
            assert!(!format!("{:?}", refused(text)).contains("secret"), "{text}");
            assert!(refused(text).instead.contains("qemu+ssh://USER@kvm/system?keyfile="), "{text}");
        }
        assert!(refused("qemu+ssh:///system").why.contains("host"));
        assert!(refused("qemu:///").instead.contains("qemu:///system"));
        assert_eq!(parsed("test:///default").check(), Ok(()));
    }

    #[test]
    fn a_parameter_that_nothing_heeds_is_found() {
        let unheeded = |text: &str| parsed(text).unheeded().map(str::to_owned);
        let all: Vec<_> = HEEDED.iter().map(|name| format!("{name}=1")).collect();
        assert_eq!(unheeded(&format!("qemu+ssh://kvm/system?{}", all.join("&"))), None);
        assert_eq!(unheeded("qemu+ssh://kvm/system?keyfile=/k&command=/opt/ssh").as_deref(), Some("command"));
        assert_eq!(unheeded("qemu+ssh://kvm/system?sshauth=privkey").as_deref(), Some("sshauth"));
        assert_eq!(unheeded("qemu+tls://kvm/system?pkipath=/p"), None, "libvirt's library heeds it");
    }

    #[test]
    fn what_is_no_address_is_none() {
        for text in [
            "",
            "system",
            "qemu:/system",
            "qemu+ssh://h:notaport/system",
            "qemu:///sys tem",
            "qemu+ssh://-oProxyCommand=x@h/system",
            "qemu+ssh://me@-x/system",
            "qemu+ssh://me@%2Dx/system",
            "qemu+ssh://m%0Ae@x/system",
            "://x",
        ] {
            assert_eq!(Uri::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_people_type_breaks_the_parser(text in ".{0,60}") {
            if let Some(uri) = Uri::parse(&text) {
                let _ = (uri.check(), uri.login(), uri.to_connect());
            }
        }

        #[test]
        fn decoding_never_fails(text in "[%0-9a-zA-Zß]{0,30}") {
            let _ = decode(&text);
        }
    }
}
