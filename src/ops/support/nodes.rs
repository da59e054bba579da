//! What the nodes say: one SSH session each, all at once. The script travels with the question, so
//! that a node which was never set up, or by an earlier version, answers too.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;

use super::super::access::Access;
use super::archive::{Archive, begun_lines};
use crate::deployment::{DeploymentDir, keys};
use crate::error::Result;
use crate::model::Phase;
use crate::render;
use crate::tools::ssh::{NO_SESSION, Refusal, Ssh};

/// The script itself ends before: see `budget` there.
const LIMIT: Duration = Duration::from_secs(180);
/// What a section of the script is at most, in bytes, and a margin that is cut off again.
const SECTION_MAX: usize = 448 << 10;

pub(super) async fn ask(archive: &mut Archive, root: &Path, dir: &Result<DeploymentDir>) {
    let (ssh, names) = match way(root, dir) {
        Ok(way) => way,
        Err(why) => return archive.miss("nodes", &why),
    };
    if names.is_empty() {
        return archive.miss("nodes", "there are none whose address is known");
    }
    let answers = join_all(names.iter().map(|name| one(&ssh, name))).await;
    for (name, answer) in names.iter().zip(answers) {
        match answer {
            Ok(sections) => sections.into_iter().for_each(|section| section.add(archive, name)),
            Err(why) => archive.miss(&format!("nodes/{name}"), &why),
        }
    }
}

/// How nodes are reached and what they are called; without a state by `ssh/config` alone.
fn way(root: &Path, dir: &Result<DeploymentDir>) -> std::result::Result<(Ssh, Vec<String>), String> {
    match dir {
        Ok(dir) if dir.state().phase == Phase::Destroyed => {
            Ok((Access::to(dir).and_then(|access| access.ssh()).map_err(text)?, Vec::new()))
        }
        Ok(dir) => {
            let names = dir.state().nodes.iter().map(|node| node.plan.name.clone()).collect();
            Ok((Access::to(dir).and_then(|access| access.ssh()).map_err(text)?, names))
        }
        Err(_) => {
            let config = root.join("ssh/config");
            let lines = std::fs::read_to_string(&config).unwrap_or_default();
            let name =
                |line: &str| line.strip_prefix("Host ").map(str::trim).filter(|name| is_node(name)).map(str::to_owned);
            Ok((Ssh::new(config).map_err(text)?, lines.lines().filter_map(name).collect()))
        }
    }
}

fn text(error: crate::error::Error) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

/// `n11`, and no pattern.
fn is_node(name: &str) -> bool {
    name.strip_prefix('n').is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

async fn one(ssh: &Ssh, node: &str) -> std::result::Result<Vec<Section>, String> {
    // Nothing that a node prints has it, so nothing that it prints is taken for a section's beginning.
    let mark = keys::generate_password().map_err(text)?;
    let script = format!("mark={mark}\nmost={SECTION_MAX}\n{}", render::node_script("support.sh").map_err(text)?);
    let output = ssh.run_script(node, &script, LIMIT).await.map_err(text)?;
    if output.status.code() == Some(NO_SESSION) {
        return Err(Refusal::read(&output.stderr_text()).text().to_owned());
    }
    let sections = sections(&output.stdout, &mark);
    match sections.is_empty() {
        true => Err(format!("it answered nothing: {}", output.stderr_text().trim())),
        false => Ok(sections),
    }
}

#[derive(Debug, PartialEq)]
struct Section {
    name: String,
    /// The command, for people.
    from: String,
    text: Vec<u8>,
    /// None: the answer ends in it.
    end: Option<String>,
}

impl Section {
    fn add(self, archive: &mut Archive, node: &str) {
        let file = format!("nodes/{node}/{}", self.name);
        let cut = self.text.len() >= SECTION_MAX;
        let mut text = self.text.as_slice();
        match self.end.as_deref() {
            Some("0") => {}
            Some("absent") => return archive.miss(&file, "it is not there"),
            Some("late") => return archive.miss(&file, "the node's time limit was reached before"),
            Some("124") => {
                text = begun_lines(text);
                archive.miss(&file, "it did not end in time; what it printed until then is included");
            }
            Some(status) => archive.miss(&file, &format!("{} ended with status {status}", self.from)),
            None => {
                text = begun_lines(text);
                archive.miss(&file, "the connection ended while it ran");
            }
        }
        archive.add(&file, &format!("{node}: {}", self.from), text, cut);
    }
}

/// `MARK begin NAME COMMAND…`, the text, `MARK end STATUS`. Other lines (a greeting) are passed over.
fn sections(answer: &[u8], mark: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut open = false;
    for line in answer.split_inclusive(|byte| *byte == b'\n') {
        let words = String::from_utf8_lossy(line);
        let words: Vec<_> = words.trim_end().splitn(4, ' ').collect();
        match words[..] {
            [first, "begin", name, from] if first == mark => {
                let (name, from) = (safe(name), from.to_owned());
                sections.push(Section { name, from, text: Vec::new(), end: None });
                open = true;
            }
            [first, "end", status] if first == mark => {
                if let Some(section) = sections.last_mut() {
                    // The script ends every text with a line's end of its own.
                    section.text.truncate(section.text.len().saturating_sub(1));
                    section.end = Some(status.to_owned());
                }
                open = false;
            }
            _ if open => sections.iter_mut().next_back().into_iter().for_each(|section| section.text.extend(line)),
            _ => {}
        }
    }
    sections
}

/// A file's name of ours, whatever a node says.
fn safe(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    name.trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart_at_its_marks() {
        let answer = b"Welcome\nM begin a.txt cat a b\none\ntwo\n\nM end 0\nnoise\nM begin ../../x ls\nno\n\nM end 2\nM begin c c\nhalf";
        let found = sections(answer, "M");
        assert_eq!(found.len(), 3);
        assert_eq!(
            (&found[0].name[..], &found[0].from[..], &found[0].text[..]),
            ("a.txt", "cat a b", &b"one\ntwo\n"[..])
        );
        assert_eq!(
            (found[0].end.as_deref(), found[1].end.as_deref(), found[2].end.as_deref()),
            (Some("0"), Some("2"), None)
        );
        assert_eq!(found[1].name, "_.._x");
        assert_eq!(found[2].text, b"half");
        assert_eq!(sections(b"M begin a b\nx", "other"), []);
    }

    #[test]
    fn nodes_are_known_by_their_names_alone() {
        for (name, is) in [("n11", true), ("n11-cos", false), ("n", false), ("n*", false), ("n11 n12", false)] {
            assert_eq!(is_node(name), is, "{name}");
        }
    }

    #[test]
    fn fuzz_node_files() {
        let seed = b"Welcome\nM begin a.txt cat a b\none\ntwo\n\nM end 0\nnoise\nM begin ../../x ls\nno\n\nM end 2\nM begin c c\nhalf";
        crate::fuzz::target("node-files", &[seed], |bytes| {
            for section in sections(bytes, "M") {
                assert!(!section.name.contains('/') && !section.name.starts_with('.'), "{}", section.name);
            }
        });
    }
}
