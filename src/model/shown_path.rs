//! Paths in reports. A path need not be UTF-8 and JSON has to be: what is not shows as U+FFFD, as it does in the text.

use std::path::Path;

use serde::{Serialize, Serializer};

/// For `#[serde(serialize_with)]`: serde itself would refuse the path, and with it the whole report.
pub(super) fn one<S: Serializer>(path: &impl AsRef<Path>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.as_ref().to_string_lossy())
}

/// As [`one`], for a path that need not be there.
pub(super) fn maybe<S: Serializer>(path: &Option<impl AsRef<Path>>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.as_ref().to_string_lossy()).serialize(serializer)
}

/// As [`one`], for a list.
pub(super) fn each<P: AsRef<Path>, S: Serializer>(paths: &[P], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(|path| path.as_ref().to_string_lossy()))
}
