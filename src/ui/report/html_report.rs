//! `report`.

use crate::model::HtmlReport;
use crate::ui::page::Page;
use crate::ui::style::{Tone, count, size};

use super::Report;

impl Report for HtmlReport {
    fn text(&self, page: &mut Page) {
        let rest = format!("{} ({}, {})", self.file.display(), count(self.operations, "operation"), size(self.bytes));
        page.headline(Tone::Good, "written:", &rest);
        let missing: Vec<_> = self.missing.iter().map(|missing| format!("{}: {}", missing.what, missing.why)).collect();
        page.list("not included:", &missing);
        page.line("Open it in a browser. Known secrets are masked. Read the page before you send it.");
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
