//! Long texts: the user's pager takes this process's place.

use crate::tools::pager;

/// Returns only where there is no pager: the text is then still to be shown.
pub fn take_over(text: &str) {
    if let Err(error) = pager::become_pager(text) {
        tracing::debug!("no pager: {error}");
    }
}
