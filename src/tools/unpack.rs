//! One program out of an archive.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use flate2::read::GzDecoder;

use crate::error::{Error, Result};

/// Much more than any program that we fetch has: the archive's checksum was compared, this is only against mistakes.
const MAX_BYTES: u64 = 1 << 30;

/// Takes the program of that name out of a `.tar.gz` and puts it at `dest`, executable, on the disk. Blocking.
pub fn program(archive: &Path, name: &str, dest: &Path) -> Result<()> {
    let failed = || Error::io(format!("taking {name} out of {}", archive.display()));
    take(archive, name, dest).map_err(failed())
}

fn take(archive: &Path, name: &str, dest: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(archive)?));
    for entry in archive.entries()? {
        let entry = entry?;
        if !entry.header().entry_type().is_file() || entry.path()?.file_name() != Some(name.as_ref()) {
            continue;
        }
        let mut program = OpenOptions::new().write(true).create_new(true).mode(0o700).open(dest)?;
        let bytes = io::copy(&mut entry.take(MAX_BYTES), &mut program)?;
        return match bytes {
            0 | MAX_BYTES => Err(io::Error::other(format!("it has {bytes} bytes or more"))),
            _ => program.sync_all(),
        };
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "it is not in it"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn archive(path: &Path, files: &[(&str, &str)]) {
        let mut builder = tar::Builder::new(GzEncoder::new(File::create(path).unwrap(), Compression::fast()));
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap();
    }

    #[test]
    fn the_program_is_taken_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tofu.tar.gz");
        archive(&path, &[("README.md", "read me"), ("tofu", "#!/bin/sh\n")]);
        let dest = dir.path().join("tofu");
        program(&path, "tofu", &dest).unwrap();
        assert_eq!(std::fs::read_to_string(&dest).unwrap(), "#!/bin/sh\n");
        assert_eq!(dest.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert!(!dir.path().join("README.md").exists());
        assert!(program(&path, "terraform", &dir.path().join("terraform")).is_err());
    }

    #[test]
    fn what_is_no_archive_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let page = dir.path().join("tofu.tar.gz");
        std::fs::write(&page, "<!DOCTYPE html>").unwrap();
        let error = program(&page, "tofu", &dir.path().join("tofu")).unwrap_err();
        assert!(error.to_string().contains("tofu.tar.gz"), "{error}");
    }

    #[test]
    fn fuzz_archives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tofu.tar.gz");
        archive(&path, &[("README.md", "read me"), ("tofu", "#!/bin/sh\n")]);
        let seed = std::fs::read(&path).unwrap();
        // Damage to what is packed, too: a checksum stops most of what is done to the whole.
        let mut plain = Vec::new();
        GzDecoder::new(seed.as_slice()).read_to_end(&mut plain).unwrap();
        crate::fuzz::target("archives", &[&seed, &plain], move |bytes| {
            let dest = dir.path().join("tofu");
            let packed = match bytes.starts_with(&[0x1f, 0x8b]) {
                true => bytes.to_vec(),
                false => {
                    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
                    io::Write::write_all(&mut packer, bytes).unwrap();
                    packer.finish().unwrap()
                }
            };
            std::fs::write(&path, packed).unwrap();
            let _ = program(&path, "tofu", &dest);
            let _ = std::fs::remove_file(&dest);
            let left: Vec<_> = dir.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(left, ["tofu.tar.gz"], "it writes nowhere else");
        });
    }
}
