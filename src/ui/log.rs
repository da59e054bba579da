//! Lines of an operation's log for people: time, step, node, and what it says.
//!
//! A tool's line that became an event of ours is shown once, as the event.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::model::{LogContent, LogLine, LogSource};

use super::sanitize::clean_output;
use super::style::{Paint, Tone, count, elapsed};

/// Most steps' names are not longer.
const STEP_WIDTH: usize = 12;
const NODE_WIDTH: usize = 4;

/// The text of a line, with its line ends; empty where it says nothing new. Times are those of `zone`.
pub(super) fn text(line: &LogLine, colors: bool, zone: &TimeZone) -> String {
    let Some((tone, words)) = words(line) else { return String::new() };
    let at = line.at.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
    let clock =
        at.map_or("   -    ".to_owned(), |at| at.to_zoned_datetime(zone.clone()).strftime("%H:%M:%S").to_string());
    let [step, node] = [&line.step, &line.node].map(|name| clean_output(name.as_deref().unwrap_or("-")));
    let paint = Paint::new(colors);
    let head = paint.paint(Tone::Faint, &format!("{clock}  {step:STEP_WIDTH$} {node:NODE_WIDTH$}"));
    let shown = words.lines().map(clean_output).filter(|words| !words.is_empty());
    shown
        .map(|words| {
            let words = tone.map_or_else(|| words.clone(), |tone| paint.paint(tone, &words));
            format!("{head} {words}\n")
        })
        .collect()
}

fn words(line: &LogLine) -> Option<(Option<Tone>, String)> {
    match (&line.content, line.source) {
        (LogContent::Object(event), LogSource::Events) => event_words(event),
        (LogContent::Object(message), LogSource::Terraform) => terraform(message),
        (LogContent::Object(event), LogSource::Ansible) => ansible(event),
        (LogContent::Object(object), LogSource::Console) => Some((None, object.to_string())),
        (LogContent::Text(text), _) => Some((None, text.clone())),
    }
}

fn event_words(event: &Value) -> Option<(Option<Tone>, String)> {
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    let took = event["elapsed_ms"].as_u64().map(|ms| format!(" {}", elapsed(ms))).unwrap_or_default();
    let told = |words: String| Some((tone(event), words));
    match text("event") {
        "operation_started" => {
            let steps = count(event["steps"].as_array().map_or(0, Vec::len), "step");
            let name = event["name"].as_str().unwrap_or_else(|| text("deployment"));
            let words = format!("{} {name} in {}: {steps}", text("operation"), text("directory"));
            Some((Some(Tone::Strong), words))
        }
        "step_started" => told("begins".into()),
        "step_detail" | "step_waiting" => told(text("message").into()),
        "step_progress" | "usual_times" | "node_waiting" => None,
        "stopping" => Some((Some(Tone::Warning), format!("signal {}: stopping", event["signal"]))),
        "step_finished" => {
            let detail = match (event["detail"].as_str(), text("outcome")) {
                (None, _) => String::new(),
                (Some(error), "failed") => format!("\n{error}"),
                (Some(fact), _) => format!(" ({fact})"),
            };
            told(format!("{}{took}{detail}", text("outcome")))
        }
        "resource" => told(format!("{}: {} … {}{took}", text("address"), text("action"), text("state"))),
        "task" => told(format!("{} … {}{took}\n{}", text("name"), text("state"), text("message"))),
        "check" => told(format!("{} … {}: {}", text("title"), text("status"), text("detail"))),
        "warning" => Some((Some(Tone::Warning), format!("warning: {}", text("message")))),
        "operation_finished" => {
            let how = match () {
                () if event["ok"] == true => "finished in",
                () if event["stopped"] == true => "stopped after",
                () => "failed after",
            };
            told(format!("{} {how}{took}\n{}", text("operation"), text("error")))
        }
        // Of another version.
        _ => told(event.to_string()),
    }
}

fn tone(event: &Value) -> Option<Tone> {
    let is = |word: &str| ["outcome", "state", "status"].iter().any(|key| event[*key] == word);
    match () {
        () if is("warning") || is("stopped") || event["stopped"] == true => Some(Tone::Warning),
        () if is("failed") || event["ok"] == false => Some(Tone::Bad),
        () if event["ok"] == true => Some(Tone::Good),
        () => None,
    }
}

