//! Pure: the forms in which a value stands in texts that shells, JSON, XML, YAML, SQL and URLs are
//! written in, and in base64 wherever it begins there.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// A line of a key or a certificate is long; what is shorter says nothing alone.
const LINE_FROM: usize = 12;
/// What is left of a shorter value within base64 would be found in any text.
const WITHIN_BASE64_FROM: usize = 6;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Form {
    pub bytes: Vec<u8>,
    /// It is a part of something longer in base64.
    pub within_base64: bool,
}

/// All of them. Each line of a value with several is a secret of its own: logs break them up.
pub(super) fn of(value: &str) -> BTreeSet<Form> {
    let mut forms = BTreeSet::new();
    let lines = value.lines().map(str::trim).filter(|line| line.len() >= LINE_FROM && !line.starts_with("-----"));
    for part in [value, value.trim_end()].into_iter().chain(lines).filter(|part| !part.is_empty()) {
        of_part(part, &mut forms);
    }
    forms
}

fn of_part(part: &str, forms: &mut BTreeSet<Form>) {
    let mut plain = BTreeSet::from([part.to_owned()]);
    plain.extend(shell(part));
    plain.extend(marked_up(part));
    plain.extend(percent(part));
    // A program's JSON is quoted in another's, and that one in an event.
    for _ in 0..3 {
        let quoted: Vec<_> = plain.iter().flat_map(|form| json(form)).collect();
        plain.extend(quoted);
    }
    plain.extend([hex(part, false), hex(part, true), STANDARD.encode(part), URL_SAFE.encode(part)]);
    forms.extend(plain.into_iter().map(|text| Form { bytes: text.into_bytes(), within_base64: false }));
    if part.len() >= WITHIN_BASE64_FROM {
        let within = (0..3).flat_map(|offset| within_base64(part, offset));
        forms.extend(within.map(|bytes| Form { bytes, within_base64: true }));
    }
}

fn shell(part: &str) -> Vec<String> {
    let escaped = |special: &str| {
        part.chars().flat_map(|c| special.contains(c).then_some('\\').into_iter().chain([c])).collect::<String>()
    };
    vec![
        part.replace('\'', r"'\''"),
        part.replace('\'', r#"'"'"'"#),
        escaped("\"\\$`"),
        escaped(" \t\"'\\$`!#&*()<>|;?[]{}~^="),
    ]
}

fn marked_up(part: &str) -> Vec<String> {
    let less = part.replace('&', "&amp;").replace('<', "&lt;");
    let quotes = [
        ("&quot;", "&apos;"),
        ("&quot;", "&#39;"),
        ("&quot;", "&#x27;"),
        ("&#34;", "&#39;"),
        ("\"", "&apos;"),
        ("&quot;", "'"),
        ("\"", "'"),
    ];
    let mut forms = Vec::new();
    for xml in [less.replace('>', "&gt;"), less] {
        forms.extend(quotes.iter().map(|(double, single)| xml.replace('"', double).replace('\'', single)));
    }
    // YAML's and SQL's own.
    forms.extend([part.replace('\'', "''"), part.replace('"', "\"\"")]);
    forms
}

/// As serde has it, as Python has it (ASCII alone) and as Go has it (safe in HTML).
fn json(part: &str) -> Vec<String> {
    let quoted = serde_json::to_string(part).unwrap_or_default();
    let plain = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned();
    let mut ascii = String::new();
    for c in plain.chars() {
        match c.is_ascii() {
            true => ascii.push(c),
            false => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| ascii += &format!("\\u{unit:04x}")),
        }
    }
    let go = plain.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let slashes = plain.replace('/', "\\/");
    vec![plain, ascii, go, slashes]
}

fn percent(part: &str) -> Vec<String> {
    let encode = |kept: &str, upper: bool| {
        part.bytes().fold(String::new(), |text, byte| {
            let c = char::from(byte);
            match byte.is_ascii_alphanumeric() || kept.contains(c) {
                true => text + c.encode_utf8(&mut [0; 4]),
                false if upper => text + &format!("%{byte:02X}"),
                false => text + &format!("%{byte:02x}"),
            }
        })
    };
    let mut forms = Vec::new();
    // Everything, RFC 3986's unreserved, JavaScript's encodeURIComponent and encodeURI, Python's quote.
    for kept in ["", "-_.~", "-_.!~*'()", "-_.!~*'();/?:@&=+$,#", "-_.~/"] {
        for upper in [true, false] {
            let form = encode(kept, upper);
            forms.push(form.replace("%20", "+"));
            forms.push(form);
        }
    }
    forms
}

fn hex(part: &str, upper: bool) -> String {
    let digit = |byte: u8| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
    part.bytes().map(digit).collect()
}

/// The characters that follow from the value alone, with so many bytes before it.
fn within_base64(part: &str, offset: usize) -> Vec<Vec<u8>> {
    let bytes = [&vec![0; offset], part.as_bytes()].concat();
    let (first, last) = ((offset * 8).div_ceil(6), bytes.len() * 8 / 6);
    [STANDARD.encode(&bytes), URL_SAFE.encode(&bytes)]
        .into_iter()
        .filter_map(|text| text.get(first..last).map(|core| core.as_bytes().to_vec()))
        .collect()
}
