//! A text that must not stay in memory, nor get into a message.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A password, a private key or a token. Its bytes are overwritten when it is dropped, and `{:?}` does not show it.
/// There is no `Display`: whoever writes it somewhere takes the text itself.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Secret {}

impl Deref for Secret {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Takes the text over: there is no copy.
impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<&String> for Secret {
    fn from(text: &String) -> Self {
        Self(text.clone())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_not_shown_and_is_a_text_in_json() {
        let secret = Secret::from("hunter2");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "Secret(…) Some(Secret(…))");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"hunter2\"");
        assert_eq!(serde_json::from_str::<Secret>("\"hunter2\"").unwrap(), secret);
    }

    /// The kernel tells what stands where the text was. The allocator writes into the first bytes of what it gets back.
    #[test]
    fn its_bytes_are_overwritten_when_it_is_dropped() {
        use std::os::unix::fs::FileExt;

        let secret = Secret::from("hunter2 ".repeat(512));
        let at = secret.as_ptr() as u64 + 64;
        drop(secret);
        let mut left = [0; 2048];
        let memory = std::fs::File::open("/proc/self/mem").unwrap();
        if memory.read_exact_at(&mut left, at).is_ok() {
            assert!(!String::from_utf8_lossy(&left).contains("hunter2"));
        }
    }
}
