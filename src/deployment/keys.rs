//! What is drawn at random for a deployment: passwords, its id, SSH keys; and how passwords are
//! hashed and checked. All randomness is the operating system's.

use anyhow::Context as _;
use sha_crypt::{PasswordHasher, ShaCrypt};
use ssh_key::private::RsaKeypair;
use ssh_key::rand_core::{OsRng, RngCore};
use ssh_key::{Algorithm, LineEnding, PrivateKey, PublicKey};

use crate::error::{Error, Result};
use crate::model::{DeploymentId, PASSWORD_MAX_BYTES};

const PASSWORD_LENGTH: usize = 24;

// Without those that are taken for each other: 0 O o, 1 I l. No signs, so that the password can be
// typed on any keyboard and pasted into any connection string.
const LOWER: &[u8] = b"abcdefghijkmnpqrstuvwxyz";
const UPPER: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
const DIGITS: &[u8] = b"23456789";

/// RSA, because that is what nearly all sources of c4 use between nodes. 3072 bits have the strength
/// of 128-bit symmetric keys (NIST SP 800-57) and are ssh-keygen's default.
const RSA_BITS: usize = 3072;

/// 24 letters and digits, at least one lower-case, one upper-case letter and one digit: 139 bits.
pub fn generate_password() -> Result<String> {
    let alphabet = [LOWER, UPPER, DIGITS].concat();
    loop {
        let password: Vec<u8> = (0..PASSWORD_LENGTH).map(|_| draw(&alphabet)).collect::<Result<_>>()?;
        // Drawing anew keeps all passwords with every class equally likely.
        if [LOWER, UPPER, DIGITS].iter().all(|class| password.iter().any(|b| class.contains(b))) {
            return Ok(password.iter().map(|b| char::from(*b)).collect());
        }
    }
}

/// A new deployment's id.
pub fn generate_id() -> Result<DeploymentId> {
    Ok(DeploymentId::from_random(random()?))
}

/// A private Ed25519 key, OpenSSH PEM.
pub fn ed25519_key(comment: &str) -> Result<String> {
    let mut key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(failed("make an SSH key"))?;
    key.set_comment(comment);
    pem(&key)
}

/// A private RSA key, OpenSSH PEM. Takes about 2 s of one CPU, with luck 1 and without 5 (release build): call it
/// where nothing waits for it.
pub fn rsa_key(comment: &str) -> Result<String> {
    let pair = RsaKeypair::random(&mut OsRng, RSA_BITS).map_err(failed("make an RSA key"))?;
    pem(&PrivateKey::new(pair.into(), comment).map_err(failed("make an RSA key"))?)
}

/// The public half of a private key as a line for `authorized_keys` (without line break): type, base64, comment.
pub fn public_key(pem: &str) -> Result<String> {
    let key = PrivateKey::from_openssh(pem).map_err(failed("read an SSH key"))?;
    key.public_key().to_openssh().map_err(failed("write a public SSH key"))
}

/// Whether a text is a private key that works without a question. Err: "must be …".
pub fn check_private_key(text: &str) -> Result<(), String> {
    match PrivateKey::from_openssh(text) {
        Ok(key) if key.is_encrypted() => Err("must be a key without a passphrase: nobody could be asked for it".into()),
        Ok(_) => Ok(()),
        Err(_) => Err("must be a private key in OpenSSH's form (-----BEGIN OPENSSH PRIVATE KEY-----)".into()),
    }
}

/// A public host key without its comment, if the text is one of the kind that nodes have.
pub fn host_key(text: &str) -> Option<String> {
    let key = PublicKey::from_openssh(text).ok().filter(|key| key.algorithm() == Algorithm::Ed25519)?;
    PublicKey::new(key.key_data().clone(), "").to_openssh().ok()
}

/// sha512-crypt as `/etc/shadow` has it: `$6$rounds=5000$<salt>$<hash>`.
pub fn hash_password(password: &str) -> Result<String> {
    // 12 bytes are 16 characters of salt: crypt(3) looks at no more.
    let salt: [u8; 12] = random()?;
    let hash =
        ShaCrypt::SHA512.hash_password_with_salt(password.as_bytes(), &salt).context("cannot hash a password")?;
    Ok(hash.to_string())
}

/// Whether somebody's own password can be used everywhere it has to go. `flag` is how it was given.
///
/// # Errors
/// [`Error::InvalidValue`], which describes the password and does not show it.
pub fn check_password(flag: &str, password: &str) -> Result<()> {
    let found = if password.is_empty() {
        "an empty password".to_owned()
    } else if password.len() > PASSWORD_MAX_BYTES {
        format!("a password of {} bytes", password.len())
    } else if password.contains(['\n', '\r']) {
        "a password with a line break".to_owned()
    } else if password.contains('\0') {
        "a password with a NUL character".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::invalid(flag, found, format!("must be 1 to {PASSWORD_MAX_BYTES} bytes of UTF-8, no line break, no NUL")))
}

fn pem(key: &PrivateKey) -> Result<String> {
    Ok(key.to_openssh(LineEnding::LF).map_err(failed("write an SSH key"))?.to_string())
}

