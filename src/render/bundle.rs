//! A node's files in one script: prepare-node.sh, then a tar in base64 that it lays down.
//!
//! One connection and no Python on the node. Each Ansible module starts a Python there, 0.3 s on
//! KVM and 4 s on an emulated machine, and a node has a dozen files.

use base64::Engine;

use super::guest_file::{GuestFile, Owner};
use crate::error::{Error, Result};

/// The line after which the tar begins; prepare-node.sh ends before it.
const MARK: &str = "#--- files of this node, tar in base64 ---";

/// Constant, so that the same files give the same bytes. 2020-01-01; 0 makes tar complain.
const MTIME: u64 = 1_577_836_800;

pub fn script(prepare_node: &str, directories: &[(&str, Owner, u32)], files: &[GuestFile]) -> Result<String> {
    let tar = tar(directories, files).map_err(Error::io("packing a node's files"))?;
    let mut text = format!("{}\n{MARK}\n", prepare_node.trim_end());
    for line in base64::engine::general_purpose::STANDARD.encode(tar).as_bytes().chunks(76) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    Ok(text)
}

fn tar(directories: &[(&str, Owner, u32)], files: &[GuestFile]) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, owner, mode) in directories {
        let mut header = header(*owner, *mode, 0)?;
        header.set_entry_type(tar::EntryType::Directory);
        builder.append_data(&mut header, format!("{}/", path.trim_start_matches('/')), &[][..])?;
    }
    for file in files {
        let mut header = header(file.owner, file.mode, file.content.len() as u64)?;
        builder.append_data(&mut header, file.path.trim_start_matches('/'), file.content.as_bytes())?;
    }
    builder.into_inner()
}

fn header(owner: Owner, mode: u32, size: u64) -> std::io::Result<tar::Header> {
    let mut header = tar::Header::new_gnu();
    // By name: the login's number differs between distributions.
    header.set_username(owner.name())?;
    header.set_groupname(owner.name())?;
    header.set_uid(0);
    header.set_gid(0);
    header.set_mode(mode);
    header.set_mtime(MTIME);
    header.set_size(size);
    header.set_entry_type(tar::EntryType::Regular);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_script_carries_the_files() {
        let files = [GuestFile::root("/etc/a", "one"), GuestFile::user("/home/exasol/b", "two")];
        let text = script("#!/bin/sh\nexit 0\n", &[("/etc/d", Owner::Root, 0o755)], &files).unwrap();
        assert_eq!(text, script("#!/bin/sh\nexit 0\n", &[("/etc/d", Owner::Root, 0o755)], &files).unwrap());
        let base64: String = text.split_once(MARK).unwrap().1.lines().collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(base64).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            let header = entry.header();
            let path = entry.path().unwrap().display().to_string();
            seen.push((path, header.mode().unwrap(), header.username().unwrap().unwrap().to_owned(), content));
        }
        let expected =
            [("etc/d/", 0o755, "root", ""), ("etc/a", 0o644, "root", "one"), ("home/exasol/b", 0o600, "exasol", "two")];
        assert_eq!(seen, expected.map(|(p, m, u, c)| (p.to_owned(), m, u.to_owned(), c.to_owned())));
    }
}