/// Our events show what Terraform does with resources.
fn terraform(message: &Value) -> Option<(Option<Tone>, String)> {
    let kind = message["type"].as_str().unwrap_or_default();
    if kind.starts_with("apply_") {
        return None;
    }
    let text = message["@message"].as_str()?;
    let detail = message["diagnostic"]["detail"].as_str().unwrap_or_default();
    let tone = match message["@level"].as_str() {
        Some("error") => Some(Tone::Bad),
        Some("warn") => Some(Tone::Warning),
        _ => None,
    };
    Some((tone, format!("terraform: {text}\n{detail}")))
}

/// Our events show what tasks do, but not what a failed task has printed.
fn ansible(event: &Value) -> Option<(Option<Tone>, String)> {
    if event["event"] == "play" {
        return Some((None, format!("play: {}", event["name"].as_str().unwrap_or_default())));
    }
    let printed: Vec<&str> = event["stderr"].as_array()?.iter().filter_map(Value::as_str).collect();
    let quoted: Vec<String> = printed.iter().map(|line| format!("| {line}")).collect();
    Some((None, quoted.join("\n")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(source: LogSource, content: LogContent) -> LogLine {
        let at = Some("2026-01-02T03:04:05.678Z".into());
        LogLine { source, at, step: Some("install".into()), node: Some("n12".into()), content }
    }

    fn object(source: LogSource, value: Value) -> String {
        text(&line(source, LogContent::Object(value)), false, &TimeZone::UTC)
    }

    #[test]
    fn lines_say_when_where_and_what() {
        let shown = [
            json!({"event": "step_started", "step": "install"}),
            json!({"event": "task", "name": "Copy c4", "state": "failed", "message": "exit status 9: full", "elapsed_ms": 7089}),
            json!({"event": "resource", "action": "create", "address": "a.b[\"n12\"]", "state": "done", "elapsed_ms": 1200}),
            json!({"event": "step_finished", "outcome": "done", "elapsed_ms": 65_000, "detail": "2 nodes"}),
            json!({"event": "step_finished", "outcome": "failed", "elapsed_ms": 900, "detail": "no space\nleft"}),
            json!({"event": "operation_finished", "operation": "deploy", "ok": false, "elapsed_ms": 65_000}),
            json!({"event": "operation_finished", "operation": "stop", "ok": false, "elapsed_ms": 900, "error": "none is there"}),
            json!({"event": "operation_finished", "operation": "deploy", "ok": false, "stopped": true, "elapsed_ms": 9000}),
        ]
        .map(|event| object(LogSource::Events, event))
        .concat();
        insta::assert_snapshot!(shown, @r#"
        03:04:05  install      n12  begins
        03:04:05  install      n12  Copy c4 … failed 7.0s
        03:04:05  install      n12  exit status 9: full
        03:04:05  install      n12  a.b["n12"]: create … done 1.2s
        03:04:05  install      n12  done 1m 05s (2 nodes)
        03:04:05  install      n12  failed 0.9s
        03:04:05  install      n12  no space
        03:04:05  install      n12  left
        03:04:05  install      n12  deploy failed after 1m 05s
        03:04:05  install      n12  stop failed after 0.9s
        03:04:05  install      n12  none is there
        03:04:05  install      n12  deploy stopped after 9.0s
        "#);
    }

    #[test]
    fn times_are_those_of_the_clock_on_the_wall() {
        let began = line(LogSource::Events, LogContent::Object(json!({"event": "step_started", "step": "install"})));
        let shown = text(&began, false, &TimeZone::fixed(jiff::tz::offset(1)));
        assert!(shown.starts_with("04:04:05"), "{shown}");
    }

    #[test]
    fn what_is_an_event_too_is_told_once() {
        assert_eq!(object(LogSource::Terraform, json!({"type": "apply_start", "@message": "x"})), "");
        assert_eq!(object(LogSource::Ansible, json!({"event": "result", "state": "ok"})), "");
        let printed = object(LogSource::Ansible, json!({"event": "result", "stderr": ["no space", "left"]}));
        assert!(printed.contains("n12  | no space\n") && printed.ends_with("n12  | left\n"), "{printed}");
        let failed = json!({"type": "diagnostic", "@level": "error", "@message": "Error: no", "diagnostic": {"detail": "at all"}});
        assert_eq!(object(LogSource::Terraform, failed).lines().count(), 2);
    }

    #[test]
    fn a_console_cannot_act_on_the_terminal() {
        let console = LogLine { at: None, ..line(LogSource::Console, LogContent::Text("\u{1b}[2Jboot\u{7}".into())) };
        assert_eq!(text(&console, false, &TimeZone::UTC), "   -      install      n12  \\u{1b}[2Jboot\\u{7}\n");
    }
}
