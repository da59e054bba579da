use sha2::{Digest, Sha256};

/// The SHA-256 of `content`, 64 lower-case hexadecimal digits, as `sha256sum` prints it.
pub fn sha256_hex(content: impl AsRef<[u8]>) -> String {
    hex(Sha256::digest(content))
}

/// Bytes as lower-case hexadecimal digits, two a byte.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    base16ct::lower::encode_string(bytes.as_ref())
}

/// Whether this is a SHA-256 in hexadecimal digits, of either case.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_written_as_sha256sum_does() {
        // printf abc | sha256sum
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex("abc"), abc);
        assert!(is_sha256(abc) && is_sha256(&abc.to_uppercase()));
        assert!(!is_sha256(&abc[1..]) && !is_sha256(&abc.replace('b', "g")));
    }
}
