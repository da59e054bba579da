//! `certificate show` and `certificate set`.

use crate::model::CertificateReport;
use crate::ui::page::{Column, Page};
use crate::ui::style::Tone;

use super::Report;

impl Report for CertificateReport {
    fn text(&self, page: &mut Page) {
        let word = if self.changed { "changed:" } else { "certificate:" };
        let (tone, rest) = match self.is_unanswered() {
            true => (Tone::Bad, format!("{}: no node could be asked", self.whose.name)),
            false => (Tone::Good, self.whose.name.clone()),
        };
        page.headline(tone, word, &rest);
        page.facts(&[(
            "recorded",
            self.recorded.clone().unwrap_or_else(|| "none; it is read again when needed".into()),
        )]);
        let shows = |node: &crate::model::NodeCertificate| {
            node.fingerprint.clone().or_else(|| node.why.clone()).unwrap_or_default()
        };
        let rows: Vec<_> = self.nodes.iter().map(|node| vec![node.name.clone(), shows(node)]).collect();
        page.table(&[Column::left("NODE"), Column::left("SHOWS (SHA-256)")], &rows);
        page.next(&self.next);
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
