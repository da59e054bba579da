//! Colors by meaning, durations by size.

use std::time::Duration;

use console::Style;

pub(super) use crate::model::count;

/// What a piece of text means; the color follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Warning,
    Bad,
    /// A label or heading.
    Strong,
    /// Detail that may be overlooked.
    Faint,
}

/// Paints, or leaves text as it is where colors are off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    colors: bool,
}

impl Paint {
    pub fn new(colors: bool) -> Self {
        Self { colors }
    }

    /// `text` must be clean already: escaping afterwards would escape the color.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.colors {
            return text.to_owned();
        }
        let style = match tone {
            Tone::Good => Style::new().green(),
            Tone::Warning => Style::new().yellow().bold(),
            Tone::Bad => Style::new().red().bold(),
            Tone::Strong => Style::new().bold(),
            Tone::Faint => Style::new().dim(),
        };
        style.force_styling(true).apply_to(text).to_string()
    }
}

/// A duration in whole seconds, as it is told while something lasts: `31s`, `2m 05s`, `1h 07m`.
pub(super) fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds => elapsed(seconds * 1000),
    }
}

/// A duration as people say it: `0.4s`, `12.3s`, `1m 05s`, `2h 07m`.
pub(super) fn elapsed(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds}.{}s", ms % 1000 / 100),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A size with a unit of 1024: `17 B`, `1.5 KiB`, `208.0 MiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Exact enough: the value is only shown, with one decimal.
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_read_well() {
        let shown: Vec<_> = [0, 449, 12_345, 59_999, 65_000, 3_599_999, 7_620_000].map(elapsed).into();
        assert_eq!(shown, ["0.0s", "0.4s", "12.3s", "59.9s", "1m 05s", "59m 59s", "2h 07m"]);
        let shown: Vec<_> = [17, 1536, 218_103_808, 5 << 40, u64::MAX].map(size).into();
        assert_eq!(shown, ["17 B", "1.5 KiB", "208.0 MiB", "5.0 TiB", "16777216.0 TiB"]);
    }

    #[test]
    fn without_colors_nothing_is_added() {
        assert_eq!(Paint::new(false).paint(Tone::Bad, "error"), "error");
        assert_eq!(Paint::new(true).paint(Tone::Bad, "error"), "\u{1b}[31m\u{1b}[1merror\u{1b}[0m");
    }
}
