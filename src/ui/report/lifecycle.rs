//! `init`, `deploy`, `deploy --plan` and `destroy`.

use crate::model::{
    AdoptReport, ChangeAction, DeployReport, DestroyReport, InitReport, OptionChange, Phase, PlanReport, PowerReport,
    UpdateReport, quote,
};
use crate::ui::page::{Column, Page};
use crate::ui::style::{Tone, count, elapsed};

use super::{Report, version};

impl Report for InitReport {
    fn text(&self, page: &mut Page) {
        page.headline(Tone::Good, "initialized:", &self.whose.name);
        page.facts(&[
            ("id", self.whose.deployment.clone()),
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

impl Report for AdoptReport {
    fn text(&self, page: &mut Page) {
        page.headline(Tone::Good, "adopted:", &self.whose.name);
        page.facts(&[
            ("id", self.whose.deployment.clone()),
            ("directory", self.directory.display().to_string()),
            ("provider", self.provider.clone()),
            ("database", self.db_version.clone()),
            ("nodes", self.cluster_size.to_string()),
        ]);
        page.list("not known, and in no file:", &self.unknown);
        page.next(&self.next);
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl Report for PowerReport {
    fn text(&self, page: &mut Page) {
        let nodes = self.nodes.join(", ");
        let (state, machines) = match self.status {
            Phase::Stopped => ("is stopped", "are off"),
            _ => ("is ready", "are on"),
        };
        let rest = format!("({}). The machines {machines}: {nodes}.", elapsed(self.took_ms));
        page.headline(Tone::Good, &format!("{} {state}", self.whose.name), &rest);
        if let Some(remark) = &self.remark {
            page.line(remark);
        }
        page.next(&self.next);
    }
}

impl Report for UpdateReport {
    fn text(&self, page: &mut Page) {
        if self.changed.is_empty() {
            page.headline(Tone::Good, "unchanged:", &self.whose.name);
        } else {
            page.headline(Tone::Good, "updated:", &self.whose.name);
            let rows: Vec<_> = self.changed.iter().map(row).collect();
            page.table(&[Column::left("OPTION"), Column::left("FROM"), Column::left("TO")], &rows);
        }
        page.next(&self.next);
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// A value as people write it.
fn text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "-".into(),
        serde_json::Value::Array(all) if all.is_empty() => "-".into(),
        serde_json::Value::Array(all) => all.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Secrets have no values here.
fn row(change: &OptionChange) -> Vec<String> {
    vec![change.shown.clone(), text(&change.from), text(&change.to)]
}

impl Report for DeployReport {
    /// What one needs next: how to connect, and how to remove it. Nodes and certificate are in `info`.
    fn text(&self, page: &mut Page) {
        let what = if self.rehearsal { " It is a rehearsal: it answers SELECT 1 and holds no data." } else { "" };
        let rest = format!("({}).{what}", elapsed(self.took_ms));
        page.headline(Tone::Good, &format!("{} is ready", self.whose.name), &rest);
        page.blank();
        let in_dir = |command: &str| format!("exasol {command} -d {}", quote(&self.directory.to_string_lossy()));
        page.ways(&[
            ("SQL shell", in_dir("sql"), ""),
            ("Clients", in_dir("info"), "JDBC, ODBC, pyexasol, DBeaver"),
            ("Admin UI", self.admin_ui.clone(), ""),
            ("Remove", in_dir("destroy"), ""),
        ]);
    }
}

impl Report for PlanReport {
    fn text(&self, page: &mut Page) {
        let Self { create, update, replace, delete, .. } = self;
        let counts = format!("{create} to create, {update} to change, {replace} to replace, {delete} to remove");
        page.headline(Tone::Strong, "plan:", &counts);
        if !self.changes.is_empty() {
            let rows: Vec<_> = self.changes.iter().map(|c| vec![action(c.action), c.address.clone()]).collect();
            page.table(&[Column::left("ACTION"), Column::left("RESOURCE")], &rows);
        }
        page.list("access and size:", &self.summary);
    }
}

/// As the steps of a deploy and its question call it.
fn action(action: ChangeAction) -> String {
    match action {
        ChangeAction::Update => "change".to_owned(),
        ChangeAction::Delete => "remove".to_owned(),
        other => other.to_string(),
    }
}

impl Report for DestroyReport {
    fn text(&self, page: &mut Page) {
        let things = count(self.removed.len(), "thing");
        let removed = if self.dry_run {
            page.headline(Tone::Strong, "dry run:", &format!("{}; nothing was changed", self.whose.name));
            format!("{things} would be removed")
        } else {
            page.headline(
                Tone::Good,
                &format!("{}:", self.status),
                &format!("{} in {}", self.whose.name, elapsed(self.took_ms)),
            );
            format!("{things} removed")
        };
        if self.removed.is_empty() {
            page.line(&removed);
        }
        page.list(&format!("{removed}:"), &self.removed);
        page.list("kept:", &self.kept);
    }
}
