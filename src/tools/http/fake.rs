//! An HTTP server for tests: a closure from the request's text to the answer's bytes.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::self_signed::self_signed;

pub(super) struct Server {
    pub(super) url: String,
    /// Every request so far: request line and headers, in lower case.
    pub(super) requests: Arc<Mutex<Vec<String>>>,
}

/// Answers each request, one a connection; the closure also gets its number, from 0.
pub(super) async fn serve(respond: impl Fn(usize, &str) -> Vec<u8> + Send + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/c4", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = requests.clone();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut request = Vec::new();
            // A TLS handshake begins with 0x16, and doesn't end like a request.
            while !request.ends_with(b"\r\n\r\n") && request.first() != Some(&0x16) {
                match tcp.read_u8().await {
                    Ok(byte) => request.push(byte),
                    Err(_) => break,
                }
            }
            let request = String::from_utf8_lossy(&request).to_lowercase();
            let number = seen.lock().unwrap().len();
            let answer = respond(number, &request);
            seen.lock().unwrap().push(request);
            let _ = tcp.write_all(&answer).await;
            let _ = tcp.shutdown().await;
            // Closing with unread bytes would reset the connection before the answer is read.
            tokio::spawn(async move { tcp.read_to_end(&mut Vec::new()).await });
        }
    });
    Server { url, requests }
}

/// A server with a certificate that nobody has signed but itself.
pub(super) async fn serve_self_signed() -> String {
    let acceptor = self_signed("localhost").acceptor;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/c4", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let _ = acceptor.accept(tcp).await;
        }
    });
    url
}

/// An answer with these headers, and with `body` as far as it goes: its length is announced as `length`.
pub(super) fn answer(status: &str, headers: &str, body: &[u8], length: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

pub(super) fn ok(body: &[u8]) -> Vec<u8> {
    answer("200 OK", "", body, body.len())
}

/// A whole file, or the part that was asked for.
pub(super) fn ranged(request: &str, headers: &str, content: &[u8]) -> Vec<u8> {
    match offset(request) {
        None => answer("200 OK", headers, content, content.len()),
        Some(from) if from >= content.len() => answer("416 Range Not Satisfiable", headers, b"", 0),
        Some(from) => {
            let range = format!("{headers}Content-Range: bytes {from}-{}/{}\r\n", content.len() - 1, content.len());
            answer("206 Partial Content", &range, &content[from..], content.len() - from)
        }
    }
}

/// Where the `Range` of a request begins.
pub(super) fn offset(request: &str) -> Option<usize> {
    let range = request.lines().find_map(|line| line.strip_prefix("range: bytes="))?;
    range.trim().trim_end_matches('-').parse().ok()
}
