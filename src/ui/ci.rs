//! What CI systems make of lines: folded groups, marked failures, a summary of the job.
//!
//! GitHub: <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>.
//! GitLab: <https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections>.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use jiff::Timestamp;

use crate::events::StepOutcome;

use super::sanitize::clean;
use super::settings::Ci;
use super::story::Story;
use super::style::elapsed;

/// Begins a group of lines that can be folded. `at`: RFC 3339.
pub(super) fn begin_group(ci: Ci, id: &str, title: &str, at: &str) -> Option<String> {
    match ci {
        Ci::None => None,
        Ci::GitHub => Some(format!("::group::{title}\n")),
        Ci::GitLab => Some(section("start", &format!("exasol_{id}[collapsed=true]"), at, title)),
    }
}

pub(super) fn end_group(ci: Ci, id: &str, at: &str) -> Option<String> {
    match ci {
        Ci::None => None,
        Ci::GitHub => Some("::endgroup::\n".to_owned()),
        Ci::GitLab => Some(section("end", &format!("exasol_{id}"), at, "")),
    }
}

fn section(which: &str, id: &str, at: &str, title: &str) -> String {
    let seconds = at.parse::<Timestamp>().map_or(0, Timestamp::as_second);
    format!("\u{1b}[0Ksection_{which}:{seconds}:{id}\r\u{1b}[0K{title}\n")
}

/// The line that marks a failure, where the system has one.
pub(super) fn failure(ci: Ci, title: &str, message: &str) -> Option<String> {
    annotation(ci, "error", title, message)
}

/// The line that marks a warning, where the system has one.
pub(super) fn warning(ci: Ci, message: &str) -> Option<String> {
    annotation(ci, "warning", "exasol", message)
}

fn annotation(ci: Ci, kind: &str, title: &str, message: &str) -> Option<String> {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    (ci == Ci::GitHub).then(|| format!("::{kind} title={}::{}\n", property(title), data(message)))
}

/// An operation that has ended, in Markdown.
pub(super) fn summary(story: &Story, ok: bool, took_ms: u64) -> Option<String> {
    let about = story.about.as_ref()?;
    let how = match ok {
        true => "done in",
        false if story.stopping => "stopped after",
        false => "failed after",
    };
    let cell = |text: &str| clean(text).replace('|', "\\|");
    let mut text = format!(
        "### exasol {} {}: {how} {}\n\n| Step | Result | Time | |\n| --- | --- | ---: | --- |\n",
        about.operation,
        cell(&about.name),
        elapsed(took_ms)
    );
    for step in &story.steps {
        let Some(ended) = &step.ended else { continue };
        let outcome = match ended.outcome {
            StepOutcome::Done => "done",
            StepOutcome::Unchanged => "nothing to do",
            StepOutcome::Failed => "**failed**",
            StepOutcome::Stopped => "stopped",
        };
        let detail = ended.detail.as_deref().and_then(|detail| detail.lines().next()).map(cell).unwrap_or_default();
        writeln!(text, "| {} | {outcome} | {} | {detail} |", step.info.title, elapsed(ended.took_ms)).ok();
    }
    text.push('\n');
    Some(text)
}

/// Adds to the job's summary. Nothing depends on it.
pub(super) fn append(file: &Path, text: &str) {
    let opened = OpenOptions::new().append(true).create(true).open(file);
    opened.and_then(|mut file| file.write_all(text.as_bytes())).ok();
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::sample_events;
    use super::*;

    const AT: &str = "2026-01-02T03:04:05.678Z";

    #[test]
    fn groups_are_as_each_system_wants_them() {
        assert_eq!(begin_group(Ci::None, "boot", "[1/2] boot", AT), None);
        assert_eq!(begin_group(Ci::GitHub, "boot", "[1/2] boot", AT).unwrap(), "::group::[1/2] boot\n");
        assert_eq!(end_group(Ci::GitHub, "boot", AT).unwrap(), "::endgroup::\n");
        let begin = "\u{1b}[0Ksection_start:1767323045:exasol_boot[collapsed=true]\r\u{1b}[0K[1/2] boot\n";
        assert_eq!(begin_group(Ci::GitLab, "boot", "[1/2] boot", AT).unwrap(), begin);
        let end = "\u{1b}[0Ksection_end:1767323045:exasol_boot\r\u{1b}[0K\n";
        assert_eq!(end_group(Ci::GitLab, "boot", AT).unwrap(), end);
    }

    #[test]
    fn a_failure_is_one_line_whatever_it_says() {
        let line = failure(Ci::GitHub, "deploy: a, b", "100% full\n::set-output::x").unwrap();
        assert_eq!(line, "::error title=deploy%3A a%2C b::100%25 full%0A::set-output::x\n");
        assert_eq!(failure(Ci::GitLab, "x", "y"), None);
        assert_eq!(warning(Ci::GitHub, "slow\nfix: x").unwrap(), "::warning title=exasol::slow%0Afix: x\n");
        assert_eq!(warning(Ci::None, "x"), None);
    }

    #[test]
    fn a_summary_is_a_table_of_the_steps() {
        let mut story = Story::default();
        sample_events::deploy_events().iter().for_each(|event| story.take(event, Duration::ZERO));
        insta::assert_snapshot!(summary(&story, false, 81_000).unwrap());
    }
}
