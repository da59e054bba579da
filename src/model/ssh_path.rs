//! What OpenSSH makes of a path in its configuration.

use std::path::Path;

/// A path as ssh_config(5) has it: in double quotes, `%` doubled. A `${` would be taken for an
/// environment variable and cannot be escaped.
///
/// Err: why ssh cannot use it.
pub fn ssh_path(path: &Path) -> Result<String, &'static str> {
    let text = path.to_str().ok_or("is not UTF-8")?;
    if text.contains("${") || text.contains('"') || text.chars().any(char::is_control) {
        return Err("contains ${, a double quote or a control character");
    }
    Ok(format!("\"{}\"", text.replace('\\', r"\\").replace('%', "%%")))
}
