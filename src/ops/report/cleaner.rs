use console::strip_ansi_codes;
use serde::Serialize;
use serde_json::Value;

use super::super::redaction::Masks;
use crate::model::is_harmful;

/// Takes secrets out as `support` does it, and makes characters that act visible.
pub(super) struct Cleaner(Masks);

impl Cleaner {
    /// `secrets`: what each is called, and its value.
    pub fn new(secrets: &[(String, String)]) -> Cleaner {
        Cleaner(Masks::new(secrets))
    }

    pub fn text(&self, raw: &str) -> String {
        plain(&String::from_utf8_lossy(&self.0.clean(raw.as_bytes())))
    }

    /// Lines that a program or a machine printed.
    pub fn lines(&self, raw: &[u8]) -> Vec<String> {
        plain(&String::from_utf8_lossy(&self.0.clean(raw))).lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// A JSON text, cleaned before anything is taken out of it: names of fields tell secrets. Then every
    /// text in it once more, without the quoting. None: it is no JSON, or was one only with the secret.
    pub fn json(&self, raw: &[u8]) -> Option<Value> {
        let mut value = serde_json::from_slice(&self.0.clean(raw)).ok()?;
        self.texts(&mut value);
        Some(value)
    }

    /// As [`Cleaner::json`], of a value; null where nothing is left.
    pub fn value(&self, value: &impl Serialize) -> Value {
        serde_json::to_vec(value).ok().and_then(|text| self.json(&text)).unwrap_or_default()
    }

    fn texts(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(all) => all.iter_mut().for_each(|value| self.texts(value)),
            Value::Object(all) => {
                let cleaned = std::mem::take(all).into_iter().map(|(name, mut value)| {
                    self.texts(&mut value);
                    (self.text(&name), value)
                });
                *all = cleaned.collect();
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Without colors; lines stay lines; what else acts instead of showing is shown as `\u{1b}`.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in strip_ansi_codes(text).chars() {
        match c {
            '\n' => plain.push(c),
            '\r' => {}
            '\t' => plain.push_str("    "),
            c if is_harmful(c) => plain.extend(c.escape_default()),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn cleaner() -> Cleaner {
        Cleaner::new(&[("db_password".to_owned(), "it's \"Q7x\" <&>".to_owned())])
    }

    #[test]
    fn secrets_are_found_by_value_and_by_the_names_of_fields() {
        let value = json!({"message": "login with it's \"Q7x\" <&> failed", "api_token": "abcdef", "n": {"k": ["it's \"Q7x\" <&>"]}});
        let clean = cleaner().value(&value);
        assert_eq!(clean["message"], "login with [masked: db_password] failed");
        assert_eq!(clean["api_token"], "[masked]");
        assert_eq!(clean["n"]["k"][0], "[masked: db_password]");
    }

    #[test]
    fn what_acts_is_shown() {
        assert_eq!(cleaner().text("\u{1b}[1;31mred\u{1b}[0m\r\n\tn11\u{202e}\u{7}"), "red\n    n11\\u{202e}\\u{7}");
        assert_eq!(cleaner().lines(b"one  \r\ntwo\xff"), ["one", "two\u{fffd}"]);
    }

    #[test]
    fn what_is_no_json_is_nothing() {
        assert_eq!(cleaner().json(b"{\"a\": "), None);
    }

    proptest! {
        #[test]
        fn nothing_that_acts_is_left(text: String) {
            let clean = cleaner().value(&json!({ (text.as_str()): text }));
            for (name, value) in clean.as_object().into_iter().flatten() {
                let shown = format!("{name}{}", value.as_str().unwrap_or_default());
                prop_assert!(!shown.chars().any(|c| c != '\n' && is_harmful(c)), "{shown:?}");
            }
        }
    }
}
