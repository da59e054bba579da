//! `init`, `deploy`, `deploy --plan` and `destroy`.

use crate::model::{DeployReport, DestroyReport, InitReport, OptionChange, PlanReport, PowerReport, UpdateReport};
use crate::ui::page::{Column, Page};
use crate::ui::style::{Tone, count, elapsed};

use super::{REHEARSAL, Report, version};

impl Report for InitReport {
    fn text(&self, page: &mut Page) {
        page.headline(Tone::Good, "initialized:", &self.deployment);
        page.facts(&[
            ("directory", self.directory.display().to_string()),
            ("provider", self.provider.clone()),
            ("database", version(&self.db_version, self.rehearsal)),
            ("nodes", self.cluster_size.to_string()),
        ]);
        page.next(&self.next);
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl Report for PowerReport {
    fn text(&self, page: &mut Page) {
        let rest = format!("{} ({}) in {}", self.deployment, self.nodes.join(", "), elapsed(self.took_ms));
        page.headline(Tone::Good, &format!("{}:", self.status), &rest);
        if let Some(remark) = &self.remark {
            page.line(remark);
        }
        page.next(&self.next);
    }
}

impl Report for UpdateReport {
    fn text(&self, page: &mut Page) {
        if self.changed.is_empty() {
            page.headline(Tone::Good, "unchanged:", &self.deployment);
        } else {
            page.headline(Tone::Good, "updated:", &self.deployment);
            let rows: Vec<_> = self.changed.iter().map(row).collect();
            page.table(&[Column::left("OPTION"), Column::left("FROM"), Column::left("TO")], &rows);
        }
        page.next(&self.next);
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// Secrets have no values here.
fn row(change: &OptionChange) -> Vec<String> {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "-".into(),
        other => other.to_string(),
    };
    vec![change.option.clone(), text(&change.from), text(&change.to)]
}

impl Report for DeployReport {
    fn text(&self, page: &mut Page) {
        let label = if self.rehearsal { format!(" ({REHEARSAL})") } else { String::new() };
        let rest = format!("{} in {}{label}", self.deployment, elapsed(self.took_ms));
        page.headline(Tone::Good, &format!("{}:", self.status), &rest);
        let two_addresses = self.nodes.iter().any(|node| node.private_ip != node.public_ip);
        let mut columns = vec![Column::left("NODE"), Column::left("ADDRESS")];
        if two_addresses {
            columns.push(Column::left("PRIVATE"));
        }
        let rows: Vec<_> = self
            .nodes
            .iter()
            .map(|node| {
                let mut row = vec![node.name.clone(), node.public_ip.clone()];
                row.extend(two_addresses.then(|| node.private_ip.clone()));
                row
            })
            .collect();
        page.table(&columns, &rows);
        page.line(&format!("certificate SHA-256 {}", self.certificate_fingerprint));
        page.next(&self.next);
    }
}

impl Report for PlanReport {
    fn text(&self, page: &mut Page) {
        let Self { create, update, replace, delete, .. } = self;
        let counts = format!("{create} to create, {update} to update, {replace} to replace, {delete} to delete");
        page.headline(Tone::Strong, "plan:", &counts);
        if !self.changes.is_empty() {
            let rows: Vec<_> = self.changes.iter().map(|c| vec![c.action.to_string(), c.address.clone()]).collect();
            page.table(&[Column::left("ACTION"), Column::left("RESOURCE")], &rows);
        }
        page.list("access and size:", &self.summary);
    }
}

impl Report for DestroyReport {
    fn text(&self, page: &mut Page) {
        let status = format!("{}:", self.status);
        let things = count(self.removed.len(), "thing");
        let removed = if self.dry_run {
            page.headline(Tone::Strong, &status, &format!("{}; nothing was changed", self.deployment));
            format!("{things} would be removed")
        } else {
            page.headline(Tone::Good, &status, &format!("{} in {}", self.deployment, elapsed(self.took_ms)));
            format!("{things} removed")
        };
        if self.removed.is_empty() {
            page.line(&removed);
        }
        page.list(&format!("{removed}:"), &self.removed);
        page.list("kept:", &self.kept);
    }
}
