use std::net::IpAddr;
use std::path::PathBuf;

use reqwest::Url;

use crate::error::{Error, Result};
pub(super) use crate::model::shown_address as shown;

/// Where a file is.
#[derive(Debug, Clone)]
pub(super) enum Address {
    Local(PathBuf),
    Remote(Url),
}

impl Address {
    /// Plain http is for files whose content is `checked`, and for servers on this machine.
    pub(super) fn parse(url: &str, checked: bool) -> Result<Self> {
        let refuse = |cause: String, hint: Option<&str>| {
            Err(Error::Download { url: shown(url), cause, hint: hint.map(str::to_owned) })
        };
        let parsed = match Url::parse(url) {
            Ok(parsed) => parsed,
            Err(error) => return refuse(format!("it is not a URL: {error}"), None),
        };
        match parsed.scheme() {
            "https" => Ok(Address::Remote(parsed)),
            "http" if checked || is_loopback(&parsed) => Ok(Address::Remote(parsed)),
            "http" => refuse("http without a checksum is not safe".into(), Some("use https, or give the SHA-256")),
            "file" => match parsed.to_file_path() {
                Ok(path) => Ok(Address::Local(path)),
                Err(()) => refuse("a file address needs an absolute path: file:///…".into(), None),
            },
            other => refuse(format!("'{other}' addresses are not supported"), Some("use https:// or file://")),
        }
    }

    pub(super) fn is_remote(&self) -> bool {
        matches!(self, Address::Remote(_))
    }

    pub(super) fn shown(&self) -> String {
        match self {
            Address::Local(path) => path.display().to_string(),
            Address::Remote(url) => shown(url.as_str()),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']')) {
        Some("localhost") => true,
        Some(host) => host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_checked_files_and_for_this_machine() {
        let accepted = |url, checked| Address::parse(url, checked).is_ok();
        assert!(accepted("http://example.com/c4", true) && !accepted("http://example.com/c4", false));
        assert!(accepted("http://localhost:1/c4", false) && accepted("http://[::1]/c4", false));
        assert!(!accepted("http://localhost.example.com/c4", false));
        assert!(accepted("https://example.com/c4", false) && accepted("file:///srv/c4", false));
        for wrong in ["c4", "/srv/c4", "ftp://example.com/c4", "file://host/c4", ""] {
            assert!(!accepted(wrong, true), "{wrong}");
        }
    }
}
