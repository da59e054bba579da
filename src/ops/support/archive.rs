//! What goes into the archive: cleaned texts with a limit each and one for all, and an index that says
//! what was cut and what could not be had.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::redaction::{self, Masks};
use crate::error::{Error, Result};
use crate::model::MissingEvidence;

/// Of one source, cleaned; its end is kept, for what went wrong is there.
pub(super) const SOURCE_MAX: usize = 2 << 20;
/// More of a source is read than is kept: what is cut in the middle of a secret would not be known as one.
pub(super) const MARGIN: usize = 64 << 10;
/// Of everything, before it is packed.
pub(super) const TOTAL_MAX: usize = 64 << 20;

pub(super) struct Archive {
    masks: Masks,
    files: Vec<(String, Vec<u8>)>,
    contents: Vec<Content>,
    pub missing: Vec<MissingEvidence>,
    total: usize,
    source_max: usize,
    total_max: usize,
}

/// A row of the index.
#[derive(Serialize)]
struct Content {
    file: String,
    /// Where it is from, for people: `sudo -n journalctl …`.
    from: String,
    bytes: usize,
    /// Its beginning was left out.
    cut: bool,
}

impl Archive {
    /// With limits in bytes, for one text and for all of them.
    pub fn new(masks: Masks, source_max: usize, total_max: usize) -> Archive {
        let (files, contents, missing) = (Vec::new(), Vec::new(), Vec::new());
        Archive { masks, files, contents, missing, total: 0, source_max, total_max }
    }

    /// Adds a text. `cut`: what is given is only the end of it.
    pub fn add(&mut self, file: &str, from: &str, text: &[u8], cut: bool) {
        if !is_text(text) {
            return self.miss(file, "it is no text");
        }
        let mut clean = self.masks.clean(if cut { whole_blocks(text) } else { text });
        let too_long = clean.len() > self.source_max;
        if too_long {
            clean = whole_lines(&clean[clean.len() - self.source_max..]).to_vec();
        }
        if self.total + clean.len() > self.total_max {
            return self.miss(file, &format!("the archive is full, at {} MiB", self.total_max >> 20));
        }
        self.total += clean.len();
        let (file, from) = (self.shown(file), self.shown(from));
        self.contents.push(Content { file: file.clone(), from, bytes: clean.len(), cut: cut || too_long });
        self.files.push((file, clean));
    }

    pub fn add_json(&mut self, file: &str, from: &str, value: &impl Serialize) {
        let text = serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
        self.add(file, from, text.as_bytes(), false);
    }

    /// Notes what could not be had, and why.
    pub fn miss(&mut self, what: &str, why: &str) {
        let missing = MissingEvidence { what: self.shown(what), why: self.shown(why) };
        self.missing.push(missing);
    }

    /// Names of files and words of errors come from outside too.
    pub fn shown(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.masks.clean(text.as_bytes())).into_owned()
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// The files whose beginning was left out.
    pub fn cut(&self) -> Vec<String> {
        self.contents.iter().filter(|content| content.cut).map(|content| content.file.clone()).collect()
    }

    /// Packs everything below the folder `name`, with the index.
    pub fn write(&self, name: &str, about: Value, out: impl Write) -> Result<()> {
        let failed = || Error::io("cannot write the archive");
        let index = json!({ "about": about, "files": self.contents, "missing": self.missing });
        let index = serde_json::to_string_pretty(&index).unwrap_or_default() + "\n";
        let index = self.masks.clean(index.as_bytes());
        let readme = self.masks.clean(self.readme(&about).as_bytes());
        let mut tar = tar::Builder::new(GzEncoder::new(out, Compression::default()));
        let first = [("README.txt", &readme), ("index.json", &index)];
        let rest = self.files.iter().map(|(file, text)| (file.as_str(), text));
        let mut names = BTreeSet::new();
        for (file, text) in first.into_iter().chain(rest) {
            if names.insert(file) {
                append(&mut tar, &Path::new(name).join(file), text).map_err(failed())?;
            }
        }
        tar.into_inner().and_then(GzEncoder::finish).and_then(|mut out| out.flush()).map_err(failed())
    }

