//! `sweep`.

use crate::model::{Ownership, SweepReport, SweptDeployment, SweptThing};
use crate::ui::page::{Column, Page};
use crate::ui::style::{Tone, count, size};

use super::Report;

impl Report for SweepReport {
    fn text(&self, page: &mut Page) {
        if !self.asked {
            page.line(&format!("exasol does not look into an account of {}. Look yourself:", self.provider));
            page.list("with its command line, or in the console:", &self.steps);
            page.next(&self.next);
            return;
        }
        page.list(&format!("{} removed:", count(self.removed.len(), "thing")), &self.removed);
        match (self.deployments.is_empty(), self.removed.is_empty()) {
            (true, true) => page.line("No deployment has anything there."),
            (true, false) => page.line("No deployment has anything there any more."),
            _ => {}
        }
        self.deployments.iter().for_each(|found| deployment(page, found));
        page.next(&self.next);
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

fn deployment(page: &mut Page, found: &SweptDeployment) {
    let directory = found.directory.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let phase = found.phase.map(|phase| format!(", {phase}")).unwrap_or_default();
    let (tone, whose) = match found.owner {
        Ownership::Known => (Tone::Good, format!("belongs to {directory}{phase}")),
        Ownership::Unreadable => (Tone::Warning, format!("may belong to {directory}, which cannot be read")),
        Ownership::Destroyed => (Tone::Warning, format!("was left by {directory}, which was destroyed")),
        Ownership::Gone => (Tone::Warning, format!("belonged to {directory}: the directory is gone")),
        Ownership::Unknown => (Tone::Warning, "no known directory".to_owned()),
    };
    page.headline(tone, &format!("{}:", found.deployment), &whose);
    let columns = [
        Column::left("KIND"),
        Column::left("STATE"),
        Column::right("SIZE"),
        Column::left("CHANGED"),
        Column::left("NAME"),
    ];
    let rows: Vec<_> = found.things.iter().map(|thing| row(thing, page)).collect();
    page.table(&columns, &rows);
    for thing in &found.things {
        if let Some(doubt) = &thing.doubt {
            page.sentence(&format!("In doubt: {}: {doubt}.", thing.name), 2);
        }
    }
}

fn row(thing: &SweptThing, page: &Page) -> Vec<String> {
    let name = match &thing.pool {
        Some(pool) => format!("{pool}/{}", thing.name),
        None => thing.name.clone(),
    };
    // A pipe may be read at any later time.
    let age = |at: &String| match page.look().columns {
        Some(_) => page.look().ago(at),
        None => at.clone(),
    };
    vec![
        thing.kind.to_string(),
        thing.state.map_or_else(|| "-".to_owned(), |state| state.to_string()),
        thing.bytes.map_or_else(|| "-".to_owned(), size),
        thing.changed.as_ref().map_or_else(|| "unknown".to_owned(), age),
        name,
    ]
}
