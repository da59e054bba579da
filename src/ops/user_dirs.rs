use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// `$VARIABLE/exasol`, else `~/FALLBACK/exasol`. A relative path would be another folder from every
/// working directory, and counts as none (XDG Base Directory Specification).
pub(super) fn user_dir(variable: &str, fallback: &str, purpose: &str) -> Result<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    below(named, std::env::home_dir(), fallback)
        .ok_or_else(|| Error::other(format!("neither {variable} nor HOME says where to {purpose}")))
}

fn below(named: Option<PathBuf>, home: Option<PathBuf>, fallback: &str) -> Option<PathBuf> {
    let absolute = |path: Option<PathBuf>| path.filter(|path| path.is_absolute());
    let base = absolute(named).or_else(|| absolute(home).map(|home| home.join(Path::new(fallback))))?;
    Some(base.join("exasol"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_folder_is_none() {
        let dir = |named: &str, home: &str| below(Some(named.into()), Some(home.into()), ".cache");
        assert_eq!(dir("/x", "/home/u"), Some("/x/exasol".into()));
        assert_eq!(dir("x", "/home/u"), Some("/home/u/.cache/exasol".into()));
        assert_eq!(dir("", "home"), None);
    }
}