/// One of `alphabet`, each as likely as the others.
fn draw(alphabet: &[u8]) -> Result<u8> {
    loop {
        let [byte] = random()?;
        // The highest multiple of the alphabet's length: what is above would favour its beginning.
        let fair = 256 - 256 % alphabet.len();
        if usize::from(byte) < fair {
            return Ok(alphabet[usize::from(byte) % alphabet.len()]);
        }
    }
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).context("the system gives no random numbers")?;
    Ok(bytes)
}

fn failed(what: &'static str) -> impl FnOnce(ssh_key::Error) -> Error {
    move |e| Error::other(format!("cannot {what}: {e}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use sha_crypt::{PasswordHash, PasswordVerifier};

    use super::*;

    #[test]
    fn passwords_have_every_class_and_no_lookalike() {
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let password = generate_password().unwrap();
            assert_eq!(password.len(), 24);
            check_password("--x", &password).unwrap();
            assert!(password.contains(|c: char| c.is_ascii_lowercase()));
            assert!(password.contains(|c: char| c.is_ascii_uppercase()));
            assert!(password.contains(|c: char| c.is_ascii_digit()));
            assert!(!password.contains(['0', 'O', 'o', '1', 'I', 'l']), "{password}");
            assert!(seen.insert(password));
        }
        let used: BTreeSet<char> = seen.iter().flat_map(|p| p.chars()).collect();
        assert_eq!(used.len(), LOWER.len() + UPPER.len() + DIGITS.len());
    }

    #[test]
    fn ids_differ() {
        assert_ne!(generate_id().unwrap(), generate_id().unwrap());
    }

    #[test]
    fn keys_are_read_by_ssh_keygen() {
        use std::os::unix::fs::PermissionsExt;
        for (kind, bits, key) in [
            ("ssh-ed25519", "256 ", ed25519_key("exasol n11").unwrap()),
            ("ssh-rsa", "3072 ", rsa_key("exasol n11").unwrap()),
        ] {
            assert!(key.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
            assert!(key.ends_with("-----END OPENSSH PRIVATE KEY-----\n"));
            let line = public_key(&key).unwrap();
            assert!(line.starts_with(kind) && line.ends_with(" exasol n11"), "{line}");

            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &key).unwrap();
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
            let run = |options: &[&str]| {
                #[allow(clippy::disallowed_types, clippy::disallowed_methods)]
                let output = std::process::Command::new("ssh-keygen").args(options).arg(file.path()).output();
                output.ok().map(|o| String::from_utf8(o.stdout).unwrap())
            };
            // Where there is no ssh-keygen, the crate's own reader has to do.
            if let Some(public) = run(&["-y", "-f"]) {
                assert_eq!(public.trim_end(), line);
                assert!(run(&["-l", "-f"]).unwrap().starts_with(bits));
            }
        }
        assert!(public_key("no key").is_err());
    }

    #[test]
    fn a_hash_is_what_crypt_makes_of_it() {
        let hash = hash_password("a \"pass\\word'").unwrap();
        let fields: Vec<_> = hash.split('$').collect();
        assert_eq!((fields[1], fields[2], fields[3].len(), fields[4].len()), ("6", "rounds=5000", 16, 86));
        let read = PasswordHash::new(hash.as_str()).unwrap();
        assert!(ShaCrypt::SHA512.verify_password(b"a \"pass\\word'", &read).is_ok());
        assert!(ShaCrypt::SHA512.verify_password(b"another", &read).is_err());
        assert_ne!(hash, hash_password("a \"pass\\word'").unwrap());
    }

    #[test]
    fn wrong_passwords_are_described_not_shown() {
        let long = "x".repeat(118);
        for wrong in ["", "secret\n", "secret\r", "secret\0", &long] {
            let error = check_password("--db-password-file", wrong).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let text = error.to_string();
            assert!(text.contains("--db-password-file") && text.contains("1 to 117 bytes"), "{text}");
            assert!(wrong.is_empty() || !text.contains(wrong.trim_end()), "{text}");
        }
        assert!(check_password("--x", &"x".repeat(117)).is_ok());
        assert!(check_password("--x", &"ü".repeat(59)).is_err());
    }

    proptest! {
        #[test]
        fn what_is_allowed_is_within_the_limits(password in any::<String>()) {
            let fits = !password.is_empty() && password.len() <= 117 && !password.contains(['\n', '\r', '\0']);
            prop_assert_eq!(check_password("--x", &password).is_ok(), fits);
        }
    }

    #[test]
    fn fuzz_ssh_keys() {
        let seeds = [
            include_str!("../../tests/fixtures/frozen/schema-1/ssh/id_ed25519"),
            include_str!("../../tests/fixtures/frozen/schema-1/ssh/id_ed25519.pub"),
        ];
        crate::fuzz::text_target("ssh-keys", &seeds, |text| {
            let _ = (check_private_key(text), public_key(text));
            assert!(host_key(text).is_none_or(|key| key.starts_with("ssh-ed25519 ") && !key.contains('\n')));
        });
    }
}
