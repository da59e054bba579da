//! The `Ui` as commands use it: which text goes where.

use crate::events::{Event, Stamped};
use crate::model::StatusReport;

use super::sanitize::clean_output;
use super::*;

struct Seen {
    ui: Ui,
    out: Box<dyn Fn() -> String>,
    err: Box<dyn Fn() -> String>,
}

fn no_size() -> Option<(u16, u16)> {
    None
}

fn ui(flags: Flags) -> Seen {
    let (out, read_out) = stream::captured();
    let (err, read_err) = stream::captured();
    let settings = Settings::resolve(flags, &Environment::default());
    let ui = Ui { clock: at_night, ..Ui::on(settings, out, err, no_size) };
    Seen { ui, out: Box::new(read_out), err: Box::new(read_err) }
}

/// Three in the morning, some hours after what the samples tell.
fn at_night() -> ZonedDateTime {
    let now: jiff::Timestamp = "2026-01-02T02:00:00Z".parse().unwrap();
    now.to_zoned_datetime(jiff::tz::TimeZone::fixed(jiff::tz::offset(1)))
}

const TEXT: Flags = Flags { format: Format::Text, color: ColorChoice::Auto, verbose: false, quiet: false };
const JSON: Flags = Flags { format: Format::Json, ..TEXT };

/// A report as text and as pretty JSON, in one snapshot.
fn both(report: &impl Report) -> String {
    let text = ui(TEXT);
    text.ui.result(report).unwrap();
    let json = ui(JSON);
    json.ui.result(report).unwrap();
    let object: Value = serde_json::from_str(&(json.out)()).unwrap();
    assert_eq!(object.as_object().unwrap().keys().next().unwrap(), "schema");
    assert_eq!((json.out)().lines().count(), 1);
    let warned = (text.err)();
    let separator = if warned.is_empty() { String::new() } else { format!("--- stderr\n{warned}") };
    format!("{}{separator}--- json\n{}", (text.out)(), serde_json::to_string_pretty(&object).unwrap())
}

#[test]
fn an_error_that_standard_output_does_not_take_is_told_on_standard_error() {
    let (err, read_err) = stream::captured();
    let ui = Ui::on(Settings::resolve(JSON, &Environment::default()), stream::full(), err, no_size);
    let error = ui.result(&samples::versions()).unwrap_err();
    ui.error(&error);
    assert!(read_err().starts_with("error: the result could not be written to standard output"), "{}", read_err());
}

// The same reader of schemas as in the command-line tests: some results need a cluster, and are seen here only.
#[path = "../../tests/cli/schema.rs"]
#[expect(dead_code, reason = "the samples know their schemas' names")]
mod schema;

/// The schema of a sample.
fn schema_of(sample: &str) -> &str {
    match sample.split('_').next().unwrap_or(sample) {
        "providers" | "versions" => "listed",
        "deployments" => "list",
        "start" | "stop" => "power",
        "html" => "report",
        "info" if sample == "info_for_env" => "info-for",
        "cache" if sample == "cache_warm" => "cache-warm",
        command => command,
    }
}

macro_rules! report_snapshots {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            let shown = both(&samples::$name());
            let (text, json) = shown.split_once("--- json").unwrap();
            schema::assert_fits(schema_of(stringify!($name)), &serde_json::from_str(json).unwrap());
            for line in text.lines().filter(|line| line.starts_with("  ") && !line.contains("jdbc") && !line.contains("DRIVER")) {
                assert!(line.chars().count() <= 80 || line.contains("exasol "), "wider than 80 columns: {line}");
            }
            insta::assert_snapshot!(shown);
        }
    )*};
}

report_snapshots! {
    health status_ready status_degraded status_running status_interrupted status_two_addresses init deploy start stop
    plan destroy destroy_dry_run doctor info info_for_env info_with_password sql_rows sql_without_rows cache_list
    cache_prune cache_warm version providers versions deployments deployments_none support html_report license certificate adopt sweep
    sweep_none sweep_of_a_cloud
}

/// A report on a terminal of that width, without colors.
fn on_terminal(report: &impl Report, columns: usize) -> String {
    let look = Look { columns: Some(columns), home: Some("/home/eva".into()), now: at_night(), ..Look::default() };
    page(report, look)
}

