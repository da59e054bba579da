//! Addresses of files as users give them: which part may be shown, and what the file's name is.

use url::Url;

/// An address as it may be shown and logged: without user, password, query and fragment, where
/// passwords and signatures are.
pub fn shown_address(text: &str) -> String {
    let Some((scheme, _)) = text.split_once("://") else { return without_query(text).to_owned() };
    // A text that is not a URL may have a password anywhere, for example one with a slash in it.
    bare(text).map_or_else(|| format!("{scheme}://…"), String::from)
}

/// None for what is no address of a place.
fn bare(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    if url.username().is_empty() && url.password().is_none() {
        return Some(url);
    }
    url.set_password(None).and_then(|()| url.set_username("")).ok()?;
    Some(url)
}

/// The last part of an address's path. Empty if there is none.
pub fn address_file_name(url: &str) -> &str {
    let bare = without_query(url);
    let rest = bare.split_once("://").map_or(bare, |(_, rest)| rest);
    rest.split_once('/').map_or("", |(_, path)| path.rsplit('/').next().unwrap_or_default())
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        for (url, shown) in [
            ("https://me:secret@example.com/c4?X-Amz-Signature=abc", "https://example.com/c4"),
            ("https://me:se@cret@example.com:8443/a/b.img#x", "https://example.com:8443/a/b.img"),
            ("https://[fd00::1]:8443/b.img", "https://[fd00::1]:8443/b.img"),
            ("file:///srv/c4", "file:///srv/c4"),
            ("https://me:sec/ret@example.com/c4", "https://…"),
            ("https://me:sec?ret@example.com/c4", "https://…"),
            ("qemu+ssh://me:secret@host/system?keyfile=k", "qemu+ssh://host/system"),
            ("c4", "c4"),
        ] {
            assert_eq!(shown_address(url), shown, "{url}");
        }
    }

    #[test]
    fn a_file_is_called_by_the_end_of_its_path() {
        for (url, name) in [
            ("https://h/a/b.img?signature=a/b&x=1", "b.img"),
            ("https://h/b.img#c/d", "b.img"),
            ("https://h/a/", ""),
            ("https://h", ""),
        ] {
            assert_eq!(address_file_name(url), name, "{url}");
        }
    }
}
