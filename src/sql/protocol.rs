//! The messages: what we send, and what an answer looks like around its content.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::fault::Fault;
use crate::model::parse_error;

/// The version that is asked for. Later ones bring nothing that is used here.
pub(super) const PROTOCOL_VERSION: u8 = 3;

/// How much of a server's text is repeated in an error, in characters.
const SHOWN: usize = 4000;

#[derive(Debug, Serialize)]
#[serde(tag = "command", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Call<'a> {
    Login {
        protocol_version: u8,
    },
    Execute {
        sql_text: &'a str,
    },
    Fetch {
        result_set_handle: i64,
        start_position: u64,
        num_bytes: u64,
    },
    CloseResultSet {
        result_set_handles: [i64; 1],
    },
    /// Ends the statement that runs. The one request that is sent while an answer is due, and the
    /// one without an answer of its own.
    AbortQuery,
    Disconnect,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    status: String,
    #[serde(rename = "responseData", borrow)]
    content: Option<&'a RawValue>,
    exception: Option<Exception>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Exception {
    text: String,
    sql_code: String,
}

/// The content of an answer that says "ok"; a missing content is an empty one.
pub(super) fn content<T: DeserializeOwned>(answer: &str) -> Result<T, Fault> {
    let raw = accepted(answer)?.map_or("{}", RawValue::get);
    serde_json::from_str(raw).map_err(|error| garbage(answer, &error))
}

/// Checks that the answer says "ok", whatever its content.
pub(super) fn accepted(answer: &str) -> Result<Option<&RawValue>, Fault> {
    let envelope: Envelope<'_> = serde_json::from_str(answer).map_err(|error| garbage(answer, &error))?;
    if envelope.status == "ok" {
        return Ok(envelope.content);
    }
    let exception = envelope.exception.unwrap_or_default();
    // The documentation's own code for "no code is known".
    let code = if exception.sql_code.is_empty() { "00000" } else { &exception.sql_code };
    Err(Fault::Answered { code: printable(code), text: printable(&exception.text) })
}

fn garbage(answer: &str, error: &serde_json::Error) -> Fault {
    let beginning: String = answer.chars().take(80).collect();
    let error = printable(&parse_error(error));
    Fault::Broken(format!("not an answer of the SQL protocol ({error}): {}", printable(&beginning)))
}

/// A server's text as it may be shown: shortened, and without characters that steer a terminal.
pub(super) fn printable(text: &str) -> String {
    let clean = |c: char| if c.is_control() && c != '\n' && c != '\t' { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(SHOWN).map(clean).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_have_the_documented_form() {
        let json = |command: Call<'_>| serde_json::to_string(&command).unwrap();
        assert_eq!(json(Call::Login { protocol_version: 3 }), r#"{"command":"login","protocolVersion":3}"#);
        assert_eq!(json(Call::Execute { sql_text: "SELECT 1" }), r#"{"command":"execute","sqlText":"SELECT 1"}"#);
        assert_eq!(
            json(Call::Fetch { result_set_handle: 7, start_position: 1000, num_bytes: 5 }),
            r#"{"command":"fetch","resultSetHandle":7,"startPosition":1000,"numBytes":5}"#
        );
        assert_eq!(
            json(Call::CloseResultSet { result_set_handles: [7] }),
            r#"{"command":"closeResultSet","resultSetHandles":[7]}"#
        );
        assert_eq!(json(Call::Disconnect), r#"{"command":"disconnect"}"#);
    }

    #[test]
    fn a_refusal_has_code_and_text() {
        let answer = r#"{"status":"error","exception":{"text":"authentication failed.","sqlCode":"08004"}}"#;
        let expected = Fault::Answered { code: "08004".into(), text: "authentication failed.".into() };
        assert_eq!(accepted(answer).unwrap_err(), expected);
        let bare = Fault::Answered { code: "00000".into(), text: String::new() };
        assert_eq!(accepted(r#"{"status":"error"}"#).unwrap_err(), bare);
    }

    #[test]
    fn an_ok_without_content_is_an_empty_content() {
        assert!(
            content::<serde_json::Map<_, _>>(r#"{"status":"ok","attributes":{"autocommit":true}}"#).unwrap().is_empty()
        );
    }

    #[test]
    fn a_servers_text_cannot_steer_the_terminal() {
        let answer = r#"{"status":"error","exception":{"text":"\u001b[2Jgone","sqlCode":"\u000742000"}}"#;
        let Err(Fault::Answered { code, text }) = accepted(answer) else { panic!() };
        assert_eq!((code.as_str(), text.as_str()), ("\u{fffd}42000", "\u{fffd}[2Jgone"));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(answer in "\\PC{0,60}") {
            prop_assert!(accepted(&answer).is_err());
        }
    }
}
