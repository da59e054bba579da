//! What a terminal shows, told by a terminal emulator. The clock is ours.

use std::num::NonZero;

use crate::events::{ItemState, StepTime, TimesSource, Unit};
use crate::model::ChangeAction;

use super::super::sample_events;
use super::super::settings::{ColorChoice, Environment, Flags, Format};
use super::*;

const ROWS: u16 = 24;

/// A terminal with a live display on it.
struct Terminal {
    live: Live,
    parser: vt100::Parser,
    screen: super::super::screen::Screen,
    read: Box<dyn Fn() -> String>,
    seen: usize,
    columns: u16,
    now: Duration,
}

impl Terminal {
    fn new(columns: u16, flags: Flags, unicode: bool) -> Self {
        let environment = Environment { stderr_terminal: true, unicode, ..Environment::default() };
        let settings = Settings::resolve(flags, &environment);
        let (out, _) = super::super::stream::captured();
        let (err, read) = super::super::stream::captured();
        let size: super::super::screen::Size = match columns {
            40 => || Some((ROWS, 40)),
            200 => || Some((ROWS, 200)),
            _ => || Some((ROWS, 80)),
        };
        let screen = super::super::screen::Screen::new(settings, out, err, size);
        let cells = |number| NonZero::new(number).unwrap();
        let parser = vt100::Parser::new(cells(ROWS), cells(columns), 1000);
        Self { live: Live::new(settings), parser, screen, read: Box::new(read), seen: 0, columns, now: Duration::ZERO }
    }

    /// Shows an event after so many seconds.
    fn after(&mut self, seconds: u64, event: Event) {
        self.now += Duration::from_secs(seconds);
        let size = (usize::from(ROWS), usize::from(self.columns));
        let text = self.live.take(&event, self.now, size.1).unwrap_or_default();
        let block = self.live.block(self.now, size);
        for line in text.lines().chain(block.iter().map(String::as_str)) {
            assert!(measure_text_width(line) <= size.1, "wider than {} columns: {line}", size.1);
        }
        self.screen.draw(&text, &block, || true).unwrap();
    }

    /// What one sees now: the rows, and all that has scrolled off above them.
    fn text(&mut self) -> String {
        let written = (self.read)();
        // A terminal's driver puts the carriage return before each new line.
        self.parser.process(written[self.seen..].replace('\n', "\r\n").as_bytes());
        self.seen = written.len();
        self.parser.screen_mut().set_scrollback(1000);
        let above = self.parser.screen().scrollback();
        let mut lines = Vec::new();
        for row in 0..above {
            self.parser.screen_mut().set_scrollback(above - row);
            lines.extend(self.parser.screen().rows(0, self.columns).next());
        }
        self.parser.screen_mut().set_scrollback(0);
        lines.extend(self.parser.screen().rows(0, self.columns));
        let text = lines.iter().map(|line| format!("{}\n", line.trim_end())).collect::<String>();
        format!("{}\n", text.trim_end())
    }
}

fn steps() -> Event {
    sample_events::started(vec![
        ("preflight", "check this machine"),
        ("plan", "plan the infrastructure"),
        ("apply", "create the machines"),
        ("boot", "wait for the nodes to boot"),
        ("install", "install the database"),
        ("login", "log in with SQL on every node"),
    ])
}

fn usual() -> Event {
    let time = |(step, ms): (&str, u64)| StepTime { step: step.into(), ms };
    let steps = [("apply", 3_000), ("boot", 50_000), ("install", 50_000), ("login", 6_000)].map(time).to_vec();
    Event::UsualTimes { source: TimesSource::Earlier, total_ms: 110_000, steps }
}

fn finished(step: &'static str, outcome: StepOutcome, elapsed_ms: u64, detail: &str) -> Event {
    let detail = (!detail.is_empty()).then(|| detail.to_owned());
    Event::StepFinished { step, outcome, elapsed_ms, detail }
}

fn waiting(node: &str, address: Option<&str>, waits_for: &str, console: &str) -> Event {
    let (address, console) = (address.map(str::to_owned), Some(console.to_owned()));
    Event::NodeWaiting { node: node.into(), address, waits_for: waits_for.into(), console }
}

