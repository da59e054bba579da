//! `status` and `doctor`.

use crate::model::{CheckStatus, DoctorReport, NodeStatus, StatusReport};
use crate::ui::page::{Column, Page};
use crate::ui::style::{Tone, count, elapsed};

use super::{Report, version};

impl Report for StatusReport {
    fn text(&self, page: &mut Page) {
        page.headline(tone(&self.status), &format!("{}:", self.status), &self.reason);
        page.facts(&[
            ("deployment", format!("{} ({})", self.name, self.deployment)),
            ("provider", self.provider.clone()),
            ("database", version(&self.db_version, self.rehearsal)),
            ("nodes", self.cluster_size.to_string()),
        ]);
        if !self.nodes.is_empty() {
            page.line("");
            nodes(page, &self.nodes);
            page.line("");
        }
        if let Some(holder) = &self.operation {
            page.line(&format!(
                "running: {} since {} (pid {} on {})",
                holder.operation, holder.since, holder.pid, holder.host
            ));
        }
        if let Some(error) = &self.last_error {
            page.paragraph(
                Tone::Strong,
                "last error:",
                &format!("{} at {}: {}", error.operation, error.at, error.message),
            );
            if let Some(log) = &error.log {
                page.line(&format!("log: {}", log.display()));
            }
        }
        if self.update_pending {
            page.line("options have been changed: the next deploy applies them");
        }
        page.next(&self.next);
        page.line(&format!("checked in {}", elapsed(self.checked_in_ms)));
    }
}

fn tone(status: &str) -> Tone {
    match status {
        "database_ready" => Tone::Good,
        "interrupted" => Tone::Bad,
        failed if failed.ends_with("_failed") => Tone::Bad,
        busy if busy.ends_with("_in_progress") => Tone::Warning,
        _ => Tone::Strong,
    }
}

/// The table of nodes; the private address only where it differs, reasons below the table.
fn nodes(page: &mut Page, nodes: &[NodeStatus]) {
    let two_addresses = nodes.iter().any(|node| node.private_ip != node.public_ip);
    let mut columns = vec![Column::left("NODE"), Column::left("VM"), Column::left("ADDRESS")];
    if two_addresses {
        columns.push(Column::left("PRIVATE"));
    }
    columns.extend([Column::left("SSH"), Column::left("SQL")]);
    let rows: Vec<_> = nodes
        .iter()
        .map(|node| {
            let address = |ip: &Option<String>| ip.clone().unwrap_or_else(|| "-".into());
            let mut row = vec![node.name.clone(), node.vm.as_str().to_owned(), address(&node.public_ip)];
            if two_addresses {
                row.push(address(&node.private_ip));
            }
            row.extend([node.ssh.state, node.sql.state].map(|state| state.as_str().replace('_', " ")));
            row
        })
        .collect();
    page.table(&columns, &rows);
    for node in nodes {
        if let Some(now) = &node.address_now {
            page.line(&format!("  {} VM: its address is {now} now", node.name));
        }
        if let Some(reason) = &node.vm_reason {
            page.line(&format!("  {} VM: {reason}", node.name));
        }
        for (what, probe) in [("SSH", &node.ssh), ("SQL", &node.sql)] {
            if let Some(reason) = &probe.reason {
                page.line(&format!("  {} {what}: {reason}", node.name));
            }
        }
    }
}

impl Report for DoctorReport {
    fn text(&self, page: &mut Page) {
        let number = |status| self.checks.iter().filter(|check| check.status == status).count();
        let failed = number(CheckStatus::Failed);
        let summary = format!(
            "{}: {}, {failed} failed, {}",
            self.provider,
            count(self.checks.len(), "check"),
            count(number(CheckStatus::Warning), "warning")
        );
        let (tone, word) = if self.ok { (Tone::Good, "ready:") } else { (Tone::Bad, "not ready:") };
        page.headline(tone, word, &summary);
        for check in &self.checks {
            page.check(check);
        }
    }
}