    fn readme(&self, about: &Value) -> String {
        let mut text = "What `exasol support` collected for a bug report. Read it before you send it.\n\
            Known secrets were replaced by [masked: their name], what looks like one by [masked].\n\
            index.json has the same for programs.\n\n"
            .to_owned();
        for (key, value) in about.as_object().into_iter().flatten() {
            text += &format!("{key}: {}\n", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        text += "\nFiles:\n";
        for Content { file, from, bytes, cut } in &self.contents {
            let cut = if *cut { ", only the end" } else { "" };
            text += &format!("  {file}  ({bytes} bytes{cut}; {from})\n");
        }
        text += "\nNot collected:\n";
        for MissingEvidence { what, why } in &self.missing {
            text += &format!("  {what}: {why}\n");
        }
        if self.missing.is_empty() {
            text += "  nothing\n";
        }
        text
    }
}

fn append(tar: &mut tar::Builder<impl Write>, path: &Path, text: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o600);
    header.set_size(text.len() as u64);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mtime(u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0));
    tar.append_data(&mut header, path, text)
}

/// A console may say NUL now and then; a program or an image says it all the time, or has no words.
fn is_text(bytes: &[u8]) -> bool {
    let strange = |byte: &&u8| **byte < 0x20 && !b"\t\n\r\x1b\x07\x08\x0c".contains(byte);
    let count = bytes.iter().filter(strange).count();
    let broken = String::from_utf8_lossy(bytes).matches('\u{fffd}').count();
    (count + broken) * 20 <= bytes.len()
}

/// Without the first line, of which only the end is there.
fn whole_lines(text: &[u8]) -> &[u8] {
    let line = text.iter().take(MARGIN).position(|byte| *byte == b'\n');
    &text[line.map_or(text.len().min(MARGIN), |at| at + 1)..]
}

/// Also without the rest of a block in base64, whose beginning would have told what it is.
fn whole_blocks(text: &[u8]) -> &[u8] {
    let rest = whole_lines(text);
    let block = rest.split_inclusive(|byte| *byte == b'\n').take_while(|line| redaction::is_base64_line(line));
    &rest[block.map(<[u8]>::len).sum()..]
}

/// The same at the end, where a program or a connection ended before it had told everything.
pub(super) fn begun_lines(text: &[u8]) -> &[u8] {
    let mut end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    while let Some(line) = text[..end].split_inclusive(|byte| *byte == b'\n').next_back() {
        if !redaction::is_base64_line(line) {
            break;
        }
        end -= line.len();
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: usize = 2000;

    fn archive() -> Archive {
        Archive::new(Masks::new(&[("db_password".into(), "hunter22".into())]), SMALL, 20 * SMALL)
    }

    #[test]
    fn the_end_of_what_is_too_long_is_kept_in_whole_lines() {
        let mut archive = archive();
        let text = "0123456789\n".repeat(SMALL / 10) + "the last hunter22\n";
        archive.add("a.log", "a", text.as_bytes(), false);
        let (_, kept) = &archive.files[0];
        assert!(kept.len() <= SMALL && kept.starts_with(b"0123456789\n"), "{}", kept.len());
        assert!(kept.ends_with(b"the last [masked: db_password]\n"));
        assert_eq!(archive.cut(), ["a.log"]);
    }

    #[test]
    fn half_a_secret_at_the_cut_is_left_out_with_its_line() {
        let mut archive = archive();
        archive.add("a.log", "a", b"nter22 was typed\n  QUJDREVG\nR0g=\nthe next", true);
        assert_eq!(archive.files[0].1, b"the next");
        assert_eq!(begun_lines(b"one two\nQUJDREVG\nwith hunt"), b"one two\n");
        assert_eq!(begun_lines(b"hunt"), b"");
    }

    #[test]
    fn what_is_no_text_is_named_and_left_out() {
        let mut archive = archive();
        archive.add("plan.bin", "a", &[0; 400], false);
        archive.add("console-n11.log", "a", "\x1b[0mlogin: \0 ok, and so on \u{e9}".as_bytes(), false);
        assert_eq!((archive.len(), archive.missing.len()), (1, 1));
        assert_eq!(archive.missing[0].what, "plan.bin");
    }

    #[test]
    fn the_whole_has_a_limit_too_and_says_what_is_missing_for_it() {
        let mut archive = archive();
        let text = "x\n".repeat(SMALL / 2);
        for number in 0..40 {
            archive.add(&format!("{number}.log"), "a", text.as_bytes(), false);
        }
        assert!(archive.total <= 20 * SMALL);
        assert_eq!(archive.len() + archive.missing.len(), 40);
        assert!(archive.missing[0].why.contains("full"), "{}", archive.missing[0].why);
    }

    #[test]
    fn even_names_are_clean() {
        let mut archive = archive();
        archive.add("hunter22.log", "cat hunter22", b"x", false);
        archive.miss("hunter22", "no hunter22");
        let mut packed = Vec::new();
        archive.write("x", json!({"note": "hunter22"}), &mut packed).unwrap();
        let mut text = Vec::new();
        io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed.as_slice()), &mut text).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("hunter22"));
    }
}
