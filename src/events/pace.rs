//! How often the progress of a transfer is told.

use std::time::{Duration, Instant};

/// Nobody sees more.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// Lets through what is told ten times a second.
#[derive(Debug, Default)]
pub struct Pace {
    told: Option<Instant>,
}

impl Pace {
    /// Whether it is time to tell again. What is told now counts from now.
    pub fn is_due(&mut self) -> bool {
        let due = self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
        if due {
            self.told = Some(Instant::now());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_at_once_is_told_once() {
        let mut pace = Pace::default();
        assert!(pace.is_due());
        assert_eq!((0..100).filter(|_| pace.is_due()).count(), 0);
        pace.told = Instant::now().checked_sub(TELL_EVERY);
        assert!(pace.is_due());
    }
}
