//! A text for people, built line by line. Every value is made harmless on its way in.
//!
//! On a terminal, sentences are wrapped at words, and tables made to fit. Commands and values are never broken, because
//! people copy them. Elsewhere a line is a line.

use console::measure_text_width;
use textwrap::core::display_width;

use crate::model::{Check, CheckStatus, advice};

use super::look::Look;
use super::sanitize::{clean, clean_output};
use super::style::{Paint, Tone};
pub(super) use super::table::{Cell, Column};
use super::{table, words};

pub struct Page {
    text: String,
    paint: Paint,
    look: Look,
}

impl Page {
    /// For a stream that is no terminal, or of which nobody knows how wide it is.
    pub(super) fn new(colors: bool) -> Self {
        Self::with(Look { colors, ..Look::default() })
    }

    pub(super) fn with(look: Look) -> Self {
        Self { text: String::new(), paint: Paint::new(look.colors), look }
    }

    pub(super) fn look(&self) -> &Look {
        &self.look
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// A value or a command: never wrapped.
    pub(super) fn line(&mut self, text: &str) {
        self.push(&clean(text));
    }

    /// A sentence; where it is wrapped, the other lines are indented by so much.
    pub(super) fn sentence(&mut self, text: &str, indent: usize) {
        self.wrapped(&clean(text), indent);
    }

    /// As [`Page::sentence`], in a tone.
    pub(super) fn toned(&mut self, tone: Tone, text: &str) {
        let lines: Vec<_> = self.wrap(&clean(text), 0).iter().map(|line| self.paint.paint(tone, line)).collect();
        lines.iter().for_each(|line| self.push(line));
    }

    /// A text of this program's own, as it is: a script, for example.
    pub(super) fn verbatim(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// A line whose first words carry its meaning: `database_ready`, `error:`.
    pub(super) fn headline(&mut self, tone: Tone, words: &str, rest: &str) {
        let words = self.paint.paint(tone, &clean(words));
        self.wrapped(&format!("{words} {}", clean(rest)), 0);
    }

    /// A sentence after a mark in a tone: `  ✗ the daemon is not running`.
    pub(super) fn marked(&mut self, tone: Tone, mark: &str, text: &str, indent: usize) {
        let mark = self.paint.paint(tone, mark);
        let mut lines = text.lines().map(clean_output);
        self.wrapped(&format!("  {mark} {}", lines.next().unwrap_or_default()), indent);
        lines.for_each(|line| self.wrapped(&format!("{}{line}", " ".repeat(indent)), indent));
    }

    /// A headline whose rest may have several lines (a program's diagnostic): the others are indented. What fixes it is
    /// a command, and never wrapped.
    pub(super) fn paragraph(&mut self, tone: Tone, label: &str, text: &str) {
        let mut lines = text.lines().map(clean_output).filter(|line| !line.is_empty());
        let width = display_width(label) + 1;
        let label = self.paint.paint(tone, &clean(label));
        self.wrapped(&format!("{label} {}", lines.next().unwrap_or_default()), width);
        for line in lines {
            let line = format!("{}{line}", " ".repeat(width));
            let label = line.split_whitespace().next().unwrap_or_default();
            match ["fix:", "or:", "then:", "look:"].contains(&label) {
                true => self.push(&line),
                false => self.wrapped(&line, width),
            }
        }
    }

    /// `label  value` lines with aligned values. Values are never wrapped: people copy them.
    pub(super) fn facts(&mut self, facts: &[(&str, String)]) {
        let width = facts.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        for (label, value) in facts {
            self.push(&format!("  {label:width$}  {}", clean(value)));
        }
    }

    /// `label  command  (remark)` lines; a label that repeats is shown once. Commands are never wrapped. A remark that
    /// has no room stands below.
    pub(super) fn ways(&mut self, ways: &[(&str, String, &str)]) {
        let labels = ways.iter().map(|(label, ..)| label.len()).max().unwrap_or(0);
        let commands =
            ways.iter().filter(|(.., remark)| !remark.is_empty()).map(|(_, command, _)| measure_text_width(command));
        let width = commands.max().unwrap_or(0);
        let mut before = "";
        for (label, command, remark) in ways {
            let shown = if *label == before { "" } else { *label };
            before = *label;
            let label = self.paint.paint(Tone::Strong, &format!("{shown:labels$}"));
            let (left, indent) = (format!("  {label}  "), labels + 4);
            let command = clean(command);
            let aside = if remark.is_empty() { String::new() } else { format!("({remark})") };
            let needed = indent + measure_text_width(&command).max(width) + 2 + measure_text_width(&aside);
            match self.look.text_width() {
                Some(most) if needed > most && !aside.is_empty() => {
                    self.beside(&left, &command, indent);
                    let below = format!("{}{}", " ".repeat(indent), self.paint.paint(Tone::Faint, &aside));
                    self.wrapped(&below, indent);
                }
                _ if aside.is_empty() => self.beside(&left, &command, indent),
                _ => {
                    let aside = self.paint.paint(Tone::Faint, &format!("  {aside}"));
                    self.push(&format!("{left}{command:width$}{aside}"));
                }
            }
        }
    }

    /// An empty line.
    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A heading and indented lines; nothing where there are no lines.
    pub(super) fn list<S: AsRef<str>>(&mut self, heading: &str, lines: &[S]) {
        if lines.is_empty() {
            return;
        }
        self.line(heading);
        for line in lines {
            self.beside("  ", &clean(line.as_ref()), 4);
        }
    }

    /// What is asked, the last line, and what it is about.
    pub(super) fn question(&mut self, text: &str) {
        let lines: Vec<_> = text.lines().map(clean_output).collect();
        let Some((question, above)) = lines.split_last() else { return };
        for line in above {
            let (left, rest) = line.split_at(line.len() - line.trim_start().len());
            self.beside(left, rest, left.len() + 2);
        }
        self.toned(Tone::Strong, question);
    }

    /// What a program printed, marked at the left so that it is not taken for our words.
    pub(super) fn quoted<S: AsRef<str>>(&mut self, heading: &str, lines: &[S]) {
        if lines.is_empty() {
            return;
        }
        self.push(&format!("  {}", clean(heading)));
        for line in lines.iter().flat_map(|line| line.as_ref().lines()) {
            self.push(&format!("    | {}", clean_output(line)));
        }
    }

    /// Commands to run next, one per line.
    pub(super) fn next<S: AsRef<str>>(&mut self, commands: &[S]) {
        for (index, command) in commands.iter().enumerate() {
            let shown = self.label("next:", index);
            self.push(&format!("{shown} {}", clean(command.as_ref())));
        }
    }

    /// A label once, and its lines below each other.
    pub(super) fn labelled<S: AsRef<str>>(&mut self, label: &str, lines: &[S]) {
        for (index, line) in lines.iter().enumerate() {
            let shown = self.label(label, index);
            self.beside(&format!("{shown} "), &clean(line.as_ref()), label.len() + 1);
        }
    }

    fn label(&self, label: &str, index: usize) -> String {
        if index == 0 { self.paint.paint(Tone::Strong, label) } else { " ".repeat(label.len()) }
    }

    /// Rows below headings, without lines around them.
    pub(super) fn table(&mut self, columns: &[Column], rows: &[Vec<String>]) {
        let cells: Vec<Vec<_>> = rows.iter().map(|row| row.iter().cloned().map(Cell::from).collect()).collect();
        self.cells(columns, &cells);
    }

    /// As [`Page::table`], with colors.
    pub(super) fn cells(&mut self, columns: &[Column], rows: &[Vec<Cell>]) {
        let harmless = |cell: &Cell| Cell { text: clean(&cell.text).into_owned(), tone: cell.tone };
        let rows: Vec<Vec<_>> = rows.iter().map(|row| row.iter().map(harmless).collect()).collect();
        // The headings may come from a database.
        let headings: Vec<_> = columns.iter().map(|column| clean(column.heading).into_owned()).collect();
        let columns: Vec<_> = columns.iter().zip(&headings).map(|(column, heading)| column.headed(heading)).collect();
        for line in table::lines(&columns, &rows, self.look.columns, self.paint) {
            self.push(&line);
        }
    }

    /// A preflight check. A failed one is shown with its cause and the commands that fix it.
    pub(super) fn check(&mut self, check: &Check) {
        let (tone, word) = match check.status {
            CheckStatus::Ok => (Tone::Good, "ok"),
            CheckStatus::Warning => (Tone::Warning, "warning"),
            CheckStatus::Failed => (Tone::Bad, "failed"),
            CheckStatus::Skipped => (Tone::Faint, "skipped"),
        };
        let word = self.paint.paint(tone, &format!("{word:7}"));
        if check.is_failed() || !check.fix.is_empty() {
            self.wrapped(&format!("  {word}  {}", clean(check.subject())), 11);
            self.check_details(&[("cause:", check.detail.as_str())]);
            let mut advised: Vec<_> = check.fix.iter().flat_map(|fix| fix.lines()).map(advice).collect();
            advised.extend(check.creatable.iter().map(|_| ("or:", "let init do it with --create-missing")));
            self.check_details(&advised);
        } else {
            self.wrapped(&format!("  {word}  {}", clean(&check.finding())), 11);
        }
    }

    /// Values after their labels; one that repeats is shown once. What fixes it is a command, and never wrapped.
    fn check_details(&mut self, values: &[(&str, &str)]) {
        let mut before = "";
        for (label, value) in values {
            for line in value.lines() {
                let shown = if *label == before { "" } else { label };
                before = label;
                let (left, line) = (format!("             {shown:6} "), clean_output(line));
                match *label {
                    "fix:" => self.push(&format!("{left}{line}")),
                    _ => self.beside(&left, &line, 20),
                }
            }
        }
    }

    /// A clean line after what stands at the left of it: a sentence is wrapped, a command is not.
    fn beside(&mut self, left: &str, line: &str, indent: usize) {
        match words::is_command(line) {
            true => self.push(&format!("{left}{line}")),
            false => self.wrapped(&format!("{left}{line}"), indent),
        }
    }

    fn wrapped(&mut self, line: &str, indent: usize) {
        for line in self.wrap(line, indent) {
            self.push(&line);
        }
    }

    /// A clean line at its words; colors in it take no room.
    fn wrap(&self, line: &str, indent: usize) -> Vec<String> {
        match self.look.text_width() {
            Some(width) => words::lines(line, width, indent),
            None => vec![line.to_owned()],
        }
    }

    fn push(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(build: impl FnOnce(&mut Page)) -> String {
        let mut page = Page::new(false);
        build(&mut page);
        page.into_text()
    }

    #[test]
    fn a_table_is_aligned_by_what_a_terminal_shows() {
        let text = page(|p| {
            p.table(
                &[Column::left("NAME"), Column::right("SIZE"), Column::left("NOTE")],
                &[
                    vec!["日本".into(), "7".into(), String::new()],
                    vec!["ab".into(), "1234".into(), "x\u{1b}[2Jy".into()],
                ],
            );
        });
        insta::assert_snapshot!(text, @r"
        NAME  SIZE  NOTE
        日本     7
        ab    1234  x\u{1b}[2Jy
        ");
    }

    #[test]
    fn a_failed_check_shows_cause_and_commands() {
        let check = Check::failed("pool_active", "storage pool 'default' is active", "it exists, but is not running")
            .fix("virsh pool-start default")
            .fix("virsh pool-autostart default")
            .creatable("pool");
        let text = page(|p| {
            p.check(&Check::ok("connect", "libvirt answers", "9.0.0 at qemu:///system"));
            p.check(&check);
            p.check(&Check::skipped("pool_room", "the pool has room", "the pool is not active"));
        });
        insta::assert_snapshot!(text, @r"
          ok       libvirt answers: 9.0.0 at qemu:///system
          failed   storage pool 'default'
                     cause: it exists, but is not running
                     fix:   virsh pool-start default
                            virsh pool-autostart default
                     or:    let init do it with --create-missing
          skipped  the pool: the pool is not active
        ");
    }

    #[test]
    fn sentences_are_wrapped_at_words_and_commands_are_not() {
        let mut page = Page::with(Look { columns: Some(40), colors: true, ..Look::default() });
        page.paragraph(Tone::Bad, "error:", "the storage pool 'default' is not running, and --libvirt-pool names it");
        page.next(&["exasol deploy -d /home/eva/clusters/of/the/team/prod --libvirt-pool default"]);
        let bare: Vec<_> = page.into_text().lines().map(clean_output).collect();
        insta::assert_snapshot!(bare.join("\n"), @r"
        error: the storage pool 'default' is not
               running, and --libvirt-pool names
               it
        next: exasol deploy -d /home/eva/clusters/of/the/team/prod --libvirt-pool default
        ");
    }

    fn narrow(build: impl FnOnce(&mut Page)) -> String {
        let mut page = Page::with(Look { columns: Some(44), ..Look::default() });
        build(&mut page);
        page.into_text()
    }

    #[test]
    fn hints_remarks_causes_and_questions_are_wrapped() {
        insta::assert_snapshot!(narrow(|p| p.labelled("hint:", &["wait for it to end, or see what it does, and how long it takes", "sudo apt-get install libvirt-daemon-system qemu-kvm"])), @r"
        hint: wait for it to end, or see what it
              does, and how long it takes
              sudo apt-get install libvirt-daemon-system qemu-kvm
        ");
        insta::assert_snapshot!(narrow(|p| p.ways(&[
            ("Exists now", "the machine of n11, and 3 other things; no cost".into(), ""),
            ("Try", "exasol deploy -d demo".into(), "tries again from where it failed"),
        ])), @r"
          Exists now  the machine of n11, and 3
                      other things; no cost
          Try         exasol deploy -d demo
                      (tries again from where it
                      failed)
        ");
        let check = Check::failed("ansible", "ansible-core", "it was not found on PATH, nor where exasol puts it")
            .fix("sudo apt-get install ansible-core python3-venv");
        insta::assert_snapshot!(narrow(|p| p.check(&check)), @r"
          failed   ansible-core
                     cause: it was not found on
                            PATH, nor where
                            exasol puts it
                     fix:   sudo apt-get install ansible-core python3-venv
        ");
        insta::assert_snapshot!(narrow(|p| p.question("  one node with 4 vCPUs, and a root disk of 50 GB\nCreate this in the cloud? It costs money, as long as it is there.")), @r"
          one node with 4 vCPUs, and a root disk of
            50 GB
        Create this in the cloud? It costs money, as
        long as it is there.
        ");
    }

    #[test]
    fn a_diagnostic_of_several_lines_stays_below_its_first() {
        let text = page(|p| p.paragraph(Tone::Bad, "error:", "terraform failed: no\n\n  on main.tf\u{7} line 3"));
        insta::assert_snapshot!(text, @r"
        error: terraform failed: no
                 on main.tf\u{7} line 3
        ");
    }
}
