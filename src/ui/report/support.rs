//! `support`.

use crate::model::SupportReport;
use crate::ui::page::Page;
use crate::ui::style::{Tone, count, size};

use super::Report;

impl Report for SupportReport {
    fn text(&self, page: &mut Page) {
        let rest = format!("{} ({}, {})", self.archive.display(), count(self.files, "file"), size(self.bytes));
        page.headline(Tone::Good, "written:", &rest);
        let missing: Vec<_> = self.missing.iter().map(|missing| format!("{}: {}", missing.what, missing.why)).collect();
        page.list("not collected:", &missing);
        page.list("only the end of:", &self.cut);
        page.sentence(
            "Known secrets are masked. Read the archive before you send it; README.txt in it lists the contents.",
            0,
        );
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
