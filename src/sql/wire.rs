//! The connection: one JSON object out, one JSON object back, each within the deadline.

use futures_util::{FutureExt, SinkExt, StreamExt};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::deadline::Deadline;
use super::fault::Fault;
use super::tls;
use super::{Endpoint, Stream};

/// What one message may have: the server's own limit (`maxDataMessageSize`).
const MESSAGE_MAX_BYTES: usize = 64 << 20;

pub(super) struct Wire {
    socket: WebSocketStream<TlsStream<Box<dyn Stream>>>,
    /// Of the certificate that the server has shown.
    pub(super) fingerprint: String,
}

impl Wire {
    /// TCP or a tunnel, TLS, WebSocket upgrade.
    pub(super) async fn open(endpoint: &Endpoint, deadline: &Deadline) -> Result<Self, Fault> {
        let (stream, fingerprint) = secured(endpoint, deadline).await?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_MAX_BYTES))
            .max_frame_size(Some(MESSAGE_MAX_BYTES));
        let upgrade = async {
            client_async_with_config(format!("wss://{endpoint}/"), stream, Some(config))
                .await
                .map_err(|error| Fault::Broken(format!("WebSocket upgrade: {error}")))
        };
        let (socket, _) = deadline.bound("the WebSocket upgrade", upgrade).await?;
        Ok(Self { socket, fingerprint })
    }

    /// Sends one request and returns the text of its answer.
    pub(super) async fn ask(
        &mut self,
        request: &impl Serialize,
        step: &'static str,
        deadline: &Deadline,
    ) -> Result<Utf8Bytes, Fault> {
        let text = serde_json::to_string(request).map_err(|error| Fault::Broken(error.to_string()))?;
        let exchange = async {
            self.socket.send(Message::text(text)).await.map_err(broken)?;
            self.receive().await
        };
        deadline.bound(step, exchange).await
    }

    /// False once the other side has said goodbye or has gone. Between questions it has nothing to
    /// say but pings, so anything else ends the connection too.
    pub(super) fn is_open(&mut self) -> bool {
        loop {
            match self.socket.next().now_or_never() {
                None => return true,
                Some(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
                Some(_) => return false,
            }
        }
    }

    /// Says that no more will come. The other side may be gone already: that is just as well.
    pub(super) async fn close(mut self, deadline: &Deadline) {
        let closing = async { self.socket.close(None).await.map_err(broken) };
        let _ = deadline.bound("the end of the connection", closing).await;
    }

    async fn receive(&mut self) -> Result<Utf8Bytes, Fault> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                // Pings are answered by the library; Pongs are the server's sign of life while a
                // statement runs.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Binary(_) | Message::Frame(_))) => {
                    return Err(Fault::Broken("the server sent binary data where text was due".into()));
                }
                Some(Ok(Message::Close(frame))) => return Err(Fault::Broken(closed(frame.as_ref()))),
                Some(Err(error)) => return Err(broken(error)),
                None => return Err(Fault::Broken(closed(None))),
            }
        }
    }
}

/// TCP, or what is there instead, and TLS: all that is needed to see a certificate.
pub(super) async fn secured(
    endpoint: &Endpoint,
    deadline: &Deadline,
) -> Result<(TlsStream<Box<dyn Stream>>, String), Fault> {
    let connecting = async {
        let stream: Box<dyn Stream> = match &endpoint.tunnel {
            Some(tunnel) => tunnel.open()?,
            None => Box::new(TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?),
        };
        Ok(stream)
    };
    let stream = deadline.bound("the TCP connection", connecting).await?;
    deadline.bound("the TLS handshake", tls::handshake(stream, endpoint)).await
}

fn closed(frame: Option<&tungstenite::protocol::CloseFrame>) -> String {
    match frame {
        Some(frame) if !frame.reason.is_empty() => {
            format!("the server closed the connection: {}", super::protocol::printable(&frame.reason))
        }
        _ => "the server closed the connection".to_owned(),
    }
}

fn broken(error: tungstenite::Error) -> Fault {
    Fault::Broken(format!("the connection broke: {error}"))
}
