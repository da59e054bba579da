//! `doctor`: good news in one line, bad news after it, and what fixes it last, where the eye is.

use crate::model::{Check, CheckStatus, DoctorReport};
use crate::ui::page::Page;
use crate::ui::style::{Tone, count};

use super::Report;

/// Below a check's mark.
const INDENT: usize = 4;

impl Report for DoctorReport {
    fn text(&self, page: &mut Page) {
        let of = |status| self.checks.iter().filter(move |check| check.status == status);
        page.sentence(&format!("This machine, for {}", self.wanted), 2);
        page.line("");
        passed(page, &of(CheckStatus::Ok).collect::<Vec<_>>());
        of(CheckStatus::Warning).for_each(|check| show(page, Tone::Warning, "!", check));
        of(CheckStatus::Failed).for_each(|check| show(page, Tone::Bad, "✗", check));
        waiting(page, &of(CheckStatus::Skipped).collect::<Vec<_>>());
        page.line("");
        let (failed, warnings) = (of(CheckStatus::Failed).count(), of(CheckStatus::Warning).count());
        let problems = (failed > 0).then(|| count(failed, "problem"));
        let found: Vec<_> = problems.into_iter().chain((warnings > 0).then(|| count(warnings, "warning"))).collect();
        let (tone, word) = if self.ok { (Tone::Good, "Ready") } else { (Tone::Bad, "Not ready") };
        let to_fix = match (self.fix.is_empty(), failed + warnings) {
            (true, _) => "",
            (false, 1) => " To fix it:",
            (false, _) => " To fix them:",
        };
        let found = if found.is_empty() { "nothing is missing".to_owned() } else { found.join(", ") };
        page.headline(tone, &format!("{word}:"), &format!("{found}.{to_fix}"));
        if !self.fix.is_empty() {
            page.line("");
            self.fix.iter().for_each(|command| page.line(&format!("  {command}")));
        }
    }
}

fn passed(page: &mut Page, checks: &[&Check]) {
    match checks {
        [] => {}
        _ if page.look().verbose => checks.iter().for_each(|check| show(page, Tone::Good, "✓", check)),
        _ => page.marked(
            Tone::Good,
            "✓",
            &format!("{} passed (all of them: exasol doctor -v)", count(checks.len(), "check")),
            INDENT,
        ),
    }
}

fn waiting(page: &mut Page, checks: &[&Check]) {
    match checks {
        [] => {}
        _ if page.look().verbose => checks.iter().for_each(|check| show(page, Tone::Faint, "-", check)),
        _ => {
            let what: Vec<_> = checks.iter().map(|check| check.subject()).collect();
            let text = format!("{} not done yet: {}", count(checks.len(), "check"), what.join(", "));
            page.marked(Tone::Faint, "-", &text, INDENT);
        }
    }
}

fn show(page: &mut Page, tone: Tone, mark: &str, check: &Check) {
    page.marked(tone, mark, &check.finding(), INDENT);
    for advice in check.fix.iter().flat_map(|fix| fix.lines()) {
        page.line(&format!("    fix: {advice}"));
    }
    if check.creatable.is_some() {
        page.line("    or:  exasol init --create-missing does it");
    }
}
