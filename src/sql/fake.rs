//! A server for tests: real TLS, real WebSocket, a real RSA login, and answers as a test wants them.
//! The command's own tests include this file too.

use std::future::Future;
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::{SinkExt, StreamExt};
use rsa::pkcs1::EncodeRsaPublicKey;
use rsa::pkcs1::LineEnding;
use rsa::{Pkcs1v15Encrypt, RsaPrivateKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::Endpoint;
use crate::self_signed::{SelfSigned, self_signed};

pub(crate) const USER: &str = "sys";
pub(crate) const PASSWORD: &str = "\"\\$'#{{}}%{ }${} ü;1234567890";

type Socket = WebSocketStream<TlsStream<TcpStream>>;

// 1024 bits, as real servers use.
static LOGIN_KEY: LazyLock<RsaPrivateKey> =
    LazyLock::new(|| RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).unwrap());

/// What the server sends back.
pub(crate) enum Answer {
    Json(Value),
    /// These messages as they are.
    Raw(Vec<Message>),
    Silence,
    HangUp,
}

/// Starts a server whose `respond` may answer any message; where it returns None, the server
/// does what a real one does.
pub(crate) async fn serve(respond: impl Fn(&Value) -> Option<Answer> + Send + Sync + 'static) -> Endpoint {
    serve_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), respond)
}

/// As [`serve`], where somebody has chosen address and port.
pub(crate) fn serve_on(
    listener: TcpListener,
    respond: impl Fn(&Value) -> Option<Answer> + Send + Sync + 'static,
) -> Endpoint {
    let respond = Arc::new(respond);
    // Making it takes a while without optimization: longer than a first login may.
    LazyLock::force(&LOGIN_KEY);
    serve_tls_on(listener, move |tls| {
        let respond = respond.clone();
        async move {
            let Ok(mut socket) = accept_async(tls).await else { return };
            while let Some(Ok(message)) = socket.next().await {
                let Ok(text) = message.to_text() else { continue };
                let Ok(request) = serde_json::from_str(text) else { continue };
                let answer = respond(&request).unwrap_or_else(|| usual(&request));
                if !send(&mut socket, answer).await {
                    return;
                }
            }
        }
    })
}

/// Starts a server that speaks TLS and then whatever `talk` does.
pub(crate) async fn serve_tls<F>(talk: impl Fn(TlsStream<TcpStream>) -> F + Send + 'static) -> Endpoint
where
    F: Future<Output = ()> + Send + 'static,
{
    serve_tls_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), talk)
}

/// By fingerprint: certificate and key in PEM of what was served in this process.
pub(crate) static SERVED: std::sync::Mutex<std::collections::BTreeMap<String, (String, String)>> =
    std::sync::Mutex::new(std::collections::BTreeMap::new());

fn serve_tls_on<F>(listener: TcpListener, talk: impl Fn(TlsStream<TcpStream>) -> F + Send + 'static) -> Endpoint
where
    F: Future<Output = ()> + Send + 'static,
{
    let SelfSigned { acceptor, certificate, key } = self_signed("n11");
    let fingerprint: String = Sha256::digest(certificate.der()).iter().map(|byte| format!("{byte:02x}")).collect();
    let pem = (certificate.pem(), key.serialize_pem());
    SERVED.lock().unwrap().insert(fingerprint.clone(), pem);
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            if let Ok(tls) = acceptor.accept(tcp).await {
                tokio::spawn(talk(tls));
            }
        }
    });
    Endpoint { host: address.ip().to_string(), port: address.port(), fingerprint: Some(fingerprint), tunnel: None }
}

async fn send(socket: &mut Socket, answer: Answer) -> bool {
    let messages = match answer {
        Answer::Json(value) => vec![Message::text(value.to_string())],
        Answer::Raw(messages) => messages,
        Answer::Silence => Vec::new(),
        Answer::HangUp => return false,
    };
    for message in messages {
        if socket.send(message).await.is_err() {
            return false;
        }
    }
    true
}

fn usual(request: &Value) -> Answer {
    Answer::Json(match request["command"].as_str() {
        Some("login") => {
            let pem = LOGIN_KEY.to_public_key().to_pkcs1_pem(LineEnding::LF).unwrap();
            json!({"status": "ok", "responseData": {"publicKeyPem": pem}})
        }
        Some("execute") => table(&["1"], json!([[1]]), 1),
        Some(_) => json!({"status": "ok"}),
        None if admitted(request) => json!({"status": "ok", "responseData": {
            "sessionId": 77, "protocolVersion": 3, "releaseVersion": "2025.1.8+rehearsal",
            "databaseName": "Exasol", "productName": "rehearsal: no database", "timeZone": "UTC"}}),
        None => refusal("08004", "Connection exception - authentication failed."),
    })
}

fn admitted(credentials: &Value) -> bool {
    let sealed = BASE64.decode(credentials["password"].as_str().unwrap()).unwrap();
    let password = LOGIN_KEY.decrypt(Pkcs1v15Encrypt, &sealed).unwrap();
    credentials["username"] == USER && password == PASSWORD.as_bytes()
}

pub(crate) fn refusal(code: &str, text: &str) -> Value {
    json!({"status": "error", "exception": {"text": text, "sqlCode": code}})
}

/// The answer to a statement with rows: `data` column by column.
pub(crate) fn table(columns: &[&str], data: Value, num_rows: u64) -> Value {
    let columns: Vec<_> = columns.iter().map(|name| json!({"name": name, "dataType": {"type": "DECIMAL"}})).collect();
    json!({"status": "ok", "responseData": {"numResults": 1, "results": [{"resultType": "resultSet", "resultSet": {
        "numColumns": columns.len(), "numRows": num_rows, "columns": columns, "data": data}}]}})
}
