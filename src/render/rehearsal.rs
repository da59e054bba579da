//! The artifacts of the rehearsal release, packed from `rehearsal/` in this repository.

use std::io;
use std::path::Path;

use crate::error::{Error, Result};
use crate::model::sha256_hex;
use flate2::{Compression, GzBuilder};
use include_dir::{Dir, include_dir};

static DATABASE: Dir = include_dir!("$CARGO_MANIFEST_DIR/rehearsal/database");
static C4: &[u8] = include_bytes!("../../rehearsal/c4");

/// The archive's one top folder.
const TOP: &str = "exasol-rehearsal";

/// Constant, so that the same binary packs the same bytes: 2020-01-01.
const MTIME: u64 = 1_577_836_800;

pub struct RehearsalArtifacts {
    /// The stand-in for c4, one executable file.
    pub c4: Vec<u8>,
    /// The stand-in for the database, a `.tar.gz`.
    pub archive: Vec<u8>,
    /// SHA-256, lower-case hex.
    pub c4_sha256: String,
    pub archive_sha256: String,
}

/// The same bytes at every call of the same binary.
pub fn artifacts() -> Result<RehearsalArtifacts> {
    let archive = packed().map_err(Error::io("packing the rehearsal release"))?;
    Ok(RehearsalArtifacts { c4_sha256: sha256_hex(C4), archive_sha256: sha256_hex(&archive), c4: C4.to_vec(), archive })
}

fn packed() -> io::Result<Vec<u8>> {
    let gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut builder = tar::Builder::new(gzip);
    append(&mut builder, &DATABASE)?;
    builder.into_inner()?.finish()
}

fn append<W: io::Write>(builder: &mut tar::Builder<W>, dir: &Dir) -> io::Result<()> {
    let mut files: Vec<_> = dir.files().collect();
    files.sort_by_key(|file| file.path());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(if file.contents().starts_with(b"#!") { 0o755 } else { 0o644 });
        header.set_mtime(MTIME);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(file.contents().len() as u64);
        builder.append_data(&mut header, Path::new(TOP).join(file.path()), file.contents())?;
    }
    let mut dirs: Vec<_> = dir.dirs().filter(|d| !d.path().ends_with("__pycache__")).collect();
    dirs.sort_by_key(|dir| dir.path());
    dirs.into_iter().try_for_each(|dir| append(builder, dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_reproducible_and_has_one_top_folder() {
        let artifacts = artifacts().unwrap();
        assert_eq!(artifacts.archive, packed().unwrap());
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(artifacts.archive.as_slice()));
        let paths: Vec<_> = archive.entries().unwrap().map(|e| e.unwrap().path().unwrap().into_owned()).collect();
        assert!(paths.iter().all(|p| p.starts_with(TOP)), "{paths:?}");
        assert!(paths.iter().any(|p| p.ends_with("install-node")), "{paths:?}");
        assert!(!paths.iter().any(|p| p.to_string_lossy().contains("__pycache__")), "{paths:?}");
    }

    #[test]
    fn c4_is_a_script_with_its_checksum() {
        let artifacts = artifacts().unwrap();
        assert!(artifacts.c4.starts_with(b"#!"));
        assert_eq!((artifacts.c4_sha256.len(), artifacts.archive_sha256.len()), (64, 64));
    }
}
