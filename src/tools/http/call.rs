//! Calls of a cloud's API: small, with JSON for an answer.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;

use super::address::{Address, shown};
use super::remote;
use super::retry::{Patience, Trouble};
use crate::error::{Error, Result};
use crate::model::{Body, HttpCall, Method};
use crate::signal::Interrupt;

/// From the connection to the answer's last byte.
const CALL_LIMIT: Duration = Duration::from_secs(60);
/// A machine's description has some kilobytes.
const ANSWER_MAX_BYTES: usize = 1 << 20;
/// A cloud says in its answer why it refuses; more than this is no reason any more.
const REASON_MAX: usize = 300;
/// Another action on the machine still runs: each of the clouds has its own number for it.
const BUSY: [StatusCode; 3] = [StatusCode::LOCKED, StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY];

const GONE: [StatusCode; 2] = [StatusCode::NOT_FOUND, StatusCode::GONE];

/// Sends a call with `Authorization: Bearer TOKEN`; null for an empty answer, and for something that
/// was asked for and is not there. What may be tried again is tried again a few times.
///
/// # Errors
/// [`Error::Api`] with the cloud's own words; [`Error::Interrupted`].
pub async fn call(call: &HttpCall, token: Option<&str>, interrupt: &Interrupt) -> Result<Value> {
    call_with(Patience::new(5, Duration::from_secs(1)), call, token, interrupt).await
}

pub(super) async fn call_with(
    mut patience: Patience,
    call: &HttpCall,
    token: Option<&str>,
    interrupt: &Interrupt,
) -> Result<Value> {
    let failed = |cause: String, hint: Option<String>| {
        let method = match call.method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        Error::Api { call: format!("{method} {}", shown(&call.url)), cause, hint }
    };
    let Ok(Address::Remote(url)) = Address::parse(&call.url, false) else {
        return Err(failed("only https is accepted".into(), None));
    };
    let client = match remote::client() {
        Ok(client) => client,
        Err(Trouble::Permanent { cause, hint }) => return Err(failed(cause, hint)),
        Err(_) => return Err(failed("TLS cannot be set up".into(), None)),
    };
    loop {
        match interrupt.run(send(&client, call, &url, token)).await? {
            Ok(answer) => return Ok(answer),
            Err(trouble) => match patience.after(trouble, 0, &shown(&call.url), &mut |_| {}, interrupt).await {
                Err(Error::Download { cause, hint, .. }) => return Err(failed(cause, hint)),
                other => other?,
            },
        }
    }
}

async fn send(client: &Client, call: &HttpCall, url: &reqwest::Url, token: Option<&str>) -> Result<Value, Trouble> {
    let mut request = match call.method {
        Method::Get => client.get(url.clone()),
        Method::Post => client.post(url.clone()),
    };
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    request = match &call.body {
        // Said by nobody else, and Azure refuses a POST that does not say it (411).
        Body::Empty if call.method == Method::Post => request.header(CONTENT_LENGTH, 0),
        Body::Empty => request,
        Body::Json(value) => request.header(CONTENT_TYPE, "application/json").body(value.to_string()),
        Body::Form(fields) => request.form(fields),
    };
    let response = request.timeout(CALL_LIMIT).send().await.map_err(|error| remote::trouble(&error))?;
    tracing::debug!(method = ?call.method, url = shown(&call.url), status = response.status().as_u16(), "HTTP answer");
    if call.method == Method::Get && GONE.contains(&response.status()) {
        return Ok(Value::Null);
    }
    answer(response).await
}

