//! The client against a server in this process.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::fake::{Answer, PASSWORD, USER, refusal, serve, serve_tls, table};
use super::*;
use crate::error::{Error, Result};
use crate::model::ProbeState;

/// Long enough for a busy machine; tests that reach a limit set [`SHORT`].
const LIMIT: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

async fn login(endpoint: &Endpoint) -> Result<Session> {
    Session::connect(endpoint, USER, PASSWORD, LIMIT).await
}

fn usual(_: &Value) -> Option<Answer> {
    None
}

fn is(request: &Value, command: &str) -> bool {
    request["command"] == command
}

/// A server that answers the statement with `answer`.
async fn answering(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Endpoint {
    serve(move |request| is(request, "execute").then(&answer)).await
}

async fn execute(endpoint: &Endpoint) -> Result<crate::model::SqlReport> {
    login(endpoint).await?.execute("SELECT 1").await
}

fn connection_cause(error: Error) -> String {
    match error {
        Error::SqlConnection { cause, .. } => cause,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_login_and_select_1() {
    let endpoint = serve(usual).await;
    let mut session = login(&endpoint).await.unwrap();
    assert_eq!(session.server().release_version, "2025.1.8+rehearsal");
    assert_eq!(Some(session.fingerprint()), endpoint.fingerprint.as_deref());
    let report = session.execute("SELECT 1").await.unwrap();
    assert_eq!((report.columns, report.rows), (vec!["1".to_owned()], vec![vec![json!(1)]]));
    session.close().await;
}

#[tokio::test]
async fn a_wrong_password_is_08004() {
    let endpoint = serve(usual).await;
    let error = Session::connect(&endpoint, USER, "wrong", LIMIT).await.err().unwrap();
    assert!(matches!(&error, Error::SqlConnection { code: Some(code), .. } if code == "08004"), "{error:?}");
}

#[tokio::test]
async fn a_password_has_117_bytes_at_most() {
    let endpoint = serve(usual).await;
    let of_length = |bytes| "x".repeat(bytes);
    let longest = Session::connect(&endpoint, USER, &of_length(117), LIMIT).await.err().unwrap();
    assert!(matches!(&longest, Error::SqlConnection { code: Some(_), .. }), "{longest:?}");
    let longer = Session::connect(&endpoint, USER, &of_length(118), LIMIT).await.err().unwrap();
    assert!(connection_cause(longer).contains("118 bytes"));
}

#[tokio::test]
async fn another_certificate_than_the_pinned_one_is_refused_before_the_login() {
    let asked = Arc::new(Mutex::new(0));
    let counter = asked.clone();
    let mut endpoint = serve(move |_| {
        *counter.lock().unwrap() += 1;
        None
    })
    .await;
    let shown = endpoint.fingerprint.replace("00".repeat(32));
    let error = login(&endpoint).await.err().unwrap();
    assert!(matches!(&error, Error::Fingerprint { found, .. } if Some(found) == shown.as_ref()), "{error:?}");
    assert_eq!(accepts_logins(&endpoint, LIMIT).await.state, ProbeState::IdentityMismatch);
    assert_eq!(*asked.lock().unwrap(), 0);
}

#[tokio::test]
async fn an_unpinned_endpoint_tells_its_fingerprint() {
    let mut endpoint = serve(usual).await;
    let shown = endpoint.fingerprint.take().unwrap();
    assert_eq!(fingerprint(&endpoint.host, endpoint.port, LIMIT).await.unwrap(), shown);
    assert_eq!(login(&endpoint).await.unwrap().fingerprint(), shown);
    endpoint.fingerprint = Some(shown.to_uppercase());
    login(&endpoint).await.unwrap();
}

#[tokio::test]
async fn a_refused_statement_leaves_the_session_usable() {
    let endpoint =
        serve(|request| (request["sqlText"] == "DROP").then(|| Answer::Json(refusal("42000", "syntax error")))).await;
    let mut session = login(&endpoint).await.unwrap();
    let error = session.execute("DROP").await.unwrap_err();
    assert!(matches!(&error, Error::SqlStatement { code, text } if code == "42000" && text == "syntax error"));
    session.execute("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_statement_without_rows_has_a_count() {
    let answer = json!({"status": "ok", "responseData": {"numResults": 1,
        "results": [{"resultType": "rowCount", "rowCount": 12}]}});
    let report = execute(&answering(move || Answer::Json(answer.clone())).await).await.unwrap();
    assert_eq!((report.row_count, report.rows.len()), (Some(12), 0));
}

/// Answers with a handle for 2500 rows and serves them in blocks of `block`.
async fn large(block: u64, closed: Arc<Mutex<Vec<Value>>>) -> Endpoint {
    serve(move |request| {
        if is(request, "execute") {
            let mut answer = table(&["N"], json!([]), 2500);
            answer["responseData"]["results"][0]["resultSet"]["resultSetHandle"] = json!(9);
            return Some(Answer::Json(answer));
        }
        if is(request, "fetch") {
            assert_eq!(request["resultSetHandle"], 9);
            let from = request["startPosition"].as_u64().unwrap();
            let rows: Vec<u64> = (from..(from + block).min(2500)).collect();
            let content = json!({"numRows": rows.len(), "data": [rows]});
            return Some(Answer::Json(json!({"status": "ok", "responseData": content})));
        }
        if is(request, "closeResultSet") {
            closed.lock().unwrap().push(request["resultSetHandles"].clone());
        }
        None
    })
    .await
}

#[tokio::test]
async fn a_large_result_is_fetched_in_order_and_closed() {
    let closed = Arc::new(Mutex::new(Vec::new()));
    let report = execute(&large(999, closed.clone()).await).await.unwrap();
    let expected: Vec<_> = (0..2500).map(|n| vec![json!(n)]).collect();
    assert_eq!(report.rows, expected);
    assert_eq!(*closed.lock().unwrap(), [json!([9])]);
}

#[tokio::test]
async fn a_result_that_ends_early_is_an_error() {
    let error = execute(&large(0, Arc::default()).await).await.unwrap_err();
    assert!(connection_cause(error).contains("2500 rows"));
    for (data, announced) in [(json!([[1]]), 2), (json!([[1, 2]]), 1)] {
        let endpoint = answering(move || Answer::Json(table(&["N"], data.clone(), announced))).await;
        assert!(connection_cause(execute(&endpoint).await.unwrap_err()).contains("announced"));
    }
}

#[tokio::test]
async fn fragments_pings_and_pongs_on_the_way_do_not_matter() {
    let endpoint = answering(|| {
        let text = table(&["1"], json!([[1]]), 1).to_string();
        let (start, end) = text.split_at(20);
        let part = |text: &str, code, last| Message::Frame(Frame::message(text.to_owned(), OpCode::Data(code), last));
        Answer::Raw(vec![
            Message::Pong("working".into()),
            part(start, Data::Text, false),
            Message::Ping("there?".into()),
            part(end, Data::Continue, true),
        ])
    })
    .await;
    assert_eq!(execute(&endpoint).await.unwrap().rows, [[json!(1)]]);
}

#[tokio::test]
async fn garbage_is_an_error_and_ends_the_session() {
    let garbage = [
        Message::text("not json"),
        Message::text("[]"),
        Message::text("{\"status\":\"ok\",\"responseData\":{\"results\":[]}}"),
        Message::text("{\"status\":\"ok\",\"responseData\":{\"results\":[{},{}]}}"),
        Message::text("{\"status\":\"ok\",\"responseData\":{\"results\":[{}]}}"),
        Message::text("[".repeat(100_000)),
        Message::binary(vec![0, 159, 146, 150]),
        Message::Close(None),
    ];
    for message in garbage {
        let shown = format!("{message:.60?}");
        let endpoint = answering(move || Answer::Raw(vec![message.clone()])).await;
        let mut session = login(&endpoint).await.unwrap();
        connection_cause(session.execute("SELECT 1").await.expect_err(&shown));
        let again = connection_cause(session.execute("SELECT 1").await.unwrap_err());
        assert!(again.contains("cannot be used"), "{again}");
    }
}

#[tokio::test]
async fn garbage_in_the_login_is_an_error() {
    for answer in [json!({"status": "ok", "responseData": {"publicKeyPem": "none"}}), json!({"status": "ok"}), json!(7)]
    {
        let endpoint = serve(move |request| is(request, "login").then(|| Answer::Json(answer.clone()))).await;
        connection_cause(login(&endpoint).await.err().unwrap());
    }
    let endpoint = serve(|_| Some(Answer::HangUp)).await;
    connection_cause(login(&endpoint).await.err().unwrap());
}

#[tokio::test]
async fn a_silent_server_is_given_up_at_the_limit_with_the_step() {
    let step_of = |error: Error| match error {
        Error::Timeout { last_seen: Some(seen), .. } => seen,
        other => panic!("{other:?}"),
    };
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = mute.local_addr().unwrap().port();
    let endpoint = Endpoint { host: "127.0.0.1".into(), port, fingerprint: None, tunnel: None };
    let connecting = Session::connect(&endpoint, USER, PASSWORD, SHORT).await.err().unwrap();
    assert_eq!(step_of(connecting), "waiting for the TLS handshake");
    assert_eq!(accepts_logins(&endpoint, SHORT).await.state, ProbeState::Timeout);

    let endpoint = answering(|| Answer::Silence).await;
    let mut session = login(&endpoint).await.unwrap();
    session.set_limit(SHORT);
    assert_eq!(step_of(session.execute("SELECT 1").await.unwrap_err()), "waiting for the statement's end");
    connection_cause(session.execute("SELECT 1").await.unwrap_err());
}

#[tokio::test]
async fn a_statement_that_its_caller_gave_up_leaves_no_answer_for_the_next_one() {
    let endpoint = answering(|| Answer::Silence).await;
    let mut session = login(&endpoint).await.unwrap();
    tokio::select! {
        biased;
        _ = session.execute("SELECT 1") => panic!("it was answered"),
        () = std::future::ready(()) => {}
    }
    assert!(connection_cause(session.execute("SELECT 2").await.unwrap_err()).contains("cannot be used"));
}

#[tokio::test]
async fn an_aborted_statement_is_told_to_the_server() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let commands = heard.clone();
    let endpoint = serve(move |request| {
        commands.lock().unwrap().push(request["command"].as_str().unwrap_or_default().to_owned());
        match is(request, "execute") {
            true => Some(Answer::Silence),
            // The answer to the statement, as a database gives it.
            false => is(request, "abortQuery").then(|| Answer::Json(refusal("40005", "aborted"))),
        }
    })
    .await;
    let mut session = login(&endpoint).await.unwrap();
    assert!(session.is_open());
    session.set_limit(SHORT);
    session.execute("SELECT 1").await.unwrap_err();
    assert!(!session.is_open());
    session.abort().await;
    assert_eq!(heard.lock().unwrap()[2..], ["execute", "abortQuery"]);
}

#[tokio::test]
async fn a_connection_that_was_closed_in_between_is_seen_without_asking() {
    let pinged = answering(|| {
        Answer::Raw(vec![Message::text(table(&["1"], json!([[1]]), 1).to_string()), Message::Ping("?".into())])
    })
    .await;
    let mut session = login(&pinged).await.unwrap();
    session.execute("SELECT 1").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(session.is_open());

    let closed = answering(|| {
        Answer::Raw(vec![Message::text(table(&["1"], json!([[1]]), 1).to_string()), Message::Close(None)])
    })
    .await;
    let mut session = login(&closed).await.unwrap();
    session.execute("SELECT 1").await.unwrap();
    let since = std::time::Instant::now();
    while session.is_open() {
        assert!(since.elapsed() < LIMIT);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_port_that_speaks_no_websocket_or_no_tls_is_an_error() {
    let endpoint = serve_tls(|mut tls| async move {
        let _ = tls.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
        let _ = tls.shutdown().await;
    })
    .await;
    assert!(connection_cause(login(&endpoint).await.err().unwrap()).contains("WebSocket upgrade"));
    assert_eq!(accepts_logins(&endpoint, LIMIT).await.state, ProbeState::Failed);

    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = plain.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = plain.accept().await {
            let _ = tcp.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await;
        }
    });
    let error = fingerprint("127.0.0.1", port, LIMIT).await.unwrap_err();
    assert!(connection_cause(error).contains("TLS handshake"));
}

#[tokio::test]
async fn a_closed_port_and_an_unknown_host_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut endpoint = Endpoint { host: "127.0.0.1".into(), port, fingerprint: None, tunnel: None };
    assert_eq!(accepts_logins(&endpoint, LIMIT).await.state, ProbeState::Refused);
    endpoint.host = "no-such-host.invalid".into();
    assert_eq!(accepts_logins(&endpoint, LIMIT).await.state, ProbeState::Unreachable);
}

#[tokio::test]
async fn a_refused_login_proves_readiness_and_nothing_else_does() {
    assert!(accepts_logins(&serve(usual).await, LIMIT).await.is_ok());
    let starting =
        serve(|request| (request["command"].is_null()).then(|| Answer::Json(refusal("00000", "database is starting"))))
            .await;
    let probe = accepts_logins(&starting, LIMIT).await;
    assert_eq!((probe.state, probe.reason.as_deref()), (ProbeState::Failed, Some("[00000] database is starting")));
    let open = serve(|request| request["command"].is_null().then(|| Answer::Json(json!({"status": "ok"})))).await;
    assert_eq!(accepts_logins(&open, LIMIT).await.state, ProbeState::Failed);
}

#[test]
fn an_endpoint_is_shown_as_host_and_port() {
    let endpoint = |host: &str| Endpoint { host: host.into(), port: 8563, fingerprint: None, tunnel: None }.to_string();
    assert_eq!(endpoint("10.0.0.1"), "10.0.0.1:8563");
    assert_eq!(endpoint("fe80::1"), "[fe80::1]:8563");
}
