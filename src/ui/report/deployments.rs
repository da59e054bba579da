//! `list`.

use crate::model::{DeploymentsReport, KnownDeployment, Phase, Status};
use crate::ui::page::{Cell, Column, Page};
use crate::ui::style::Tone;

use super::status::{is_failure, tone, verb};
use super::{Report, sentence};

impl Report for DeploymentsReport {
    fn text(&self, page: &mut Page) {
        if self.deployments.is_empty() {
            page.line(if self.destroyed_hidden == 0 { "No deployment is known." } else { "No deployment is left." });
        } else {
            let columns = [
                Column::left("NAME"),
                Column::left("WHERE").rank(1),
                Column::right("NODES").rank(2),
                Column::left("STATUS"),
                Column::path("DIRECTORY"),
            ];
            let rows: Vec<_> = self.deployments.iter().map(|known| row(known, page)).collect();
            page.cells(&columns, &rows);
            for known in &self.deployments {
                remarks(page, known);
            }
        }
        if self.destroyed_hidden > 0 {
            page.toned(Tone::Faint, &format!("{} destroyed, not shown (--all)", self.destroyed_hidden));
        }
        for row in &self.pruned {
            page.line(&format!("dropped from the list: {} {}", row.whose.deployment, row.directory.display()));
        }
        page.next(&self.next);
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

fn row(known: &KnownDeployment, page: &Page) -> Vec<Cell> {
    let or_dash = |text: String| Cell::from(if text.is_empty() { "-".to_owned() } else { text });
    let place = if known.rehearsal { format!("{}, rehearsal", known.provider) } else { known.provider.clone() };
    let directory = match page.look().columns {
        Some(_) => page.look().short(&known.directory),
        None => known.directory.display().to_string(),
    };
    vec![
        known.whose.name.clone().into(),
        or_dash(place),
        or_dash(known.cluster_size.map(|size| size.to_string()).unwrap_or_default()),
        Cell::toned(state(known, page), if known.tried { Tone::Bad } else { tone(known.status) }),
        or_dash(directory),
    ]
}

/// In words; what failed with its age.
fn state(known: &KnownDeployment, page: &Page) -> String {
    let ended = |phase: Phase, how: &str| {
        let ago = known.since.as_ref().map(|at| format!(", {}", page.look().ago(at))).unwrap_or_default();
        format!("{} {how}{ago}", verb(phase))
    };
    match known.status {
        Status::Phase(Phase::DatabaseReady) => "ready".to_owned(),
        Status::Phase(phase @ Phase::Initialized) if known.tried => ended(phase, "failed"),
        Status::Phase(Phase::Initialized) => "not deployed".to_owned(),
        Status::Phase(phase) if phase.is_in_progress() => format!("{} is running", verb(phase)),
        Status::Phase(phase) if is_failure(known.status) => ended(phase, "failed"),
        Status::Interrupted => ended(known.phase.unwrap_or(Phase::DeployInProgress), "interrupted"),
        Status::Unknown => "does not answer".to_owned(),
        other => other.as_str().to_owned(),
    }
}

/// What the table has no room for.
fn remarks(page: &mut Page, known: &KnownDeployment) {
    if matches!(known.status, Status::Missing | Status::Broken | Status::Unknown | Status::Degraded) {
        page.sentence(&format!("  {}: {}", known.whose.name, sentence(&known.reason)), 4);
    }
    for copy in &known.copies {
        page.sentence(&format!("  {}: the same deployment is in {}", known.whose.name, copy.display()), 4);
    }
}
