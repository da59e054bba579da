//! Options that are set by environment variables.

use std::env::VarError;

use crate::error::{Error, Result};

/// The variable's value. A value that is not UTF-8 is an error, and is not ignored.
pub(super) fn text(name: &str) -> Result<Option<String>> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Error::Usage {
            message: format!("the environment variable {name} is not UTF-8"),
            hint: Some("encode its value in UTF-8, or unset it".into()),
        }),
    }
}