macro_rules! views {
    ($($name:ident)*) => {
        mod views {
            use super::*;

            $(#[test]
            fn $name() {
                let shown = [80, 200, 40].map(|width| {
                    format!("{0}\n{1}", "=".repeat(width), on_terminal(&samples::$name(), width))
                });
                insta::assert_snapshot!(shown.join(""));
            })*
        }
    };
}

views! { status_ready status_degraded status_running status_interrupted health deployments doctor info state_show state_verify
state_repair }

#[test]
fn answers_about_the_recorded_state_are_as_their_schemas_say() {
    let fits = |schema: &str, report: &dyn Fn(&Ui)| {
        let seen = ui(JSON);
        report(&seen.ui);
        schema::assert_fits(schema, &serde_json::from_str(&(seen.out)()).unwrap());
    };
    fits("state-show", &|ui| ui.result(&samples::state_show()).unwrap());
    fits("state-verify", &|ui| ui.result(&samples::state_verify()).unwrap());
    fits("state-repair", &|ui| ui.result(&samples::state_repair()).unwrap());
}

#[test]
fn words_are_whole_and_commands_can_be_copied() {
    let report = samples::status_interrupted();
    for width in [40, 60, 80] {
        let shown = on_terminal(&report, width);
        for word in report.reason.split_whitespace() {
            assert!(shown.contains(word), "{word} is broken at {width}: {shown}");
        }
        let wide: Vec<_> = shown.lines().filter(|line| line.chars().count() > width).collect();
        assert!(wide.iter().all(|line| line.starts_with("fix:") || line.starts_with("logs:")), "{width}: {wide:?}");
    }
}

#[test]
fn colors_tell_the_state() {
    let colored = |report: &StatusReport| page(report, Look { colors: true, ..Look::default() });
    assert!(colored(&samples::status_ready()).starts_with("\u{1b}[32mdemo: ready."));
    assert!(colored(&samples::status_degraded()).starts_with("\u{1b}[33m\u{1b}[1mdemo: degraded."));
    assert!(colored(&samples::status_interrupted()).starts_with("\u{1b}[31m\u{1b}[1mdemo: deploy was interrupted"));
    let mut stopped = samples::status_ready();
    stopped.status = crate::model::Phase::Stopped.into();
    assert!(colored(&stopped).starts_with("\u{1b}[2mdemo: stopped."));
}

#[test]
fn events_are_as_their_schema_says() {
    for event in sample_events::deploy_events().into_iter().chain(sample_events::stopped_events()) {
        let stamped = Stamped { at: "2026-01-02T03:04:05.678Z".into(), event };
        schema::assert_fits("event", &serde_json::to_value(stamped).unwrap());
    }
}

#[test]
fn a_path_that_is_not_utf_8_is_shown_as_well_as_can_be() {
    use std::os::unix::ffi::OsStrExt;
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(b"/d\xff/file"));
    let mut license = samples::license();
    license.uploaded = Some(path.clone());
    let mut version = samples::version();
    version.components[0].path = Some(path);
    for shown in [both(&license), both(&version)] {
        assert!(shown.contains("\"/d\u{fffd}/file\""), "{shown}");
    }
}

fn emit(seen: &Seen, events: Vec<Event>) {
    let sink = seen.ui.begin_progress(Interrupt::never(), Signals::End);
    events.into_iter().for_each(|event| sink.emit(event));
    seen.ui.end_progress();
}

#[test]
fn progress_is_text_on_standard_error_and_the_result_stands_alone() {
    let seen = ui(TEXT);
    emit(&seen, sample_events::deploy_events());
    seen.ui.result(&samples::deploy()).unwrap();
    assert!((seen.err)().contains("[2/4] create machines … 12.3s"));
    assert!((seen.out)().starts_with("demo is ready (1m 35s)."));
    let shown = (seen.err)() + &(seen.out)();
    assert!(!shown.chars().any(|c| c != '\n' && sanitize::is_harmful(c)), "control characters without a terminal");
}

