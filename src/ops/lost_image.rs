//! An image that a cloud has taken away. Later machines get the image that is recorded, so that all nodes are alike; but
//! clouds delete their images after some months, and then no node can be added or made anew. Machines that exist do not
//! need it: the templates ignore another image for them.

use serde_json::Value;

use super::operation::Work;
use crate::error::{Error, Result};

/// After an apply that has failed: forgets the recorded image if it does not exist any more, so that the next attempt
/// looks up the newest one of the same system.
pub(super) fn forget(work: &mut Work, error: &Error) -> Result<()> {
    let Error::Tool(failure) = error else { return Ok(()) };
    let Some(id) = work.dir.state().image_id().map(name) else { return Ok(()) };
    if !failure.diagnostics.iter().any(|text| is_lost(text, &id)) {
        return Ok(());
    }
    work.dir.forget_image()?;
    work.sink.warn(format!(
        "the recorded image {id} does not exist any more: the next attempt makes new nodes from the newest image of the \
         same system; nodes that exist stay as they are"
    ));
    Ok(())
}

fn name(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// Whether a diagnostic says that there is no such image, in the words of any cloud.
fn is_lost(text: &str, id: &str) -> bool {
    const IMAGE: [&str; 3] = ["image", "amiid", "template"];
    const GONE: [&str; 6] =
        ["not found", "notfound", "does not exist", "not available", "unavailable", "invalid image"];
    let text = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    (text.contains(&id.to_lowercase()) || has(&IMAGE)) && has(&GONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_image_is_told_by_any_cloud_s_words() {
        let id = "Canonical:ubuntu-24_04-lts:server:24.04.202509010";
        for text in [
            "api error InvalidAMIID.NotFound: The image id '[ami-0abc]' does not exist",
            "The platform image 'Canonical:ubuntu-24_04-lts:server:24.04.202509010' is not available. (PlatformImageNotFound)",
            "Error creating instance: The resource 'projects/ubuntu-os-cloud/global/images/x' was not found, notFound",
            "image 114690387 not found (not_found, 0a1b)",
            "You specified an invalid image for Droplet creation.",
            "Get template: resource not found",
        ] {
            assert!(is_lost(text, id), "{text}");
        }
        for text in [
            "The requested VM size is not available in the current region",
            "server type cpx32 not found",
            "quota for images exceeded",
        ] {
            assert!(!is_lost(text, id), "{text}");
        }
    }
}
