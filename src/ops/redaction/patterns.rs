//! Pure: what has a secret's form is taken out, whoever it belongs to: PEM blocks, passwords in URLs,
//! `PASSWORD=…`, hashes of passwords, headers with credentials.

const MASK: &[u8] = b"[masked]";
/// A name with one of these in it has a secret as its value. All in lower case.
const NAMES: [&[u8]; 14] = [
    b"password",
    b"passwd",
    b"passphrase",
    b"secret",
    b"token",
    b"private_key",
    b"access_key",
    b"api_key",
    b"apikey",
    b"credential",
    b"signature",
    // Of a signed address, also as JSON writes it.
    b"&sig",
    b"?sig",
    b"u0026sig",
];
/// crypt(3)'s hashes.
const HASHES: [&[u8]; 5] = [b"$6$", b"$5$", b"$y$", b"$2b$", b"$1$"];
const SCHEMES: [&[u8]; 2] = [b"bearer ", b"basic "];
/// The longest block that is looked for an end of.
const BLOCK_MAX: usize = 64 << 10;

pub(super) fn clean(text: &[u8]) -> Vec<u8> {
    let text = without_pem(text);
    let mut clean = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        clean.extend(without_assignments(&without_headers(&without_hashes(&without_url_passwords(line)))));
    }
    clean
}

/// Blocks whose end, or whose beginning, was cut off are taken out as far as they go.
fn without_pem(text: &[u8]) -> Vec<u8> {
    let mut clean: Vec<u8> = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        let (begin, end) = (find(rest, b"-----BEGIN "), find(rest, b"-----END "));
        match (begin, end) {
            (None, None) => {
                clean.extend(rest);
                return clean;
            }
            (begin, Some(end)) if begin.is_none_or(|begin| end < begin) => {
                clean.extend(&rest[..end]);
                drop_base64_lines(&mut clean);
                clean.extend(b"[masked: the end of a PEM block]");
                rest = after_dashes(&rest[end + 9..]);
            }
            (Some(begin), _) => {
                clean.extend(&rest[..begin]);
                clean.extend(b"[masked: a PEM block]");
                let block = &rest[begin..];
                let end = find(&block[..block.len().min(BLOCK_MAX)], b"-----END ");
                rest = match end {
                    Some(end) => after_dashes(&block[end + 9..]),
                    None => after_base64_lines(block),
                };
            }
            (None, Some(_)) => return clean,
        }
    }
}

/// Behind `LABEL-----`.
fn after_dashes(text: &[u8]) -> &[u8] {
    let line = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    match find(&text[..line], b"-----") {
        Some(at) => &text[at + 5..],
        None => &text[line..],
    }
}

pub(in crate::ops) fn is_base64_line(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    line.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte)) && !line.is_empty()
}

/// From `-----BEGIN`, without an end: the header and the lines that look like the rest of it.
fn after_base64_lines(block: &[u8]) -> &[u8] {
    let mut at = block.iter().position(|byte| *byte == b'\n').map_or(block.len(), |at| at + 1);
    for line in block[at..].split_inclusive(|byte| *byte == b'\n') {
        if !is_base64_line(line) {
            break;
        }
        at += line.len();
    }
    &block[at..]
}

fn drop_base64_lines(text: &mut Vec<u8>) {
    while let Some(line) = text.split_inclusive(|byte| *byte == b'\n').next_back() {
        if !is_base64_line(line) {
            return;
        }
        text.truncate(text.len() - line.len());
    }
}

/// `scheme://user:password@host`.
fn without_url_passwords(line: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = find(rest, b"://") {
        let (before, url) = rest.split_at(at + 3);
        clean.extend(before);
        let host = url.iter().position(|b| b.is_ascii_whitespace() || b"/\"'<>`?#".contains(b)).unwrap_or(url.len());
        let login = url[..host].iter().rposition(|byte| *byte == b'@');
        let colon = login.and_then(|login| url[..login].iter().position(|byte| *byte == b':'));
        rest = match (colon, login) {
            (Some(colon), Some(login)) => {
                clean.extend(&url[..=colon]);
                clean.extend(MASK);
                &url[login..]
            }
            _ => url,
        };
    }
    clean.extend(rest);
    clean
}

fn without_hashes(line: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(line.len());
    let mut at = 0;
    while at < line.len() {
        match HASHES.iter().find(|hash| line[at..].starts_with(hash)) {
            None => {
                clean.push(line[at]);
                at += 1;
            }
            Some(hash) => {
                at += hash.len();
                at += line[at..].iter().take_while(|b| b.is_ascii_alphanumeric() || b"./$=,".contains(b)).count();
                clean.extend(MASK);
            }
        }
    }
    clean
}

/// `Authorization: Bearer …`, wherever it stands.
fn without_headers(line: &[u8]) -> Vec<u8> {
    let lower = line.to_ascii_lowercase();
    let Some(at) = find(&lower, b"authorization") else { return line.to_vec() };
    let Some(scheme) = SCHEMES.iter().find_map(|s| find(&lower[at..], s).map(|found| at + found + s.len())) else {
        return line.to_vec();
    };
    let end = scheme + line[scheme..].iter().take_while(|b| !b.is_ascii_whitespace() && !b"\"'\\".contains(b)).count();
    [&line[..scheme], MASK, &line[end..]].concat()
}

/// `NAME=value`, `"name": "value"`, `name: value`, where the name says that the value is a secret.
fn without_assignments(line: &[u8]) -> Vec<u8> {
    let lower = line.to_ascii_lowercase();
    let mut clean = Vec::with_capacity(line.len());
    let mut at = 0;
    while let Some((from, to)) =
        NAMES.iter().filter_map(|n| find(&lower[at..], n).map(|f| (at + f, at + f + n.len()))).min()
    {
        match value_after(line, from, to) {
            Some((begin, end)) => {
                clean.extend(&line[at..begin]);
                clean.extend(MASK);
                at = end;
            }
            None => {
                clean.extend(&line[at..to]);
                at = to;
            }
        }
    }
    clean.extend(&line[at..]);
    clean
}

