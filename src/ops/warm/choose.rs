//! Which warm base a deployment's machines are made from, if there is one that fits.

use std::path::{Path, PathBuf};

use super::super::blocking::blocking;
use super::super::operation::Work;
use super::super::user_dirs::CacheDirs;
use super::store::{Shelf, is_old, key};
use crate::error::{Error, Result};
use crate::model::WarmBase;
use crate::render;
use crate::tools::http;

/// That of the image with this checksum, by this version's recipe; checked, with its file. None: the image itself is
/// used, and the reason is told if there is a warm base of it.
pub(in crate::ops) async fn choose(work: &Work, base_sha256: &str) -> Result<Option<(WarmBase, PathBuf)>> {
    let shelf = Shelf::of(&CacheDirs::of_user()?);
    let Some(base) = shelf.find(&key(&render::warm_recipe()?, base_sha256)) else {
        if shelf.all().iter().any(|other| other.base_sha256 == base_sha256) {
            work.detail(
                "the warm base of this image was made by another recipe and is not used; make a new one: exasol cache warm",
            );
        }
        return Ok(None);
    };
    let root = work.dir.state().spec.root_volume_size;
    if root < base.disk_gb {
        work.detail(format!(
            "the warm base is not used: it needs a root disk of {} GB, and --root-volume-size is {root}",
            base.disk_gb
        ));
        return Ok(None);
    }
    let path = shelf.image(&base);
    if let Some(wrong) = work.interrupt.run(wrong(&path, &base)).await?? {
        work.sink.warn(format!(
            "the warm base {} {wrong}: the base image is used instead; make a new warm base: exasol cache warm",
            path.display()
        ));
        return Ok(None);
    }
    if is_old(&base) {
        work.sink.warn(format!(
            "the warm base was {}, and its packages lack the security updates since then; make a new one: exasol cache \
             warm",
            super::store::age(&base.made_at)
        ));
    }
    Ok(Some((base, path)))
}

/// Why it is not what was recorded.
pub(super) async fn wrong(path: &Path, base: &WarmBase) -> Result<Option<&'static str>> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.len() != base.bytes => return Ok(Some("has another length than the one that was made")),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Some("is missing")),
        Err(error) => return Err(Error::io(path.display().to_string())(error)),
    }
    let (path, expected) = (path.to_owned(), base.image_sha256.clone());
    let is = blocking(move || http::sha256_of(&path)).await?;
    Ok((is != expected).then_some("has another SHA-256 than the one that was made"))
}