fn task(node: &str, state: ItemState) -> Event {
    let name = "Install (c4 host play)".into();
    Event::Task { name, node: node.into(), state, message: None, elapsed_ms: None }
}

fn resource(name: &str, state: ItemState) -> Event {
    let address = format!("libvirt_domain.node[\"{name}\"]");
    Event::Resource { action: ChangeAction::Create, address, state, elapsed_ms: None }
}

/// Until the second node has no address after 25 s in the boot.
fn boot(terminal: &mut Terminal) {
    terminal.after(0, steps());
    terminal.after(0, usual());
    terminal.after(0, Event::StepStarted { step: "preflight" });
    terminal.after(1, finished("preflight", StepOutcome::Done, 700, "12 checks"));
    terminal.after(0, Event::StepStarted { step: "plan" });
    terminal.after(1, finished("plan", StepOutcome::Done, 400, "6 to create, 0 to change, 0 to replace, 0 to remove"));
    terminal.after(0, Event::StepStarted { step: "apply" });
    terminal.after(0, Event::StepProgress { step: "apply", done: 0, total: Some(2), unit: Unit::Resources });
    for node in ["n11", "n12"] {
        terminal.after(0, resource(node, ItemState::Started));
        terminal.after(1, resource(node, ItemState::Done));
    }
    terminal.after(1, finished("apply", StepOutcome::Done, 2_600, ""));
    terminal.after(0, Event::StepStarted { step: "boot" });
    terminal.after(1, waiting("n12", None, "waiting for an address", "Booting the kernel"));
    terminal.after(
        19,
        waiting("n11", Some("192.168.122.71"), "SSH does not answer yet", "cloud-init: modules:config\u{1b}[2J"),
    );
    terminal.after(
        5,
        waiting("n11", Some("192.168.122.71"), "SSH login works, cloud-init is still at work", "Reached target"),
    );
}

fn installed(terminal: &mut Terminal) {
    boot(terminal);
    terminal.after(26, finished("boot", StepOutcome::Done, 50_800, "n11, n12 can be reached"));
    terminal.after(0, Event::StepStarted { step: "install" });
    terminal.after(2, task("n11", ItemState::Started));
    terminal.after(0, task("n12", ItemState::Started));
    terminal.after(12, task("n12", ItemState::Changed));
}

fn shown(columns: u16, flags: Flags, unicode: bool, story: impl FnOnce(&mut Terminal)) -> String {
    let mut terminal = Terminal::new(columns, flags, unicode);
    story(&mut terminal);
    terminal.text()
}

const COLORS: Flags = Flags { format: Format::Text, color: ColorChoice::Always, verbose: false, quiet: false };
const NO_COLORS: Flags = Flags { color: ColorChoice::Never, ..COLORS };

#[test]
fn a_boot_on_80_columns() {
    insta::assert_snapshot!(shown(80, COLORS, true, boot));
}

#[test]
fn a_boot_on_200_columns() {
    insta::assert_snapshot!(shown(200, COLORS, true, boot));
}

#[test]
fn a_boot_on_40_columns() {
    insta::assert_snapshot!(shown(40, COLORS, true, boot));
}

#[test]
fn a_boot_without_colors_and_beyond_ascii() {
    insta::assert_snapshot!(shown(80, NO_COLORS, false, |terminal| {
        boot(terminal);
        let written = (terminal.read)();
        assert!(written.is_ascii(), "{written}");
        let is_color = |rest: &str| rest.trim_start_matches(|c: char| !c.is_ascii_alphabetic()).starts_with('m');
        assert!(!written.split('\u{1b}').skip(1).any(is_color), "{written:?}");
    }));
}

#[test]
fn the_running_task_of_each_node() {
    insta::assert_snapshot!(shown(80, COLORS, true, installed));
}

#[test]
fn terraform_s_counts_and_a_transfer_beside_it() {
    insta::assert_snapshot!(shown(80, COLORS, true, |terminal| {
        let steps = vec![("artifacts", "get the database release"), ("apply", "create the machines")];
        terminal.after(0, sample_events::started(steps));
        terminal.after(0, Event::StepStarted { step: "apply" });
        terminal.after(0, Event::StepProgress { step: "apply", done: 0, total: Some(6), unit: Unit::Resources });
        terminal.after(1, resource("n11", ItemState::Done));
        let transfer =
            |done: u64| Event::StepProgress { step: "artifacts", done, total: Some(800 << 20), unit: Unit::Bytes };
        terminal.after(3, transfer(200 << 20));
    }));
}

