//! Which host key an SSH server shows, without logging in: the beginning of the protocol, spoken by
//! OpenSSH's own ssh-keyscan.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::process::{Tool, find};
use crate::model::ProbeState;

/// Why no host key was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    Refused,
    Unreachable(String),
    Timeout(Duration),
    /// Something answers, and it is no SSH server, or none that shows a key of this kind.
    Odd(String),
}

impl Silence {
    /// As a probe's state.
    pub fn state(&self) -> ProbeState {
        match self {
            Silence::Refused => ProbeState::Refused,
            Silence::Unreachable(_) => ProbeState::Unreachable,
            Silence::Timeout(_) => ProbeState::Timeout,
            Silence::Odd(_) => ProbeState::Failed,
        }
    }

    pub fn reason(&self) -> String {
        match self {
            Silence::Refused => "nothing listens on the SSH port".into(),
            Silence::Unreachable(why) | Silence::Odd(why) => why.clone(),
            Silence::Timeout(limit) => format!("no answer within {} s", limit.as_secs()),
        }
    }
}

/// `ssh-ed25519 AAAA…`, as a line of known_hosts has it after the name.
///
/// A connection of our own comes first: its errors tell a closed port from a machine that is gone, which
/// ssh-keyscan keeps to itself.
pub async fn host_key(address: SocketAddr, limit: Duration) -> Result<String, Silence> {
    let looked = async {
        greeting(address).await?;
        scan(address, limit).await
    };
    timeout(limit, looked).await.unwrap_or(Err(Silence::Timeout(limit)))
}

/// An SSH server speaks first (RFC 4253, 4.2).
async fn greeting(address: SocketAddr) -> Result<(), Silence> {
    let mut stream = TcpStream::connect(address).await.map_err(|e| match e.kind() {
        std::io::ErrorKind::ConnectionRefused => Silence::Refused,
        _ => Silence::Unreachable(e.to_string()),
    })?;
    let mut greeting = [0; 4];
    let read = stream.read_exact(&mut greeting).await;
    match read {
        Ok(_) if &greeting == b"SSH-" => Ok(()),
        Ok(_) => Err(Silence::Odd("a server that does not speak SSH answers there".into())),
        Err(e) => Err(Silence::Odd(format!("the connection was closed: {e}"))),
    }
}

async fn scan(address: SocketAddr, limit: Duration) -> Result<String, Silence> {
    let program = find("ssh-keyscan").ok_or_else(|| Silence::Odd("ssh-keyscan was not found on PATH".into()))?;
    let seconds = limit.as_secs().max(1).to_string();
    let words = ["-T", &seconds, "-t", "ed25519", "-p", &address.port().to_string(), &address.ip().to_string()]
        .map(str::to_owned);
    let output = Tool::new(program).args(words).output(limit).await.map_err(|e| Silence::Odd(e.to_string()))?;
    key_in(&output.stdout_text()).ok_or_else(|| Silence::Odd("it has no ed25519 host key".into()))
}

/// The key of a line `192.0.2.7 ssh-ed25519 AAAA…`; comments begin with `#`.
fn key_in(text: &str) -> Option<String> {
    let line = text.lines().find(|line| !line.starts_with('#') && line.contains(" ssh-ed25519 "))?;
    let mut words = line.split_whitespace().skip(1);
    Some(format!("{} {}", words.next()?, words.next()?))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    #[test]
    fn a_key_is_found_among_comments() {
        let text = "# 192.0.2.7:22 SSH-2.0-OpenSSH_10.0\n192.0.2.7 ssh-ed25519 AAAAC3Nz comment\n";
        assert_eq!(key_in(text).as_deref(), Some("ssh-ed25519 AAAAC3Nz"));
        assert_eq!(key_in("# nothing\n"), None);
    }

    #[tokio::test]
    async fn a_closed_port_and_a_stranger_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut tcp, _)) = listener.accept().await {
                let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            }
        });
        assert!(matches!(host_key(address, LIMIT).await, Err(Silence::Odd(_))));
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert_eq!(host_key(closed, LIMIT).await, Err(Silence::Refused));
    }

    #[tokio::test]
    async fn a_silent_machine_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limit = Duration::from_millis(100);
        assert_eq!(host_key(address, limit).await, Err(Silence::Timeout(limit)));
    }

    #[test]
    fn fuzz_ssh_keyscan() {
        let seed = "# 192.0.2.7:22 SSH-2.0-OpenSSH_10.0\n192.0.2.7 ssh-ed25519 AAAAC3Nz comment\n";
        crate::fuzz::text_target("ssh-keyscan", &[seed], |text| {
            assert!(key_in(text).is_none_or(|key| key.split(' ').count() == 2));
        });
    }
}
