//! How to log in on another machine over SSH, as an address says it.

use std::path::PathBuf;

use super::{command_line, ssh_path};

/// What an address says about a login. Everything else comes from the user's own configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Login {
    /// None: as the user's configuration says.
    pub user: Option<String>,
    /// A name, an alias of the configuration, or an address; IPv6 without brackets.
    pub host: String,
    pub port: Option<u16>,
    /// A private key's file.
    pub key: Option<PathBuf>,
    pub host_keys: HostKeys,
}

/// Which host keys are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostKeys {
    /// Those that the user's configuration names.
    #[default]
    Known,
    /// Those in this file.
    In(PathBuf),
    /// Every one, on the user's own wish.
    Any,
}

/// Why there is no way to a socket on another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoWay {
    /// Not logged in: ssh's own words.
    Login(String),
    /// Logged in; the daemon's socket is not for this user.
    Denied { socket: String, user: String, group: String },
    /// Logged in; no daemon's socket is there.
    Missing,
    /// Logged in; the server or this machine forwards no sockets.
    Forward(String),
    /// Nothing of the login's fault.
    Here(String),
}

impl Login {
    /// Words for `ssh`, the last one being the host.
    ///
    /// # Errors
    /// What ssh's configuration cannot express, in words that go on after "the path …".
    pub fn words(&self) -> Result<Vec<String>, String> {
        let mut words: Vec<String> = Vec::new();
        let mut option = |text: String| words.extend(["-o".to_owned(), text]);
        let path = |path: &PathBuf| ssh_path(path).map_err(|why| format!("{} {why}", path.display()));
        if let Some(key) = &self.key {
            option(format!("IdentityFile={}", path(key)?));
            // An agent with many keys would use up the server's patience before this one is tried.
            option("IdentitiesOnly=yes".into());
        }
        match &self.host_keys {
            HostKeys::Known => {}
            HostKeys::In(file) => {
                option(format!("UserKnownHostsFile={}", path(file)?));
                option("StrictHostKeyChecking=yes".into());
            }
            HostKeys::Any => {
                option("UserKnownHostsFile=/dev/null".into());
                option("StrictHostKeyChecking=no".into());
                option("LogLevel=ERROR".into());
            }
        }
        if let Some(port) = self.port {
            words.extend(["-p".to_owned(), port.to_string()]);
        }
        if let Some(user) = &self.user {
            words.extend(["-l".to_owned(), user.clone()]);
        }
        words.extend(["--".to_owned(), self.host.clone()]);
        Ok(words)
    }

    /// As a person types it: `ssh -p 2222 -l me -- kvm`.
    pub fn command(&self) -> String {
        command_line(std::iter::once("ssh".to_owned()).chain(self.words().unwrap_or_else(|_| vec![self.host.clone()])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Login {
        Login { user: None, host: "kvm".into(), port: None, key: None, host_keys: HostKeys::Known }
    }

    #[test]
    fn what_an_address_does_not_say_is_the_configurations() {
        assert_eq!(login().command(), "ssh -- kvm");
    }

    #[test]
    fn all_that_an_address_says_is_said() {
        let login = Login {
            user: Some("me".into()),
            port: Some(2222),
            key: Some("/a b/50%".into()),
            host_keys: HostKeys::In("/k".into()),
            ..login()
        };
        let expected = "ssh -o 'IdentityFile=\"/a b/50%%\"' -o IdentitiesOnly=yes -o 'UserKnownHostsFile=\"/k\"' -o \
            StrictHostKeyChecking=yes -p 2222 -l me -- kvm";
        assert_eq!(login.command(), expected);
    }

    #[test]
    fn a_path_that_ssh_would_misread_is_refused() {
        let login = Login { key: Some("/${HOME}/k".into()), ..login() };
        assert!(login.words().unwrap_err().starts_with("/${HOME}/k contains"));
    }
}
