use jiff::Timestamp;

/// `under 1 s`, `12 s`, `2 min 5 s`, `1 h 4 min`.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match seconds {
        0 => "under 1 s".to_owned(),
        1..60 => format!("{seconds} s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{minutes} min"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        _ if minutes.is_multiple_of(60) => format!("{hours} h"),
        _ => format!("{hours} h {} min", minutes % 60),
    }
}

/// `2 Jan 2026, 03:04:05 UTC` of an RFC 3339 time; anything else as it is.
pub fn moment(at: &str) -> String {
    at.parse::<Timestamp>().map_or_else(|_| at.to_owned(), |at| at.strftime("%-d %b %Y, %H:%M:%S UTC").to_string())
}

/// Not longer than so many characters; what is left out shows as `…`.
pub(super) fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).collect::<String>().trim_end().to_owned() + "…",
    }
}

/// As [`short`], but what is left out is in the middle: addresses differ at their ends.
pub(super) fn short_address(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let end = most / 2;
    let start = most.saturating_sub(end + 1);
    text.chars().take(start).chain(['…']).chain(text.chars().skip(count - end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_as_people_say_them() {
        let said = |seconds: u64| duration(seconds * 1000);
        assert_eq!(duration(999), "under 1 s");
        assert_eq!([said(1), said(59), said(60), said(133)], ["1 s", "59 s", "1 min", "2 min 13 s"]);
        assert_eq!([said(3600), said(3900)], ["1 h", "1 h 5 min"]);
    }

    #[test]
    fn times_are_of_one_zone_and_garbage_stays() {
        assert_eq!(moment("2026-01-02T04:04:05.5+01:00"), "2 Jan 2026, 03:04:05 UTC");
        assert_eq!(moment("<b>"), "<b>");
    }

    #[test]
    fn what_is_too_long_says_so() {
        assert_eq!((short("abcdef", 6), short("abcdefg", 6)), ("abcdef".into(), "abcde…".into()));
        assert_eq!(short_address("2001:db8:1:2:3:4:5:6", 11), "2001:…4:5:6");
        assert_eq!(short("äöü", 2), "ä…");
    }
}
