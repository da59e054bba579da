//! Requests over the network: one client, and its errors in words, cause first.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, LAST_MODIFIED, RANGE};
use reqwest::{Client, Response, StatusCode, Url, redirect};

use super::address::shown;
use super::retry::Trouble;

const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// How long nothing may come.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
const REDIRECTS: usize = 5;

/// From where on a file is wanted, and of which version if that is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) offset: u64,
    /// What a first answer said of its version: a strong ETag or a date.
    pub(super) validator: Option<String>,
}

/// A server's answer with the file, or with the part that was asked for.
pub(super) struct Body {
    pub(super) response: Response,
    /// Where its first byte belongs.
    pub(super) offset: u64,
    /// Size of the whole file.
    pub(super) total: Option<u64>,
    pub(super) validator: Option<String>,
}

pub(super) fn client() -> Result<Client, Trouble> {
    // reqwest takes the process's default; a second call finds the first one's and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let built = Client::builder()
        .user_agent(concat!("exasol-deployer/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_LIMIT)
        .read_timeout(SILENCE_LIMIT)
        .redirect(redirect::Policy::custom(follow))
        .build();
    built.map_err(|error| Trouble::Permanent {
        cause: format!("TLS cannot be set up: {}", innermost(&error)),
        hint: Some("install the package ca-certificates, or name a file of certificates in SSL_CERT_FILE".into()),
    })
}

/// None: the server has no such part. The whole file may still be had.
pub(super) async fn get(client: &Client, url: &Url, from: &Wanted) -> Result<Option<Body>, Trouble> {
    let mut request = client.get(url.clone());
    if from.offset > 0 {
        request = request.header(RANGE, format!("bytes={}-", from.offset));
        if let Some(validator) = &from.validator {
            request = request.header(IF_RANGE, validator);
        }
    }
    let response = request.send().await.map_err(|error| trouble(&error))?;
    tracing::debug!(url = shown(url.as_str()), status = response.status().as_u16(), "HTTP answer");
    let validator = validator(response.headers());
    let length = response.content_length();
    match response.status() {
        StatusCode::OK => Ok(Some(Body { response, offset: 0, total: length, validator })),
        StatusCode::PARTIAL_CONTENT => Ok(content_range(response.headers())
            .filter(|(offset, _)| *offset == from.offset)
            .map(|(offset, total)| Body { response, offset, total, validator })),
        StatusCode::RANGE_NOT_SATISFIABLE => Ok(None),
        status => Err(refused(status)),
    }
}

pub(super) fn refused(status: StatusCode) -> Trouble {
    let cause = format!("HTTP {status}");
    let again =
        status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    if again { Trouble::Transient(cause) } else { Trouble::permanent(cause) }
}

/// In words, and whether it may be tried again.
pub(super) fn trouble(error: &reqwest::Error) -> Trouble {
    if let Some(tls) = find_tls(error) {
        return match tls {
            rustls::Error::InvalidCertificate(why) => Trouble::Permanent {
                cause: format!("TLS: the server's certificate is not accepted ({why})"),
                hint: Some("where a company's proxy replaces certificates, name its CA file in SSL_CERT_FILE".into()),
            },
            other => Trouble::Transient(format!("TLS: {other}")),
        };
    }
    if error.is_redirect() || error.is_builder() {
        return Trouble::permanent(innermost(error));
    }
    if error.is_timeout() {
        let (what, limit) =
            if error.is_connect() { ("no connection", CONNECT_LIMIT) } else { ("nothing came", SILENCE_LIMIT) };
        return Trouble::Transient(format!("{what} for {} s", limit.as_secs()));
    }
    Trouble::Transient(match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(io::ErrorKind::ConnectionReset) => "connection reset".to_owned(),
        _ if error.is_dns() => unresolved(error.url().and_then(url::Url::host_str), &innermost(error)),
        _ if error.is_connect() => format!("no connection: {}", innermost(error)),
        _ => format!("the connection broke: {}", innermost(error)),
    })
}

/// Never from https to http, and not for ever.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let was_secure = attempt.previous().iter().any(|url| url.scheme() == "https");
    if attempt.previous().len() > REDIRECTS {
        attempt.error("redirected too often")
    } else if was_secure && attempt.url().scheme() != "https" {
        attempt.error("redirected from https to an address without encryption")
    } else {
        attempt.follow()
    }
}

/// `bytes 1000-1999/2000`: where it begins, and the size of the whole.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (part, total) = range.split_once('/')?;
    Some((part.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

/// What `If-Range` may name: a weak ETag may not.
fn validator(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name)?.to_str().ok();
    let etag = text(ETAG).filter(|etag| !etag.starts_with("W/"));
    etag.or_else(|| text(LAST_MODIFIED)).map(str::to_owned)
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

fn find<T: StdError + 'static>(error: &reqwest::Error) -> Option<&T> {
    chain(error).find_map(|cause| cause.downcast_ref())
}

/// TLS errors travel inside of I/O errors, one or two deep, which don't name them as their source.
fn find_tls(error: &reqwest::Error) -> Option<&rustls::Error> {
    chain(error).find_map(|cause| {
        let mut inner = cause.downcast_ref::<io::Error>()?.get_ref()?;
        while let Some(deeper) = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            inner = deeper;
        }
        inner.downcast_ref()
    })
}

/// `why`: "failed to lookup address information: Name or service not known".
fn unresolved(host: Option<&str>, why: &str) -> String {
    let why = why.rsplit(": ").next().unwrap_or(why);
    format!("no address is found for {}: {why}", host.unwrap_or("its host"))
}

fn innermost(error: &reqwest::Error) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_resolved_is_named() {
        let why = "failed to lookup address information: Name or service not known";
        assert_eq!(
            unresolved(Some("x-up.example.com"), why),
            "no address is found for x-up.example.com: Name or service not known"
        );
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn a_content_range_is_read_with_and_without_the_whole_size() {
        let range = |value| content_range(&headers("content-range", value));
        assert_eq!(range("bytes 1000-1999/2000"), Some((1000, Some(2000))));
        assert_eq!(range("bytes 0-9/*"), Some((0, None)));
        for wrong in ["bytes */2000", "items 0-9/10", "bytes x-9/10", ""] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_weak_etag_does_not_identify_a_version() {
        assert_eq!(validator(&headers("etag", "\"abc\"")).as_deref(), Some("\"abc\""));
        assert_eq!(validator(&headers("etag", "W/\"abc\"")), None);
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        assert_eq!(validator(&headers("last-modified", date)).as_deref(), Some(date));
    }

    #[test]
    fn fuzz_http_headers() {
        crate::fuzz::target("http-headers", &[b"bytes 1000-1999/2000", b"bytes 0-9/*", b"W/\"abc\""], |bytes| {
            let Ok(value) = reqwest::header::HeaderValue::from_bytes(bytes) else { return };
            for name in [CONTENT_RANGE, ETAG, LAST_MODIFIED] {
                let headers = HeaderMap::from_iter([(name, value.clone())]);
                let _ = (content_range(&headers), validator(&headers));
            }
        });
    }
}
