//! How, from where and when a text is looked at.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

/// Lines of sentences are not longer than this, however wide the terminal is: nobody reads them.
const TEXT_MOST: usize = 100;
/// A narrower terminal gets lines for this width.
const LEAST: usize = 40;
/// What the layout is chosen for where nothing is wrapped.
const USUAL: usize = 80;

/// Nothing is known about the default: a pipe.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub colors: bool,
    /// Of the terminal; None where nothing may be wrapped or left out.
    pub columns: Option<usize>,
    /// Everything, not only what is remarkable.
    pub verbose: bool,
    /// What `~` stands for.
    pub home: Option<PathBuf>,
    /// Now, here.
    pub now: ZonedDateTime,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            colors: false,
            columns: None,
            verbose: false,
            home: None,
            now: Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC),
        }
    }
}

impl Look {
    /// As wide as the terminal says, within reason.
    pub fn columns(reported: u16) -> Option<usize> {
        Some(usize::from(reported).max(LEAST)).filter(|_| reported > 0)
    }

    /// How long a line of a sentence may be; None: as long as it is.
    pub fn text_width(&self) -> Option<usize> {
        self.columns.map(|columns| columns.min(TEXT_MOST))
    }

    /// Whether something so wide fits.
    pub fn has_room_for(&self, width: usize) -> bool {
        width <= self.columns.unwrap_or(USUAL)
    }

    /// A directory as people write it: `~/w/duo`.
    pub fn short(&self, path: &Path) -> String {
        let below =
            self.home.as_deref().filter(|home| home.parent().is_some()).and_then(|home| path.strip_prefix(home).ok());
        match below {
            Some(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
            Some(rest) => format!("~/{}", rest.display()),
            None => path.display().to_string(),
        }
    }

    /// A recorded moment by this machine's clock: `02:14 (41 min ago)`; other days have their date. What is no moment
    /// is shown as it is.
    pub fn moment(&self, at: &str) -> String {
        let Ok(when) = at.parse::<Timestamp>() else { return at.to_owned() };
        let local = when.to_zoned_datetime(self.now.time_zone().clone());
        let format = if local.date() == self.now.date() { "%H:%M" } else { "%-d %b %Y %H:%M" };
        format!("{} ({})", local.strftime(format), self.ago(at))
    }

    /// `41 min ago`
    pub fn ago(&self, at: &str) -> String {
        match self.since(at) {
            Some(time) if time == "0 s" => "just now".to_owned(),
            Some(time) => format!("{time} ago"),
            None => at.to_owned(),
        }
    }

    /// How long ago that was: `41 min`, `3 h`, `2 days`.
    pub fn since(&self, at: &str) -> Option<String> {
        let when = at.parse::<Timestamp>().ok()?;
        // A clock that was set back.
        let seconds = self.now.timestamp().duration_since(when).as_secs().max(0);
        Some(match seconds {
            0..60 => format!("{seconds} s"),
            60..7200 => format!("{} min", seconds / 60),
            7200..172_800 => format!("{} h", seconds / 3600),
            _ => format!("{} days", seconds / 86_400),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(columns: Option<usize>) -> Look {
        let now = "2026-01-02T02:00:00Z"
            .parse::<Timestamp>()
            .unwrap()
            .to_zoned_datetime(TimeZone::fixed(jiff::tz::offset(1)));
        Look { columns, home: Some("/home/eva".into()), now, ..Look::default() }
    }

    #[test]
    fn moments_are_told_by_the_clock_on_the_wall() {
        let look = look(None);
        let told = |at: &str| look.moment(at);
        assert_eq!(told("2026-01-02T01:19:00Z"), "02:19 (41 min ago)");
        assert_eq!(told("2026-01-02T01:59:59.999Z"), "02:59 (just now)");
        assert_eq!(told("2026-01-01T20:00:00Z"), "1 Jan 2026 21:00 (6 h ago)");
        assert_eq!(told("2025-12-03T02:00:00Z"), "3 Dec 2025 03:00 (30 days ago)");
        assert_eq!(told("2027-01-01T00:00:00Z"), "1 Jan 2027 01:00 (just now)");
        assert_eq!(told("soon"), "soon");
    }

    #[test]
    fn directories_are_told_from_home() {
        let look = look(None);
        let short = |path: &str| look.short(Path::new(path));
        assert_eq!(
            [short("/home/eva/w/duo"), short("/home/eva"), short("/home/evan/w")],
            ["~/w/duo", "~", "/home/evan/w"]
        );
        let root = Look { home: Some("/".into()), ..Look::default() };
        assert_eq!(root.short(Path::new("/srv/duo")), "/srv/duo");
    }

    #[test]
    fn a_width_is_within_reason() {
        assert_eq!([Look::columns(0), Look::columns(20), Look::columns(200)], [None, Some(40), Some(200)]);
        assert_eq!(
            [look(Some(200)).text_width(), look(Some(60)).text_width(), look(None).text_width()],
            [Some(100), Some(60), None]
        );
        assert!(look(None).has_room_for(80) && !look(None).has_room_for(90) && look(Some(200)).has_room_for(90));
    }
}
