use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

/// The names in a directory, sorted; empty if there is no such directory.
pub(super) fn names(path: &Path) -> Result<Vec<String>> {
    let context = || Error::io(format!("cannot read {}", path.display()));
    let listing = match fs::read_dir(path) {
        Ok(listing) => listing,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(context()(e)),
    };
    let mut names = Vec::new();
    for entry in listing {
        names.push(entry.map_err(context())?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