#[test]
fn a_slow_step_says_so_with_the_last_words_of_the_console() {
    let text = shown(100, COLORS, true, |terminal| {
        boot(terminal);
        terminal.after(80, waiting("n12", None, "waiting for an address", "Starting cloud-init: Network Stage"));
    });
    let row = text.lines().find(|line| line.contains("wait for the nodes")).unwrap();
    assert!(row.contains("1m 45s  (usually 50s; last conso"), "{row}");
    assert!(!text.contains(" left"), "nobody knows: {text}");
}

#[test]
fn a_finished_deploy_leaves_its_steps_and_nothing_else() {
    let mut terminal = Terminal::new(80, COLORS, true);
    installed(&mut terminal);
    terminal.after(36, finished("install", StepOutcome::Done, 49_700, ""));
    terminal.after(0, Event::StepStarted { step: "login" });
    terminal.after(6, finished("login", StepOutcome::Done, 6_000, "SELECT 1 came back from 2 of 2 nodes"));
    terminal.after(0, sample_events::ended(StepOutcome::Done, 110_000));
    insta::assert_snapshot!(terminal.text());
    assert!((terminal.read)().ends_with(BELL_CODE), "it took longer than a minute");
}

#[test]
fn a_failed_deploy_leaves_its_steps() {
    insta::assert_snapshot!(shown(80, COLORS, true, |terminal| {
        boot(terminal);
        terminal.after(9, finished("boot", StepOutcome::Failed, 34_000, ""));
        terminal.after(0, sample_events::ended(StepOutcome::Failed, 38_000));
    }));
}

#[test]
fn ctrl_c_is_answered_at_once_and_the_step_ends_as_stopped() {
    let mut terminal = Terminal::new(80, COLORS, true);
    boot(&mut terminal);
    terminal.after(0, Event::Stopping { signal: 2, level: 1 });
    let stopping = terminal.text();
    assert!(stopping.contains("\nStopping: the running step ends in order (Ctrl-C again to hurry it)\n"), "{stopping}");
    assert!(!stopping.contains("stops safely"), "{stopping}");
    terminal.after(1, finished("boot", StepOutcome::Stopped, 39_000, ""));
    terminal.after(0, sample_events::ended(StepOutcome::Stopped, 42_000));
    insta::assert_snapshot!(terminal.text());
}

#[test]
fn what_others_print_takes_the_place_of_the_block() {
    let mut terminal = Terminal::new(80, COLORS, true);
    boot(&mut terminal);
    terminal.screen.hold(true);
    terminal.screen.print_err("Create this? [y/N] ", || true).unwrap();
    terminal.after(1, waiting("n12", None, "waiting for an address", "still booting"));
    assert!(terminal.text().trim_end().ends_with("Create this? [y/N]"), "{}", terminal.text());
    terminal.screen.hold(false);
    terminal.screen.print_err("y\n", || true).unwrap();
    terminal.after(1, waiting("n12", None, "waiting for an address", "and booting"));
    assert!(terminal.text().contains("[y/N] y\n  ⠹ wait for the nodes"), "{}", terminal.text());
}

#[test]
fn a_narrower_window_keeps_no_rest_of_a_wider_block() {
    let settings = Settings::resolve(COLORS, &Environment { stderr_terminal: true, ..Environment::default() });
    let (err, read) = super::super::stream::captured();
    // After the window has become half as wide, a line of 60 columns is on two rows.
    let screen =
        super::super::screen::Screen::new(settings, super::super::stream::captured().0, err, || Some((24, 40)));
    screen.draw("", &["x".repeat(60), "short".into()], || true).unwrap();
    screen.draw("", &["next".into()], || true).unwrap();
    assert!(read().ends_with("short\n\u{1b}[3A\r\u{1b}[Jnext\n"), "{:?}", read());
}
