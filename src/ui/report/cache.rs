//! `cache list` and `cache prune`.

use crate::model::{CacheEntry, CacheReport};
use crate::ui::page::{Column, Page};
use crate::ui::style::size;

use super::Report;

impl Report for CacheReport {
    fn text(&self, page: &mut Page) {
        page.line(&format!("{}: {}", self.directory.display(), total(&self.entries)));
        entries(page, &self.entries);
        if !self.removed.is_empty() {
            page.line(&format!("removed: {}", total(&self.removed)));
            entries(page, &self.removed);
        }
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

fn total(entries: &[CacheEntry]) -> String {
    let noun = if entries.len() == 1 { "entry" } else { "entries" };
    let bytes = entries.iter().fold(0u64, |sum, entry| sum.saturating_add(entry.bytes));
    format!("{} {noun}, {}", entries.len(), size(bytes))
}

fn entries(page: &mut Page, entries: &[CacheEntry]) {
    if entries.is_empty() {
        return;
    }
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            let used = entry.in_use_by.clone().unwrap_or_else(|| "-".into());
            vec![entry.kind.to_string(), size(entry.bytes), used, entry.name.clone()]
        })
        .collect();
    page.table(&[Column::left("KIND"), Column::right("SIZE"), Column::left("USED BY"), Column::left("NAME")], &rows);
}
