use std::time::Duration;

use reqwest::StatusCode;

use super::address::Address;
use super::remote;
use super::retry::Trouble;
use crate::error::{Error, Result};

/// One short question.
const LIMIT: Duration = Duration::from_secs(5);
/// S3 answers 403 for what it does not have, where nobody may list.
const ABSENT: [StatusCode; 3] = [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND, StatusCode::GONE];

/// Whether the server has that file; asked once, and nothing is fetched.
///
/// # Errors
/// `Download`: it did not answer, or with something else than yes or no.
pub async fn is_there(url: &str) -> Result<bool> {
    let failed = |trouble: Trouble| match trouble {
        Trouble::Ours(error) => error,
        Trouble::Transient(cause) => Error::Download { url: super::address::shown(url), cause, hint: None },
        Trouble::Permanent { cause, hint } => Error::Download { url: super::address::shown(url), cause, hint },
    };
    let Address::Remote(address) = Address::parse(url, true)? else { return Ok(false) };
    let client = remote::client().map_err(failed)?;
    let answer = client.head(address).timeout(LIMIT).send().await.map_err(|error| failed(remote::trouble(&error)))?;
    match answer.status() {
        status if status.is_success() => Ok(true),
        status if ABSENT.contains(&status) => Ok(false),
        status => Err(failed(remote::refused(status))),
    }
}
