//! Which environment variables are secret, by their names.

/// A variable with one of these in its name has a secret as its value.
const PARTS: [&str; 9] =
    ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "PRIVATE", "CREDENTIAL", "ACCESS_KEY", "API_KEY"];

/// Whether an environment variable of that name holds a secret, or the way to one.
pub fn names_a_secret(variable: &str) -> bool {
    let variable = variable.to_ascii_uppercase();
    PARTS.iter().any(|part| variable.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_secret_and_places_are_not() {
        for secret in ["EXOSCALE_API_SECRET", "HCLOUD_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", "aws_secret_access_key"]
        {
            assert!(names_a_secret(secret), "{secret}");
        }
        for plain in ["PATH", "HOME", "SSH_AUTH_SOCK", "SSH_ASKPASS", "HTTPS_PROXY", "AWS_REGION", "KEYMAP"] {
            assert!(!names_a_secret(plain), "{plain}");
        }
    }
}
