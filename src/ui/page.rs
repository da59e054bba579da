//! A text for people, built line by line. Every value is made harmless on its way in.

use comfy_table::{CellAlignment, Table};
use console::measure_text_width;

use crate::model::{Check, CheckStatus};

use super::sanitize::{clean, clean_output};
use super::style::{Paint, Tone};

/// Space between two columns.
const GAP: u16 = 2;

pub struct Page {
    text: String,
    paint: Paint,
}

/// A column's heading and the side to which its cells lean.
pub(super) struct Column<'a> {
    pub heading: &'a str,
    pub right: bool,
}

impl<'a> Column<'a> {
    pub fn left(heading: &'a str) -> Self {
        Self { heading, right: false }
    }

    pub fn right(heading: &'a str) -> Self {
        Self { heading, right: true }
    }
}

impl Page {
    pub(super) fn new(colors: bool) -> Self {
        Self { text: String::new(), paint: Paint::new(colors) }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn line(&mut self, text: &str) {
        self.push(&clean(text));
    }

    /// A text of this program's own, as it is: a script, for example.
    pub(super) fn verbatim(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// A line whose first words carry its meaning: `database_ready`, `error:`.
    pub(super) fn headline(&mut self, tone: Tone, words: &str, rest: &str) {
        let words = self.paint.paint(tone, &clean(words));
        self.push(&format!("{words} {}", clean(rest)));
    }

    /// A headline whose rest may have several lines (a program's diagnostic): the others are indented.
    pub(super) fn paragraph(&mut self, tone: Tone, label: &str, text: &str) {
        let mut lines = text.lines().map(clean_output).filter(|line| !line.is_empty());
        self.headline(tone, label, &lines.next().unwrap_or_default());
        let indent = " ".repeat(label.chars().count() + 1);
        for line in lines {
            self.push(&format!("{indent}{line}"));
        }
    }

    /// `label  value` lines with aligned values. Values are never wrapped: people copy them.
    pub(super) fn facts(&mut self, facts: &[(&str, String)]) {
        let width = facts.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        for (label, value) in facts {
            self.push(&format!("  {label:width$}  {}", clean(value)));
        }
    }

    /// `label  command  (remark)` lines; a label that repeats is shown once. Commands are never wrapped.
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
            let remark =
                if remark.is_empty() { String::new() } else { self.paint.paint(Tone::Faint, &format!("  ({remark})")) };
            self.push(&format!("  {label}  {}{remark}", format_args!("{:width$}", clean(command))));
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
            self.push(&format!("  {}", clean(line.as_ref())));
        }
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
        self.labelled("next:", commands);
    }

    /// A label once, and its lines below each other.
    pub(super) fn labelled<S: AsRef<str>>(&mut self, label: &str, lines: &[S]) {
        for (index, line) in lines.iter().enumerate() {
            let shown = if index == 0 { self.paint.paint(Tone::Strong, label) } else { " ".repeat(label.len()) };
            self.push(&format!("{shown} {}", clean(line.as_ref())));
        }
    }

    /// Rows below headings, without lines around them and never wrapped.
    pub(super) fn table(&mut self, columns: &[Column], rows: &[Vec<String>]) {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_header(columns.iter().map(|column| clean(column.heading).into_owned()).collect::<Vec<_>>());
        table.add_rows(rows.iter().map(|row| row.iter().map(|cell| clean(cell).into_owned()).collect::<Vec<_>>()));
        for (column, shown) in columns.iter().zip(table.column_iter_mut()) {
            shown.set_padding((0, GAP));
            if column.right {
                shown.set_cell_alignment(CellAlignment::Right);
            }
        }
        for line in table.lines() {
            self.push(line.trim_end());
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
        let title = clean(&check.title).into_owned();
        if check.is_failed() || !check.fix.is_empty() {
            self.push(&format!("  {word}  {title}"));
            self.check_details("cause:", [check.detail.as_str()]);
            self.check_details("fix:  ", check.fix.iter().map(String::as_str));
            if check.creatable.is_some() {
                self.check_details("or:   ", ["let init do it with --create-missing"]);
            }
        } else {
            self.push(&format!("  {word}  {title}: {}", clean(&check.detail)));
        }
    }

    fn check_details<'a>(&mut self, label: &str, values: impl IntoIterator<Item = &'a str>) {
        let lines = values.into_iter().flat_map(str::lines);
        for (index, line) in lines.enumerate() {
            let label = if index == 0 { label } else { "      " };
            self.push(&format!("             {label} {}", clean_output(line)));
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
          failed   storage pool 'default' is active
                     cause: it exists, but is not running
                     fix:   virsh pool-start default
                            virsh pool-autostart default
                     or:    let init do it with --create-missing
          skipped  the pool has room: the pool is not active
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
