//! How long a login that fails is tried again. A database that has just come up may refuse everybody, close
//! connections or answer errors of its start for a while; Exasol's own launcher gives it half an hour.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// SQLSTATE of a wrong user or password, and of nothing else that is known.
const LOGIN_REFUSED: &str = "08004";
/// A password that is refused for so long is wrong.
const REFUSED_LIMIT: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(5);
/// The same cause is told again after so long.
const TELL_AGAIN: Duration = Duration::from_secs(30);

/// Of one node's attempts.
pub(super) struct Patience<'a> {
    host: &'a str,
    limit: Duration,
    since: Instant,
    refused_since: Option<Instant>,
    pause: Duration,
    told: Option<(String, Instant)>,
}

impl<'a> Patience<'a> {
    pub(super) fn new(host: &'a str, limit: Duration) -> Self {
        Self { host, limit, since: Instant::now(), refused_since: None, pause: SHORTEST, told: None }
    }

    /// What is left for one attempt, which must not use up all of it.
    pub(super) fn for_one(&self) -> Duration {
        self.limit.saturating_sub(self.since.elapsed()).clamp(Duration::from_secs(1), Duration::from_secs(60))
    }

    /// How long to wait after this failure before the next attempt, and what is worth telling meanwhile.
    ///
    /// # Errors
    /// The failure, where another attempt makes no sense.
    pub(super) fn after(&mut self, error: Error) -> Result<(Duration, Option<String>)> {
        let now = Instant::now();
        self.refused_since = is_refusal(&error).then(|| self.refused_since.unwrap_or(now));
        let refused_for = self.refused_since.map(|since| now - since);
        let pause = self.pause;
        match verdict(&error, now - self.since, refused_for, pause, self.limit) {
            Verdict::Again => {}
            Verdict::Final => return Err(error),
            Verdict::Late => {
                return Err(Error::SqlConnection {
                    host: self.host.to_owned(),
                    cause: format!("no login in {} s; last: {error}", self.limit.as_secs()),
                    code: None,
                    hint: None,
                });
            }
        }
        self.pause = (pause * 2).min(LONGEST);
        let text = error.to_string();
        let news = self.told.as_ref().is_none_or(|(old, at)| *old != text || now - *at >= TELL_AGAIN);
        let tell = news.then(|| format!("{}: no login yet: {text}", self.host));
        if news {
            self.told = Some((text, now));
        }
        Ok((pause, tell))
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Again,
    /// The failure itself is the answer.
    Final,
    Late,
}

/// `refused_for`: since when every attempt was refused.
fn verdict(
    error: &Error,
    elapsed: Duration,
    refused_for: Option<Duration>,
    pause: Duration,
    limit: Duration,
) -> Verdict {
    match (error, refused_for) {
        // Another certificate does not mend itself.
        (Error::Fingerprint { .. }, _) => Verdict::Final,
        // Who asks whether a database is still well has no time to find out whether that passes.
        (_, Some(refused)) if refused >= REFUSED_LIMIT || limit < REFUSED_LIMIT => Verdict::Final,
        _ if elapsed + pause > limit => Verdict::Late,
        _ => Verdict::Again,
    }
}

pub(super) fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::SqlConnection { code: Some(code), .. } if code == LOGIN_REFUSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(300);

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn answered(code: Option<&str>) -> Error {
        Error::SqlConnection {
            host: "n11".into(),
            cause: "[R0001] not now".into(),
            code: code.map(str::to_owned),
            hint: None,
        }
    }

    fn of(error: &Error, elapsed: u64, refused_for: Option<u64>) -> Verdict {
        verdict(error, s(elapsed), refused_for.map(s), SHORTEST, LIMIT)
    }

    #[test]
    fn only_a_refusal_that_lasts_is_final() {
        let refused = answered(Some("08004"));
        assert!(is_refusal(&refused));
        for (elapsed, refused_for, expected) in
            [(0, 0, Verdict::Again), (29, 29, Verdict::Again), (30, 30, Verdict::Final), (200, 10, Verdict::Again)]
        {
            assert_eq!(of(&refused, elapsed, Some(refused_for)), expected, "{elapsed} {refused_for}");
        }
    }

    #[test]
    fn every_other_answer_is_asked_again_until_time_is_up() {
        for code in [None, Some("R0001"), Some("00000"), Some("08001"), Some("40001")] {
            let error = answered(code);
            assert!(!is_refusal(&error));
            assert_eq!(of(&error, 0, None), Verdict::Again, "{code:?}");
            assert_eq!(of(&error, 299, None), Verdict::Again, "{code:?}");
            assert_eq!(of(&error, 300, None), Verdict::Late, "{code:?}");
        }
    }

    #[test]
    fn another_certificate_is_final_at_once() {
        let error = Error::Fingerprint { host: "n11".into(), expected: "a".into(), found: "b".into(), hint: None };
        assert_eq!(of(&error, 0, None), Verdict::Final);
    }

    #[test]
    fn a_short_question_has_no_time_for_a_refusal() {
        assert_eq!(verdict(&answered(Some("08004")), s(0), Some(s(0)), SHORTEST, s(5)), Verdict::Final);
        assert_eq!(verdict(&answered(None), s(0), None, SHORTEST, s(5)), Verdict::Again);
    }

    #[test]
    fn an_end_of_refusals_begins_their_time_anew_and_a_cause_is_told_once() {
        let mut patience = Patience::new("n11", LIMIT);
        let (first, told) = patience.after(answered(Some("08004"))).unwrap();
        assert_eq!(told.unwrap(), "n11: no login yet: SQL connection to n11 failed: [R0001] not now");
        let began = patience.refused_since.unwrap();
        let (second, told) = patience.after(answered(Some("08004"))).unwrap();
        assert_eq!((told, patience.refused_since), (None, Some(began)));
        assert!(second > first);
        patience.after(answered(None)).unwrap();
        assert_eq!(patience.refused_since, None);
    }
}
