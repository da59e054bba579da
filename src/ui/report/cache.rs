//! `cache list`, `cache prune` and `cache warm`.

use crate::model::{CacheEntry, CacheReport, WarmReport};
use crate::ui::page::{Column, Page};
use crate::ui::style::{Tone, elapsed, size};

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

impl Report for WarmReport {
    fn text(&self, page: &mut Page) {
        let base = &self.base;
        let (headline, rest) = match self.made {
            true => ("made a warm base", format!("({}).", elapsed(self.took_ms))),
            false => ("unchanged:", "the warm base is up to date.".to_owned()),
        };
        page.headline(Tone::Good, headline, &rest);
        page.facts(&[
            ("system", base.system.clone()),
            ("made", format!("{} by exasol {}", base.made_at, base.made_by)),
            ("size", format!("{}; for root disks of {} GB or more", size(base.bytes), base.disk_gb)),
            ("file", self.file.display().to_string()),
            ("packages", format!("{} of those that nodes look for", base.packages.len())),
        ]);
        if page.look().verbose {
            page.list("packages:", &base.packages);
        }
        page.sentence("Every deploy of this image uses it from now on; exasol deploy --no-warm does without it.", 0);
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
    let notes = entries.iter().filter_map(|entry| Some(format!("{}: {}", entry.name, entry.note.as_ref()?)));
    let notes: Vec<_> = notes.filter(|note| !note.contains(".json: ")).collect();
    if !notes.is_empty() {
        page.list("warm bases:", &notes);
    }
}
