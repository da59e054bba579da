//! Whether a cloud knows the account: one question that changes nothing, with a limit.
//!
//! Clouds whose calls need no signature are asked. Of the others `doctor` says that nobody was asked.

use std::time::Duration;

use super::power;
use crate::error::{Error, Result};
use crate::model::Check;
use crate::providers::cloud::PowerControl;
use crate::providers::{Credentials, Provider};
use crate::signal::Interrupt;

const ID: &str = "account";
const TITLE: &str = "the cloud accepts the credentials";
const LIMIT: Duration = Duration::from_secs(20);

/// None: there is no account, or its credentials were not found, which is another check.
///
/// # Errors
/// [`Error::Interrupted`].
pub(super) async fn check(
    provider: &'static Provider,
    credentials: Option<Credentials>,
    offline: bool,
    interrupt: &Interrupt,
) -> Result<Option<Check>> {
    let (Some(cloud), Some(found)) = (provider.cloud(), credentials) else { return Ok(None) };
    let not_asked = |why: &str| Ok(Some(Check::skipped(ID, TITLE, format!("not asked: {why}"))));
    if offline {
        return not_asked("--offline");
    }
    let PowerControl::Api(api) = &cloud.power else {
        return not_asked("its API takes signed calls only, which Terraform makes; deploy is the first to ask");
    };
    let answer = tokio::time::timeout(LIMIT, power::prove(api, &found, interrupt)).await;
    match answer {
        Ok(Ok(())) => Ok(Some(Check::ok(ID, TITLE, format!("{} answered ({})", provider.title, found.source)))),
        Ok(Err(error @ Error::Interrupted { .. })) => Err(error),
        Ok(Err(error)) if is_refusal(&error) => {
            let check = Check::failed(ID, TITLE, format!("{}: {error}", found.source));
            Ok(Some(check.fix("use credentials that are valid for this account, or create new ones at the provider")))
        }
        Ok(Err(error)) => Ok(Some(Check::warning(ID, TITLE, format!("not asked: {error}")))),
        Err(_) => Ok(Some(Check::warning(ID, TITLE, format!("not asked: no answer within {} s", LIMIT.as_secs())))),
    }
}

/// The cloud has answered, and does not accept who asks.
fn is_refusal(error: &Error) -> bool {
    let Error::Api { cause, .. } = error else { return false };
    ["HTTP 400", "HTTP 401", "HTTP 403", "HTTP 404"].iter().any(|status| cause.starts_with(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_is_a_refusal() {
        let api = |cause: &str| Error::Api { call: "GET x".into(), cause: cause.into(), hint: None };
        assert!(is_refusal(&api("HTTP 401 Unauthorized: unable to authenticate")));
        assert!(is_refusal(&api("HTTP 403 Forbidden")));
        for cause in ["connection refused", "HTTP 503 Service Unavailable", "no address is found for a.example: x"] {
            assert!(!is_refusal(&api(cause)), "{cause}");
        }
    }
}
