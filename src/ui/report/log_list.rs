//! `logs --list`.

use crate::model::LogList;
use crate::ui::page::{Column, Page};
use crate::ui::style::elapsed;

use super::Report;

impl Report for LogList {
    fn text(&self, page: &mut Page) {
        let look = page.look();
        let row = |logged: &crate::model::LoggedOperation| {
            let took = logged.took_ms.map_or_else(|| "-".into(), elapsed);
            vec![
                look.moment(&logged.started_at),
                logged.operation.clone(),
                logged.outcome.to_string(),
                took,
                logged.name.clone(),
            ]
        };
        let rows: Vec<_> = self.operations.iter().map(row).collect();
        let columns = ["STARTED", "OPERATION", "OUTCOME"].map(Column::left);
        let columns: Vec<_> = columns.into_iter().chain([Column::right("TOOK"), Column::left("NAME")]).collect();
        page.table(&columns, &rows);
    }
}
