//! Pure: known secrets are taken out of a text, in every form in which one may stand there.

use std::collections::BTreeSet;

use super::{forms, patterns};

/// Shorter forms than this are taken out only where they stand alone: `a1` is in every word.
const ALONE_BELOW: usize = 6;
/// A form of this length may be broken over lines: a PEM block, base64 in a mail or on a console.
const WRAPPED_FROM: usize = 12;

/// Names and values, ready to be found.
pub(in crate::ops) struct Masks {
    needles: Vec<Needle>,
    /// By the first two bytes: the needles that begin with them, longest first.
    starts: Vec<Vec<u32>>,
}

struct Needle {
    bytes: Vec<u8>,
    name: String,
    /// With what touches it: the rest of a text in base64 that has a secret in it says too much.
    whole_run: bool,
}

impl Masks {
    /// `secrets`: what each is called, and its value.
    pub fn new(secrets: &[(String, String)]) -> Masks {
        let mut needles = Vec::new();
        let mut seen = BTreeSet::new();
        for (name, value) in secrets {
            for form in forms::of(value) {
                if seen.insert(form.bytes.clone()) {
                    needles.push(Needle { bytes: form.bytes, name: name.clone(), whole_run: form.within_base64 });
                }
            }
        }
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.bytes.len()));
        let mut starts = vec![Vec::new(); 1 << 16];
        for (index, needle) in needles.iter().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            match needle.bytes.as_slice() {
                [] => {}
                // Whatever follows.
                [one] => (0..=255).for_each(|next| starts[pair(*one, next)].push(index)),
                [one, two, ..] => starts[pair(*one, *two)].push(index),
            }
        }
        Masks { needles, starts }
    }

    /// The text without known secrets and without what has a secret's form.
    pub fn clean(&self, text: &[u8]) -> Vec<u8> {
        patterns::clean(&self.known(text))
    }

    fn known(&self, text: &[u8]) -> Vec<u8> {
        let mut clean = Vec::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            let next = text.get(at + 1).copied().unwrap_or(0);
            let candidates = self.starts[pair(text[at], next)].iter();
            let found = candidates.map(|index| &self.needles[*index as usize]).find_map(|needle| {
                let end = end_of(text, at, &needle.bytes)?;
                let alone = needle.bytes.len() >= ALONE_BELOW || stands_alone(text, at, end);
                alone.then_some((needle, end))
            });
            match found {
                None => {
                    clean.push(text[at]);
                    at += 1;
                }
                Some((needle, mut end)) => {
                    if needle.whole_run {
                        while clean.last().copied().is_some_and(in_base64) {
                            clean.pop();
                        }
                        end += text[end..].iter().take_while(|byte| in_base64(**byte)).count();
                    }
                    clean.extend(format!("[masked: {}]", needle.name).bytes());
                    at = end;
                }
            }
        }
        clean
    }
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

fn in_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=_-%".contains(&byte)
}

fn stands_alone(text: &[u8], from: usize, to: usize) -> bool {
    let word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let begins = from == 0 || !word(text.get(from - 1));
    begins && !word(text.get(to))
}

/// Where `needle` ends if it begins at `from`; line breaks within a long one are passed over.
fn end_of(text: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    let mut at = from;
    for (index, wanted) in needle.iter().enumerate() {
        while text.get(at) != Some(wanted) {
            if index == 0 || needle.len() < WRAPPED_FROM {
                return None;
            }
            at += line_break(text.get(at..)?)?;
        }
        at += 1;
    }
    Some(at)
}

