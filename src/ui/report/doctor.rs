//! `doctor`: good news in one line, bad news after it, and what fixes it last, where the eye is.

use crate::model::{Check, CheckStatus, DoctorReport, advice};
use crate::ui::page::Page;
use crate::ui::style::{Tone, count};

use super::Report;

/// Below a check's mark.
const INDENT: usize = 4;

impl Report for DoctorReport {
    fn text(&self, page: &mut Page) {
        let of = |status| self.checks.iter().filter(move |check| check.status == status);
        let name = self.whose.as_ref().map(|whose| format!("{}: ", whose.name)).unwrap_or_default();
        page.sentence(&format!("This machine, for {name}{}", self.wanted), 2);
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
        let wrong = of(CheckStatus::Failed).chain(of(CheckStatus::Warning));
        let to_fix = match (wrong.filter(|check| self.fixes(check)).count(), failed + warnings) {
            (0, _) => String::new(),
            (1, 1) => " To fix it:".to_owned(),
            (fixed, all) if fixed == all => " To fix them:".to_owned(),
            (fixed, _) => format!(" To fix {fixed} of them (what helps with the others is above):"),
        };
        let found = if found.is_empty() { "nothing is missing".to_owned() } else { found.join(", ") };
        page.headline(tone, &format!("{word}:"), &format!("{found}.{to_fix}"));
        if !self.fix.is_empty() {
            page.line("");
            self.fix.iter().for_each(|command| page.line(&format!("  {command}")));
        }
    }
}

impl DoctorReport {
    /// Whether one of the commands at the end is for this check.
    fn fixes(&self, check: &Check) -> bool {
        let bare = |line: &str| line.split("   #").next().unwrap_or_default().trim().to_owned();
        check.fix.iter().flat_map(|fix| fix.lines()).any(|line| self.fix.contains(&bare(line)))
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
    for (label, line) in check.fix.iter().flat_map(|fix| fix.lines()).map(advice) {
        page.line(&format!("    {label:5}{line}"));
    }
    if check.creatable.is_some() {
        page.line("    or:  exasol init --create-missing does it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_commands_fix_is_promised() {
        let shown = |fix: &[&str]| {
            let report = DoctorReport {
                whose: None,
                provider: "libvirt".into(),
                wanted: "1 node".into(),
                ok: false,
                fix: fix.iter().map(|line| (*line).to_owned()).collect(),
                checks: vec![
                    Check::failed("kvm", "KVM runs guests", "no").fix("sudo modprobe kvm   # loads it"),
                    Check::failed("image", "image x", "there is none").fix("name another").fix("or make it"),
                ],
            };
            let mut page = Page::new(false);
            report.text(&mut page);
            page.into_text()
        };
        let some = shown(&["sudo modprobe kvm"]);
        assert!(some.contains("2 problems. To fix 1 of them (what helps with the others is above):\n"), "{some}");
        assert!(some.contains("    fix: name another\n    or:  make it\n"), "{some}");
        let none = shown(&[]);
        assert!(none.ends_with("Not ready: 2 problems.\n"), "{none}");
    }
}
