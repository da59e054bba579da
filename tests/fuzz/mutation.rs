//! Damage to an input: of its bytes, its words, its lines, and of the values in its JSON.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

/// Inputs do not become longer than this.
pub(super) const LONGEST: usize = 64 << 10;

/// What parsers tend not to expect.
const WORDS: [&[u8]; 34] = [
    b"",
    b"0",
    b"-1",
    b"1",
    b"255",
    b"65536",
    b"2147483648",
    b"4294967296",
    b"9223372036854775807",
    b"18446744073709551615",
    b"18446744073709551616",
    b"99999999999999999999999999",
    b"1e999",
    b"-0.0",
    b"NaN",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"\"\"",
    b"\0",
    b"\n",
    b"\r\n",
    b"\x1b[2J\x1b]0;x\x07",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    "ä€😀\u{202e}".as_bytes(),
    b"%00%ff%",
    b"../../x",
    b"&#x0;&amp;",
    b"<!DOCTYPE a [<!ENTITY b \"c\">]>",
    b"=",
    b":",
    b"--",
];
const BRACKETS: [&[u8]; 4] = [b"[", b"{\"a\":", b"<a>", b"("];

#[derive(Debug, Clone)]
enum Mutation {
    Byte(Index, u8),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Cut(Index),
    Repeat(Index, usize, usize),
    Splice(Index, Index),
    Word(Index, &'static [u8]),
    Nest(Index, &'static [u8], usize),
    /// Takes a line to another place: leaves it where it was, or not.
    Line(Index, Index, bool),
    Drop(Index),
    Json(Index, Value),
    JsonDrop(Index),
}

/// A seed, and what is done to it one after the other.
pub(super) fn inputs(seeds: &[Vec<u8>]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let seeds = seeds.to_vec();
    (any::<Index>(), vec(mutation(), 0..6)).prop_map(move |(seed, mutations)| {
        let mut bytes = seed.get(&seeds).clone();
        for mutation in mutations {
            apply(&mut bytes, mutation, &seeds);
            bytes.truncate(LONGEST);
        }
        bytes
    })
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
        (at(), 0..8u8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        (at(), vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (at(), 1..40usize).prop_map(|(at, count)| Mutation::Remove(at, count)),
        at().prop_map(Mutation::Cut),
        (at(), 1..60usize, 1..600usize).prop_map(|(at, length, times)| Mutation::Repeat(at, length, times)),
        (at(), at()).prop_map(|(seed, at)| Mutation::Splice(seed, at)),
        (at(), select(&WORDS)).prop_map(|(at, word)| Mutation::Word(at, word)),
        (at(), select(&WORDS)).prop_map(|(at, word)| Mutation::Word(at, word)),
        (at(), select(&BRACKETS), 1..20_000usize).prop_map(|(at, bracket, depth)| Mutation::Nest(at, bracket, depth)),
        (at(), at(), any::<bool>()).prop_map(|(from, to, copy)| Mutation::Line(from, to, copy)),
        at().prop_map(Mutation::Drop),
        (at(), odd_json()).prop_map(|(at, value)| Mutation::Json(at, value)),
        (at(), odd_json()).prop_map(|(at, value)| Mutation::Json(at, value)),
        at().prop_map(Mutation::JsonDrop),
    ]
}

fn odd_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![Just(String::new()), any::<String>(), "[ -~]{1,12}", Just("x".repeat(5000))];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        select(vec![0, 1, -1, i64::MAX, i64::MIN]).prop_map(Value::from),
        Just(Value::from(u64::MAX)),
        select(vec![0.5, -0.5, 1e308, -1e308]).prop_map(Value::from),
        text.prop_map(Value::from),
        Just(serde_json::json!([])),
        Just(serde_json::json!({})),
        Just(serde_json::json!([[[[{"a": [null]}]]]])),
    ]
}

fn apply(bytes: &mut Vec<u8>, mutation: Mutation, seeds: &[Vec<u8>]) {
    match mutation {
        Mutation::Insert(at, new) => insert(bytes, at, &new),
        Mutation::Nest(at, bracket, depth) => insert(bytes, at, &bracket.repeat(depth.min(LONGEST / bracket.len()))),
        Mutation::Cut(at) => bytes.truncate(at.index(bytes.len() + 1)),
        Mutation::Splice(seed, at) => {
            let other = seed.get(seeds);
            insert(bytes, at, &other[at.index(other.len() + 1)..]);
        }
        _ if bytes.is_empty() => {}
        Mutation::Byte(at, byte) => *at.get_mut(bytes) = byte,
        Mutation::Flip(at, bit) => *at.get_mut(bytes) ^= 1 << bit,
        Mutation::Remove(at, count) => {
            let from = at.index(bytes.len());
            bytes.drain(from..(from + count).min(bytes.len()));
        }
        Mutation::Repeat(at, length, times) => {
            let from = at.index(bytes.len());
            let part = bytes[from..(from + length).min(bytes.len())].to_vec();
            drop(bytes.splice(from..from, part.repeat(times.min(LONGEST / part.len()))));
        }
        Mutation::Word(at, word) => {
            let words = words(bytes);
            let range = at.get(&words).clone();
            drop(bytes.splice(range, word.iter().copied()));
        }
        Mutation::Line(from, to, copy) => {
            let mut lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            let from = from.index(lines.len());
            let line = if copy { lines[from].clone() } else { lines.remove(from) };
            lines.insert(to.index(lines.len() + 1), line);
            *bytes = lines.concat();
        }
        Mutation::Drop(at) => {
            let mut lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            lines.remove(at.index(lines.len()));
            *bytes = lines.concat();
        }
        Mutation::Json(at, value) => json(bytes, at, |place| *place = value),
        Mutation::JsonDrop(at) => json(bytes, at, |place| match place {
            Value::Object(entries) => drop(entries.keys().next_back().cloned().and_then(|last| entries.remove(&last))),
            Value::Array(items) => drop(items.pop()),
            other => *other = Value::Null,
        }),
    }
}

fn insert(bytes: &mut Vec<u8>, at: Index, new: &[u8]) {
    let at = at.index(bytes.len() + 1);
    drop(bytes.splice(at..at, new.iter().copied()));
}

/// Runs of letters, digits and the like, and every other byte for itself.
fn words(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let in_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte) || !byte.is_ascii();
    let mut words: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        match words.last_mut() {
            Some(last) if in_word(*byte) && in_word(bytes[at - 1]) => last.end = at + 1,
            _ => words.push(at..at + 1),
        }
    }
    words
}

/// Changes one value of a JSON document, or of one line of several.
fn json(bytes: &mut Vec<u8>, at: Index, change: impl FnOnce(&mut Value)) {
    if let Ok(mut document) = serde_json::from_slice::<Value>(bytes) {
        change(nth(&mut document, at));
        *bytes = document.to_string().into_bytes();
        return;
    }
    let mut lines: Vec<_> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let line = at.index(lines.len());
    if let Ok(mut document) = serde_json::from_slice::<Value>(&lines[line]) {
        change(nth(&mut document, at));
        lines[line] = document.to_string().into_bytes();
        *bytes = lines.join(&b'\n');
    }
}

/// One of all values in it, itself included.
fn nth(document: &mut Value, at: Index) -> &mut Value {
    let mut left = at.index(count(document));
    find(document, &mut left).expect("there are as many as were counted")
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(entries) => entries.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

fn find<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| find(item, left)),
        Value::Object(entries) => entries.values_mut().find_map(|item| find(item, left)),
        _ => None,
    }
}