/// The length of a line break at the beginning, as it is or escaped, with the next line's indentation.
fn line_break(text: &[u8]) -> Option<usize> {
    let ends: [&[u8]; 6] = [b"\r\n", b"\n", b"\r", b"\\r\\n", b"\\n", b"\\\\n"];
    let end = ends.iter().find(|end| text.starts_with(end))?.len();
    Some(end + text[end..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    fn clean(secret: &str, text: &str) -> String {
        let masks = Masks::new(&[("db_password".into(), secret.into())]);
        String::from_utf8(masks.clean(text.as_bytes())).unwrap()
    }

    #[test]
    fn what_is_left_says_which_secret_it_was() {
        assert_eq!(clean("s3cretPw", "login as sys/s3cretPw ended"), "login as sys/[masked: db_password] ended");
    }

    #[test]
    fn a_short_one_is_taken_out_only_where_it_stands_alone() {
        assert_eq!(clean("a1", "a1 n11=a1, ba1 a12"), "[masked: db_password] n11=[masked: db_password], ba1 a12");
        assert_eq!(clean("x", "x=x box x"), "[masked: db_password]=[masked: db_password] box [masked: db_password]");
    }

    #[test]
    fn no_form_of_a_hostile_password_is_left() {
        let secret = r#"it's "$5" \ <a&b> é% Xq9"#;
        let json = serde_json::to_string(secret).unwrap();
        let twice = serde_json::to_string(&json).unwrap();
        let ascii = json.replace('é', "\\u00e9");
        let go = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
        let url = "it%27s%20%22%245%22%20%5C%20%3Ca%26b%3E%20%C3%A9%25%20Xq9";
        let plus = url.replace("%20", "+");
        let shell = secret.replace('\'', r"'\''");
        let python = secret.replace('\'', r#"'"'"'"#);
        let xml = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        let sql = secret.replace('"', "\"\"");
        let yaml = secret.replace('\'', "''");
        let base64 = STANDARD.encode(secret);
        let pair = STANDARD.encode(format!("sys:{secret}\n"));
        let later = URL_SAFE.encode(format!("user=ab&x={secret}&then"));
        let lower = url.to_lowercase().replace("xq9", "Xq9");
        let all = [
            &json, &twice, &ascii, &go, url, &plus, &shell, &python, &xml, &sql, &yaml, &base64, &pair, &later, &lower,
        ];
        for form in all {
            let shown = clean(secret, &format!("before {form} after"));
            assert!(shown.contains("[masked: db_password]"), "{form} stayed: {shown}");
            assert!(!shown.contains("Xq9") && !shown.contains("X-q9"), "{form} stayed: {shown}");
        }
        for text in [&base64, &pair, &later] {
            assert_eq!(clean(secret, text), "[masked: db_password]", "nothing of the run around it is left");
        }
    }

    #[test]
    fn a_key_broken_into_lines_is_found_in_any_width() {
        let secret = "QWxhZGRpbjpvcGVuIHNlc2FtZSBhbmQgbW9yZQ1234567890";
        let broken: String =
            secret.as_bytes().chunks(10).map(|c| format!("{}\r\n    ", String::from_utf8_lossy(c))).collect();
        assert_eq!(clean(secret, &broken).trim(), "[masked: db_password]");
        let escaped = broken.replace("\r\n    ", "\\n");
        assert_eq!(clean(secret, &escaped), "[masked: db_password]\\n");
    }

    proptest! {
        #[test]
        fn any_secret_of_some_length_is_taken_out(secret in "[!-~]{8,40}", before in "[ -~]{0,9}", after in "[ -~]{0,9}") {
            for form in [secret.clone(), STANDARD.encode(format!("{before}{secret}{after}"))] {
                let shown = clean(&secret, &format!("{before} {form} {after}"));
                prop_assert!(!shown.contains(&form), "{}", shown);
            }
        }

        #[test]
        fn any_bytes_are_taken(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            Masks::new(&[("a".into(), "b".into()), ("c".into(), "hunter22".into())]).clean(&text);
        }
    }

    #[test]
    fn fuzz_what_support_sends() {
        let seed = "password=hunter22\nCCC_PLAY_DB_PASSWORD='it'\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n\
            {\"db_password\": \"hunter22\", \"a\": \"aHVudGVyMjI=\"}\nAuthorization: Bearer abc\nhttps://u:p@h/\n";
        let masks = Masks::new(&[("a".into(), "b".into()), ("c".into(), "hunter22".into())]);
        crate::fuzz::target("redaction", &[seed.as_bytes()], move |bytes| {
            let clean = masks.clean(bytes);
            assert!(!clean.windows(8).any(|part| part == b"hunter22"));
        });
    }
}
