//! What can be learned from a SQL port without a password.

use std::time::Duration;

use super::Endpoint;
use super::deadline::Deadline;
use super::fault::Fault;
use super::login::login;
use super::wire::{Wire, secured};
use crate::error::Result;
use crate::model::Probe;

/// SQLSTATE of a refused login: only a database that is up can know that the password is wrong.
const LOGIN_REFUSED: &str = "08004";

/// A user that no database has, so that no account is ever locked by probing.
const NOBODY: &str = "exasol_deployer_readiness_probe";

/// The fingerprint of the certificate that a port shows: SHA-256, 64 lower-case hex digits.
pub async fn fingerprint(host: &str, port: u16, limit: Duration) -> Result<String> {
    let endpoint = Endpoint { host: host.to_owned(), port, fingerprint: None, tunnel: None };
    let seen = secured(&endpoint, &Deadline::after(limit)).await;
    seen.map(|(_, fingerprint)| fingerprint).map_err(|fault| fault.of_login(&endpoint))
}

/// Whether the database lets people in, found out with a login that must fail: the refusal proves
/// that it is up (Exasol's own launcher asks the same way).
pub async fn accepts_logins(endpoint: &Endpoint, limit: Duration) -> Probe {
    let (result, ms) = attempt(endpoint, NOBODY, "-", limit).await;
    match result {
        Err(Fault::Answered { code, .. }) if code == LOGIN_REFUSED => Probe::ok(ms),
        Err(fault) => fault.into_probe(ms),
        Ok(()) => Fault::Broken("it lets in a user that does not exist".into()).into_probe(ms),
    }
}

/// The same with a login that must succeed: the last word on whether a database is ready.
pub async fn lets_in(endpoint: &Endpoint, user: &str, password: &str, limit: Duration) -> Probe {
    match attempt(endpoint, user, password, limit).await {
        (Ok(()), ms) => Probe::ok(ms),
        (Err(fault), ms) => fault.into_probe(ms),
    }
}

async fn attempt(endpoint: &Endpoint, user: &str, password: &str, limit: Duration) -> (Result<(), Fault>, u64) {
    let deadline = Deadline::after(limit);
    let attempt = async {
        let mut wire = Wire::open(endpoint, &deadline).await?;
        let answer = login(&mut wire, user, password, &deadline).await;
        if !matches!(answer, Err(Fault::Timeout { .. } | Fault::Broken(_))) {
            wire.close(&deadline).await;
        }
        answer.map(drop)
    };
    let result = attempt.await;
    (result, u64::try_from(deadline.elapsed().as_millis()).unwrap_or(u64::MAX))
}