/// Where the value begins and ends; None if what follows is no assignment.
fn value_after(line: &[u8], from: usize, to: usize) -> Option<(usize, usize)> {
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let begins = from - line[..from].iter().rev().take_while(|byte| in_name(byte)).count();
    let mut at = to + line[to..].iter().take_while(|byte| in_name(byte)).count();
    at += line[at..].iter().take_while(|byte| b"\\\"'] \t".contains(byte)).count();
    let equals = match line.get(at)? {
        b'=' => true,
        b':' => false,
        _ => return None,
    };
    at += 1;
    at += line[at..].iter().take_while(|byte| b" \t>".contains(byte)).count();
    let value = &line[at..];
    let quote = value.iter().position(|byte| *byte != b'\\').filter(|at| b"\"'".contains(&value[*at]));
    let to_the_end = value.iter().take_while(|byte| !b"\r\n".contains(byte)).count();
    let (begin, end) = match quote {
        // c4's own lines: a quoted word may have several parts, so that nothing behind it is sure to be outside.
        _ if equals && line[begins..].starts_with(b"CCC_") => (at, at + to_the_end),
        Some(quote) => {
            let mark = &value[..=quote];
            let inner = &value[quote + 1..];
            (at + quote + 1, at + quote + 1 + quoted_length(inner, mark))
        }
        None => (at, at + value.iter().take_while(|b| !b.is_ascii_whitespace() && !b",;&}])\"'\\".contains(b)).count()),
    };
    let shown = &line[begin..end];
    let nothing = [&b""[..], b"null", b"true", b"false", b"none"].contains(&shown.to_ascii_lowercase().as_slice());
    (!nothing && !shown.starts_with(b"[masked")).then_some((begin, end))
}

/// Up to the same mark again: `"`, or `\"` within a JSON text. One that is not closed ends with the line.
fn quoted_length(inner: &[u8], mark: &[u8]) -> usize {
    let quote = mark[mark.len() - 1];
    let mut at = 0;
    while at < inner.len() && !b"\r\n".contains(&inner[at]) {
        let slashes = inner[at..].iter().take_while(|byte| **byte == b'\\').count();
        if inner.get(at + slashes) == Some(&quote) && slashes < mark.len() {
            return at;
        }
        at += slashes.max(1) + usize::from(slashes > 0);
    }
    at.min(inner.len())
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = wanted.first()?;
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.iter().position(|byte| byte == first)?;
        if text[at..].starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cleaned(text: &str) -> String {
        String::from_utf8(clean(text.as_bytes())).unwrap()
    }

    #[test]
    fn values_of_secrets_are_taken_out_by_their_names() {
        for (text, wanted) in [
            ("CCC_PLAY_DB_PASSWORD='it'\\''s' # x\nnext", "CCC_PLAY_DB_PASSWORD=[masked]\nnext"),
            ("export HCLOUD_TOKEN=abc def", "export HCLOUD_TOKEN=[masked] def"),
            (r#"{"admin_password": "a\"b", "x": 1}"#, r#"{"admin_password": "[masked]", "x": 1}"#),
            (r#"{"m":"{\"db_password\": \"ab\", \"x\": 1}"}"#, r#"{"m":"{\"db_password\": \"[masked]\", \"x\": 1}"}"#),
            ("  secret_key: abc\n", "  secret_key: [masked]\n"),
            ("env['API_KEY'] = 'k'", "env['API_KEY'] = '[masked]'"),
            ("x?access_token=abc&y=1", "x?access_token=[masked]&y=1"),
            ("\"password\": null, token: \"\"", "\"password\": null, token: \"\""),
            ("no password was sent", "no password was sent"),
            ("PASSWORD=\"open", "PASSWORD=\"[masked]"),
        ] {
            assert_eq!(cleaned(text), wanted);
        }
    }

    #[test]
    fn urls_hashes_and_headers_lose_their_secret_part() {
        for (text, wanted) in [
            ("get https://me:pw@x@host/p?q and ftp://h/a:b@c", "get https://me:[masked]@host/p?q and ftp://h/a:b@c"),
            ("qemu+ssh://me@host/system", "qemu+ssh://me@host/system"),
            ("x: $6$salt$abc./= y", "x: [masked] y"),
            ("Authorization: Basic c3lzOnB3 x", "Authorization: Basic [masked] x"),
            (r#"{"authorization":"Bearer abc.def"}"#, r#"{"authorization":"Bearer [masked]"}"#),
        ] {
            assert_eq!(cleaned(text), wanted);
        }
    }

    #[test]
    fn pem_blocks_are_taken_out_even_where_half_of_one_is_missing() {
        let block = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\nBBBB=\n-----END OPENSSH PRIVATE KEY-----\n";
        assert_eq!(cleaned(&format!("a\n{block}b")), "a\n[masked: a PEM block]\nb");
        let escaped = block.replace('\n', "\\n");
        assert_eq!(cleaned(&format!("{{\"k\":\"{escaped}\"}}")), "{\"k\":\"[masked: a PEM block]\\n\"}");
        assert_eq!(cleaned("a b\n-----BEGIN X-----\nAAAA\nBBBB\nthe rest"), "a b\n[masked: a PEM block]the rest");
        assert_eq!(cleaned("AAAA\nBBBB\n-----END X-----\nthe rest"), "[masked: the end of a PEM block]\nthe rest");
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            clean(&text);
        }
    }
}
