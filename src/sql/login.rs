use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::pkcs8::DecodePublicKey;
use rsa::{Pkcs1v15Encrypt, RsaPublicKey};
use serde::{Deserialize, Serialize};

use super::deadline::Deadline;
use super::fault::Fault;
use super::protocol::{Call, PROTOCOL_VERSION, content};
use super::wire::Wire;

/// What a server says about itself when it has let us in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all(deserialize = "camelCase"))]
pub struct ServerInfo {
    pub session_id: u64,
    pub protocol_version: u32,
    /// `2025.1.8`; `2025.1.8+rehearsal` and the like for a rehearsal.
    pub release_version: String,
    pub database_name: String,
    /// `EXASolution`, or the rehearsal's label.
    pub product_name: String,
    pub time_zone: String,
}

/// A key for this connection alone, with which the password is sealed.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LoginKey {
    public_key_pem: String,
}

/// The login's second message, the only one without a "command".
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Credentials<'a> {
    username: &'a str,
    password: String,
    use_compression: bool,
    client_name: &'static str,
    driver_name: &'static str,
    client_version: &'static str,
    client_os: &'static str,
    attributes: Attributes,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    autocommit: bool,
}

pub(super) async fn login(
    wire: &mut Wire,
    user: &str,
    password: &str,
    deadline: &Deadline,
) -> Result<ServerInfo, Fault> {
    let request = Call::Login { protocol_version: PROTOCOL_VERSION };
    let key: LoginKey = content(&wire.ask(&request, "the login key", deadline).await?)?;
    let credentials = Credentials {
        username: user,
        password: sealed(password, &key.public_key_pem)?,
        use_compression: false,
        client_name: "exasol deployer",
        driver_name: env!("CARGO_PKG_NAME"),
        client_version: env!("CARGO_PKG_VERSION"),
        client_os: std::env::consts::OS,
        attributes: Attributes { autocommit: true },
    };
    content(&wire.ask(&credentials, "the answer to the login", deadline).await?)
}

/// The password as it travels: encrypted with the server's key, in base64.
fn sealed(password: &str, pem: &str) -> Result<String, Fault> {
    let unusable = |error: rsa::Error| Fault::Broken(format!("the server's login key cannot be used: {error}"));
    // Real servers send PKCS #1; SubjectPublicKeyInfo is what other tools would make.
    let key = RsaPublicKey::from_pkcs1_pem(pem)
        .or_else(|_| RsaPublicKey::from_public_key_pem(pem))
        .map_err(|error| Fault::Broken(format!("the server's login key cannot be read: {error}")))?;
    let sealed = key.encrypt(&mut rsa::rand_core::OsRng, Pkcs1v15Encrypt, password.as_bytes()).map_err(unusable)?;
    Ok(BASE64.encode(sealed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_answer_to_a_login_is_read() {
        let answer = r#"{"status":"ok","responseData":{"sessionId":1827369127369127369,"protocolVersion":3,
            "releaseVersion":"2025.1.8","databaseName":"Exasol","productName":"EXASolution","maxDataMessageSize":67108864,
            "maxIdentifierLength":128,"maxVarcharLength":2000000,"identifierQuoteString":"\"","timeZone":"UTC",
            "timeZoneBehavior":"INVALID SHIFT AMBIGUOUS ST"}}"#;
        let info: ServerInfo = content(answer).unwrap();
        assert_eq!((info.session_id, info.release_version.as_str()), (1827369127369127369, "2025.1.8"));
        assert_eq!((info.product_name.as_str(), info.database_name.as_str()), ("EXASolution", "Exasol"));
    }

    #[test]
    fn a_server_that_says_nothing_of_itself_is_accepted() {
        let info: ServerInfo = content(r#"{"status":"ok","responseData":{}}"#).unwrap();
        assert_eq!(info, ServerInfo::default());
    }

    #[test]
    fn a_key_that_is_none_is_an_error() {
        for pem in ["", "-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n", "\0"] {
            assert!(matches!(sealed("secret", pem), Err(Fault::Broken(_))), "{pem}");
        }
    }

    #[test]
    fn fuzz_sql_login_key() {
        let key = include_str!("../../tests/fixtures/fuzz/sql-login-key/pkcs1.pem");
        crate::fuzz::text_target("sql-login-key", &[key], |text| drop(sealed("secret", text)));
    }
}