#[test]
fn json_is_one_object_a_line_and_the_result_is_the_last() {
    let seen = ui(JSON);
    emit(&seen, sample_events::deploy_events());
    seen.ui.result(&samples::deploy()).unwrap();
    assert_eq!((seen.err)(), "");
    let lines: Vec<Value> = (seen.out)().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, events) = lines.split_last().unwrap();
    assert_eq!(last["schema"], 1);
    assert!(events.iter().all(|event| event["event"].is_string() && event["at"].is_string()));
    assert_eq!(events[0]["event"], "operation_started");
}

#[test]
fn json_event_lines() {
    let lines: String = sample_events::deploy_events()
        .into_iter()
        .map(|event| json::event(&Stamped { at: "2026-01-02T03:04:05.678Z".into(), event }))
        .collect();
    insta::assert_snapshot!(lines);
}

#[test]
fn quiet_leaves_warnings_and_the_result() {
    let seen = ui(Flags { quiet: true, ..TEXT });
    emit(&seen, sample_events::deploy_events());
    seen.ui.result(&samples::deploy()).unwrap();
    let told = (seen.err)();
    assert!(told.starts_with("warning: ") && !told.contains("create machines"), "{told}");
    assert!(!(seen.out)().is_empty());
}

#[test]
fn a_warning_is_said_once_by_event_and_report() {
    let seen = ui(TEXT);
    let report = samples::init();
    emit(&seen, report.warnings.iter().map(|message| Event::Warning { message: message.clone() }).collect());
    seen.ui.result(&report).unwrap();
    assert_eq!((seen.err)().matches("warning:").count(), report.warnings.len());
}

#[test]
fn outside_an_operation_only_warnings_are_told() {
    let check = Event::Check(crate::model::Check::warning("kvm", "KVM runs guests", "it does not"));
    for flags in [TEXT, JSON] {
        let seen = ui(flags);
        let warning = Event::Warning { message: "made the pool 'default'".into() };
        emit(&seen, vec![check.clone(), warning]);
        seen.ui.result(&samples::init()).unwrap();
        let told = (seen.err)();
        assert!(told.starts_with("warning: made the pool 'default'\n"), "{told}");
        assert!(!told.contains("KVM"), "the report tells it: {told}");
        assert_eq!((seen.out)().lines().count(), if flags.format == Format::Json { 1 } else { 7 });
    }
}

#[test]
fn a_warning_check_of_an_operation_is_told_with_what_mends_it() {
    let seen = ui(TEXT);
    emit(&seen, sample_events::deploy_events());
    let expected = "warning: KVM: it does not here: emulation is slow\n         fix: sudo chmod 660 /dev/kvm\n";
    assert!((seen.err)().contains(expected), "{}", (seen.err)());
}

#[test]
fn errors_go_to_standard_error_as_text_and_to_standard_output_as_json() {
    let error = Error::Timeout { what: "SSH on n11".into(), limit_s: 300, last_seen: None, hint: None };
    let text = ui(TEXT);
    text.ui.error(&error);
    assert_eq!(((text.out)().as_str(), (text.err)().as_str()), ("", "error: SSH on n11: gave up after 300 s\n"));
    let json = ui(JSON);
    json.ui.error(&error);
    assert_eq!((json.err)(), "");
    let object: Value = serde_json::from_str(&(json.out)()).unwrap();
    assert_eq!((&object["schema"], &object["error"]["code"]), (&1.into(), &"timeout".into()));
}

#[test]
fn colors_mark_words_and_nothing_else_changes() {
    let plain = ui(TEXT);
    let colored = ui(Flags { color: ColorChoice::Always, ..TEXT });
    for seen in [&plain, &colored] {
        emit(seen, sample_events::deploy_events());
        seen.ui.result(&samples::status_interrupted()).unwrap();
        seen.ui.error(&Error::other("no"));
    }
    let shown = (colored.err)() + &(colored.out)();
    assert!(shown.contains("\u{1b}["));
    let bare: String = shown.lines().map(|line| clean_output(line) + "\n").collect();
    assert_eq!(bare, (plain.err)() + &(plain.out)());
}

