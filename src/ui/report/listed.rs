//! `init --list-providers`, `--list-versions` and `--show-permissions`.

use crate::model::{Listed, PermissionsReport};
use crate::ui::page::{Column, Page};

use super::Report;

impl Report for Vec<Listed> {
    fn text(&self, page: &mut Page) {
        let rows: Vec<_> = self
            .iter()
            .map(|row| {
                let aliases = if row.aliases.is_empty() { "-".into() } else { row.aliases.join(", ") };
                vec![row.name.clone(), aliases, row.detail.clone()]
            })
            .collect();
        if self.iter().any(|row| !row.aliases.is_empty()) {
            page.table(&[Column::left("NAME"), Column::left("ALIASES"), Column::prose("DETAIL")], &rows);
        } else {
            let rows: Vec<_> = rows.into_iter().map(|row| vec![row[0].clone(), row[2].clone()]).collect();
            page.table(&[Column::left("NAME"), Column::prose("DETAIL")], &rows);
        }
    }
}

/// The policy alone on standard output, so that it can be handed on as it is.
impl Report for PermissionsReport {
    fn text(&self, page: &mut Page) {
        let text = serde_json::to_string_pretty(&self.permissions).unwrap_or_default();
        text.lines().for_each(|line| page.line(line));
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
