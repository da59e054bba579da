//! `health`.

use crate::model::{HealthReport, Issue, Layer, Severity};
use crate::ui::page::{Column, Page};
use crate::ui::style::{Tone, count, elapsed};

use super::{Report, version};

impl Report for HealthReport {
    fn text(&self, page: &mut Page) {
        let errors = self.issues.iter().filter(|issue| issue.severity == Severity::Error).count();
        let warnings = self.issues.len() - errors;
        let tone = match (errors, warnings) {
            (0, 0) => Tone::Good,
            (0, _) => Tone::Warning,
            _ => Tone::Bad,
        };
        let summary =
            format!("{}, {}, {}", count(self.nodes.len(), "node"), count(errors, "error"), count(warnings, "warning"));
        page.headline(tone, &format!("{}:", self.status), &summary);
        page.facts(&[("deployment", version(&self.name, self.rehearsal)), ("phase", self.phase.to_string())]);
        page.line("");
        let shown = Layer::ALL.into_iter().filter(|layer| *layer != Layer::Record);
        let headings: Vec<_> = shown.clone().map(|layer| layer.as_str().to_uppercase()).collect();
        let columns: Vec<_> =
            ["NODE"].into_iter().chain(headings.iter().map(String::as_str)).map(Column::left).collect();
        let rows: Vec<Vec<String>> = self
            .nodes
            .iter()
            .map(|node| {
                let states = shown.clone().map(|layer| node.layers.get(&layer).map_or("-", |s| s.as_str()).to_owned());
                [node.name.clone()].into_iter().chain(states).collect()
            })
            .collect();
        page.table(&columns, &rows);
        page.line("");
        for issue in &self.issues {
            show(page, issue);
        }
        page.list("repaired:", &self.repaired);
        if let Some(holder) = &self.operation {
            page.line(&format!("running: {} since {} (pid {})", holder.operation, holder.since, holder.pid));
        }
        page.next(&self.next);
        page.line(&format!("checked in {}", elapsed(self.checked_in_ms)));
    }
}

fn show(page: &mut Page, issue: &Issue) {
    let (tone, word) = match issue.severity {
        Severity::Error => (Tone::Bad, "error:"),
        Severity::Warning => (Tone::Warning, "warning:"),
    };
    let of = issue.node.as_deref().unwrap_or("deployment");
    page.headline(tone, word, &format!("{of} {}: {} ({})", issue.layer.as_str(), issue.detail, issue.kind));
    page.line(&format!("  hint: {}", issue.hint));
}