async fn answer(mut response: Response) -> Result<Value, Trouble> {
    let status = response.status();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| remote::trouble(&error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ANSWER_MAX_BYTES {
            return Err(Trouble::permanent(format!("its answer is larger than {ANSWER_MAX_BYTES} bytes")));
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    if status.is_success() {
        return match text.trim() {
            "" => Ok(Value::Null),
            text => serde_json::from_str(text).map_err(|e| Trouble::permanent(format!("its answer is not JSON: {e}"))),
        };
    }
    let cause = |cause: String| match reason(&text) {
        Some(reason) => format!("{cause}: {reason}"),
        None => cause,
    };
    match remote::refused(status) {
        Trouble::Transient(why) => Err(Trouble::Transient(cause(why))),
        Trouble::Permanent { cause: why, .. } if BUSY.contains(&status) => Err(Trouble::Transient(cause(why))),
        Trouble::Permanent { cause: why, hint } => Err(Trouble::Permanent { cause: cause(why), hint }),
        ours => Err(ours),
    }
}

/// `{"error": {"message": …}}`, `{"message": …}`, or the text itself.
fn reason(text: &str) -> Option<String> {
    let json: Option<Value> = serde_json::from_str(text).ok();
    let named = |pointer| json.as_ref().and_then(|j| j.pointer(pointer)?.as_str());
    let said = ["/error/message", "/error_description", "/message", "/error"].into_iter().find_map(named);
    let text: String = said.unwrap_or(text).trim().chars().take(REASON_MAX).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::sync::PoisonError;

    use super::super::fake::{Server, answer as answered, ok, serve};
    use super::*;

    async fn sent(server: &Server, body: Body) -> Result<Value> {
        let call = HttpCall::post(&server.url, body);
        call_with(Patience::new(3, Duration::ZERO), &call, Some("hunter2"), &Interrupt::never()).await
    }

    fn seen(server: &Server) -> Vec<String> {
        server.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    #[tokio::test]
    async fn a_call_carries_its_token_and_body() {
        let server = serve(|_, _| ok(b"{\"a\": 1}")).await;
        let json = Body::Json(serde_json::json!({"type": "power_off"}));
        assert_eq!(sent(&server, json).await.unwrap()["a"], 1);
        let request = &seen(&server)[0];
        assert!(request.starts_with("post /c4"), "{request}");
        assert!(
            request.contains("authorization: bearer hunter2") && request.contains("content-type: application/json")
        );
    }

    #[tokio::test]
    async fn an_answer_that_does_not_end_is_given_up() {
        let server = serve(|_, _| ok(&vec![b' '; ANSWER_MAX_BYTES + 1])).await;
        let error = sent(&server, Body::Empty).await.unwrap_err();
        assert!(error.to_string().contains("its answer is larger than 1048576 bytes"), "{error}");
    }

    #[tokio::test]
    async fn what_is_not_there_is_no_error_of_a_question() {
        let server = serve(|_, _| answered("404 Not Found", "", b"{}", 2)).await;
        let ask = HttpCall::get(&server.url);
        let answer = call_with(Patience::new(3, Duration::ZERO), &ask, Some("hunter2"), &Interrupt::never()).await;
        assert_eq!(answer.unwrap(), Value::Null);
        assert!(sent(&server, Body::Empty).await.unwrap_err().to_string().contains("404"));
    }

    /// A log in memory.
    #[derive(Clone, Default)]
    struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn an_attempt_that_is_made_again_logs_no_secret_of_the_address() {
        let log = Log::default();
        let to = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(move || to.clone());
        let _logging = tracing::subscriber::set_default(subscriber.finish());
        let server = serve(|n, _| if n == 0 { answered("503 Busy", "", b"", 0) } else { ok(b"") }).await;
        let ask = HttpCall::get(format!("{}?sig=hunter2", server.url));
        call_with(Patience::new(3, Duration::ZERO), &ask, None, &Interrupt::never()).await.unwrap();
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(log.contains("trying again") && !log.contains("hunter2"), "{log}");
    }

    #[tokio::test]
    async fn a_busy_machine_is_asked_again_and_a_refusal_is_not() {
        let busy = serve(|n, _| match n {
            0 => answered("423 Locked", "", b"{\"error\": {\"message\": \"locked\"}}", 32),
            _ => ok(b""),
        })
        .await;
        assert_eq!(sent(&busy, Body::Empty).await.unwrap(), Value::Null);
        assert_eq!(seen(&busy).len(), 2);
        assert!(seen(&busy)[0].contains("content-length: 0"), "{}", seen(&busy)[0]);
        let body = b"{\"error\": {\"message\": \"token has read only\"}}";
        let refusing = serve(|_, _| answered("403 Forbidden", "", body, body.len())).await;
        let error = sent(&refusing, Body::Empty).await.unwrap_err();
        assert!(error.to_string().contains("403 Forbidden: token has read only"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
        assert_eq!(seen(&refusing).len(), 1);
    }

    #[test]
    fn fuzz_http_reasons() {
        let seeds =
            [r#"{"error": {"message": "no such server", "code": "not_found"}}"#, r#"{"message": "no"}"#, "<html>"];
        crate::fuzz::text_target("http-reasons", &seeds, |text| {
            assert!(reason(text).is_none_or(|reason| reason.chars().count() <= REASON_MAX));
        });
    }
}