#[test]
fn without_a_terminal_nothing_is_asked() {
    let seen = ui(TEXT);
    assert_eq!(seen.ui.confirm("Destroy it?"), None);
    assert_eq!((seen.err)(), "");
}

#[test]
fn data_is_harmless_as_table_and_raw_only_where_no_terminal_reads_csv() {
    let report =
        SqlReport { columns: vec!["A".into()], rows: vec![vec!["x\u{1b}[2J\u{9b}1A\u{202e}".into()]], row_count: None };
    for format in [SqlFormat::Table, SqlFormat::Json] {
        let seen = ui(TEXT);
        seen.ui.sql(&report, format).unwrap();
        assert!(!(seen.out)().chars().any(|c| c != '\n' && sanitize::is_harmful(c)), "{format:?}");
    }
    let piped = ui(TEXT);
    piped.ui.sql(&report, SqlFormat::Csv).unwrap();
    assert_eq!((piped.out)(), "A\nx\u{1b}[2J\u{9b}1A\u{202e}\n");
    let mut terminal = ui(TEXT);
    terminal.ui.screen.settings.stdout_terminal = true;
    terminal.ui.sql(&report, SqlFormat::Csv).unwrap();
    assert_eq!((terminal.out)(), "A\nx\\u{1b}[2J\\u{9b}1A\\u{202e}\n");
}

#[test]
fn the_global_json_format_beats_the_table() {
    let seen = ui(JSON);
    seen.ui.sql(&samples::sql_rows(), SqlFormat::Table).unwrap();
    assert!((seen.out)().starts_with("{\"schema\":1,"));
}

#[test]
fn progress_that_nobody_reads_keeps_no_result() {
    let (out, read_out) = stream::captured();
    let (_stall, err) = stream::stalled();
    let ui = Ui::on(Settings::resolve(TEXT, &Environment::default()), out, err, no_size);
    let sink = ui.begin_progress(Interrupt::never(), Signals::End);
    sample_events::deploy_events().into_iter().for_each(|event| sink.emit(event));
    ui.end_progress();
    ui.result(&samples::deploy()).unwrap();
    assert!(read_out().starts_with("demo is ready"));
}

/// A command whose results nobody reads, and how it gets signals.
fn unread(signals: Signals) -> (Ui, stream::Stall, Arc<crate::signal::Keys>) {
    let (stall, out) = stream::stalled();
    let (interrupt, keys) = Interrupt::manual();
    let ui = Ui::on(Settings::resolve(TEXT, &Environment::default()), out, stream::captured().0, no_size);
    ui.begin_progress(interrupt, signals);
    (ui, stall, keys)
}

#[test]
fn a_signal_ends_the_wait_for_a_reader_whenever_it_comes() {
    let interrupted = |result| matches!(result, Err(Error::Interrupted { signal: 15 }));
    let (ui, _stall, keys) = unread(Signals::End);
    keys.press(15);
    assert!(interrupted(ui.result(&samples::deploy())), "before");
    for signals in [Signals::End, Signals::Part] {
        let (ui, stall, keys) = unread(signals);
        let waiting = std::thread::spawn(move || ui.result(&samples::deploy()));
        stall.written_to.recv().unwrap();
        keys.press(15);
        assert!(interrupted(waiting.join().unwrap()), "meanwhile: {signals:?}");
    }
}

#[test]
fn a_signal_that_ended_a_part_does_not_end_the_wait_for_a_reader() {
    let (ui, stall, keys) = unread(Signals::Part);
    keys.press(2);
    let waiting = std::thread::spawn(move || ui.result(&samples::deploy()));
    stall.written_to.recv().unwrap();
    std::thread::sleep(2 * AFTER_SIGNAL);
    drop(stall);
    assert!(waiting.join().unwrap().is_ok());
}

#[test]
fn a_warning_is_seen_on_github_s_page_of_the_job_too() {
    let (err, read_err) = stream::captured();
    let github = Environment { ci: Ci::GitHub, ..Environment::default() };
    let ui = Ui::on(Settings::resolve(TEXT, &github), stream::captured().0, err, no_size);
    ui.warning("guests are emulated");
    assert_eq!(read_err(), "warning: guests are emulated\n::warning title=exasol::guests are emulated\n");
}
