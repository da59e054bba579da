//! A node's files in one script: prepare-node.sh, then a tar in base64 that it lays down.
//!
//! One connection and no Python on the node. Each Ansible module starts a Python there, 0.3 s on
//! KVM and 4 s on an emulated machine, and a node has a dozen files.

use base64::Engine;

use super::guest_file::{GuestFile, Owner};
use crate::error::{Error, Result};

/// The line after which the tar begins; prepare-node.sh ends before it.
pub const MARK: &str = "#--- files of this node, tar in base64 ---";

/// Constant, so that the same files give the same bytes. 2020-01-01; 0 makes tar complain.
const MTIME: u64 = 1_577_836_800;

/// What one node gets.
pub struct Bundle<'a> {
    /// Folders that must be there, with owner and mode; their parents are the system's.
    pub directories: &'a [(&'a str, Owner, u32)],
    pub files: &'a [GuestFile],
    /// (path, target) of symbolic links.
    pub links: &'a [(&'a str, &'a str)],
}

/// `prepare_node` must end by itself before the end of its text.
pub fn script(prepare_node: &str, bundle: &Bundle) -> Result<String> {
    let tar = tar(bundle).map_err(Error::io("packing a node's files"))?;
    let mut text = format!("{}\n{MARK}\n", prepare_node.trim_end());
    for line in base64::engine::general_purpose::STANDARD.encode(tar).as_bytes().chunks(76) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    Ok(text)
}

fn tar(bundle: &Bundle) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, owner, mode) in bundle.directories {
        let mut header = header(*owner, *mode, 0)?;
        header.set_entry_type(tar::EntryType::Directory);
        builder.append_data(&mut header, format!("{}/", path.trim_start_matches('/')), &[][..])?;
    }
    for file in bundle.files {
        let mut header = header(file.owner, file.mode, file.content.len() as u64)?;
        builder.append_data(&mut header, file.path.trim_start_matches('/'), file.content.as_bytes())?;
    }
    for (path, target) in bundle.links {
        let mut header = header(Owner::Root, 0o777, 0)?;
        header.set_entry_type(tar::EntryType::Symlink);
        builder.append_link(&mut header, path.trim_start_matches('/'), target)?;
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
        let bundle =
            Bundle { directories: &[("/etc/d", Owner::Root, 0o755)], files: &files, links: &[("/etc/l", "a")] };
        let text = script("#!/bin/sh\nexit 0\n", &bundle).unwrap();
        assert_eq!(text, script("#!/bin/sh\nexit 0\n", &bundle).unwrap());
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
        let expected = [
            ("etc/d/", 0o755, "root", ""),
            ("etc/a", 0o644, "root", "one"),
            ("home/exasol/b", 0o600, "exasol", "two"),
            ("etc/l", 0o777, "root", ""),
        ];
        assert_eq!(seen, expected.map(|(p, m, u, c)| (p.to_owned(), m, u.to_owned(), c.to_owned())));
    }
}
