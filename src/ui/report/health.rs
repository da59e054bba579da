//! `health`: the causes, what follows from each, and the layers of all nodes.

use crate::model::{HealthReport, HealthStatus, Issue, Layer, LayerState, Severity};
use crate::ui::page::{Cell, Column, Page};
use crate::ui::style::{Tone, count, elapsed};

use super::Report;

/// The layers need so many columns beside each other.
const WIDE: usize = 90;
/// A node's column, where the layers are below each other, and the column of the layers.
const NARROW: (usize, usize) = (9, 13);

impl Report for HealthReport {
    fn text(&self, page: &mut Page) {
        self.headline(page);
        page.line("");
        if page.look().has_room_for(WIDE) {
            self.layers_across(page)
        } else {
            self.layers_down(page)
        }
        if !self.issues.is_empty() {
            page.line("");
        }
        let causes = self.issues.iter().filter(|issue| issue.follows_from.is_none());
        for cause in causes {
            show(page, cause);
            self.consequences(page, cause);
        }
        page.list("repaired:", &self.repaired);
        if let Some(holder) = &self.operation {
            let since = page.look().moment(&holder.since);
            page.sentence(
                &format!("{} runs since {since}, pid {}: it may explain this.", holder.operation, holder.pid),
                0,
            );
        }
        page.line("");
        let healthy = self.status == HealthStatus::Healthy;
        page.labelled(if healthy { "next:" } else { "fix: " }, &self.next);
        let clause = self.phase.clause(self.operation.is_some());
        let is = clause.trim_start_matches("it is ").trim_start_matches("it was ");
        page.toned(
            Tone::Faint,
            &format!("{} · recorded: {is} · checked in {}", self.whose.deployment, elapsed(self.checked_in_ms)),
        );
    }
}

impl HealthReport {
    fn headline(&self, page: &mut Page) {
        let number = |severity| self.issues.iter().filter(|issue| issue.severity == severity).count();
        let (errors, warnings) = (number(Severity::Error), number(Severity::Warning));
        let follow = self.issues.iter().filter(|issue| issue.follows_from.is_some()).count();
        let mut found = Vec::new();
        if errors > 0 {
            found.push(count(errors - follow.min(errors), "error"));
        }
        if follow > 0 {
            found.push(format!("{follow} more that follow{} from it", if follow == 1 { "s" } else { "" }));
        }
        if warnings > 0 {
            found.push(count(warnings, "warning"));
        }
        let (tone, is) = match (self.status, warnings) {
            (HealthStatus::Healthy, 0) => (Tone::Good, "healthy"),
            (HealthStatus::Healthy, _) => (Tone::Warning, "healthy"),
            (HealthStatus::Problems, _) => (Tone::Bad, "problems"),
        };
        let rest = match found.is_empty() {
            true => format!("Nothing is broken on {}.", count(self.nodes.len(), "node")),
            false => format!("{} on {}.", found.join(", "), count(self.nodes.len(), "node")),
        };
        page.headline(tone, &format!("{}: {is}.", self.whose.name), &rest);
    }

    fn layers_across(&self, page: &mut Page) {
        let headings: Vec<_> = layers().map(|layer| word(layer).to_uppercase()).collect();
        let names = ["NODE"].into_iter().chain(headings.iter().map(String::as_str));
        let rows: Vec<Vec<_>> = (self.nodes.iter())
            .map(|node| {
                let states = layers().map(|layer| cell(node.layers.get(&layer).copied()));
                std::iter::once(Cell::from(node.name.clone())).chain(states).collect()
            })
            .collect();
        page.cells(&names.map(Column::left).collect::<Vec<_>>(), &rows);
    }

    /// As many nodes beside each other as there is room for.
    fn layers_down(&self, page: &mut Page) {
        let fit = (1..=self.nodes.len().max(1)).rev().find(|n| page.look().has_room_for(NARROW.1 + n * NARROW.0));
        for (number, nodes) in self.nodes.chunks(fit.unwrap_or(1)).enumerate() {
            if number > 0 {
                page.line("");
            }
            let names = ["LAYER"].into_iter().chain(nodes.iter().map(|node| node.name.as_str()));
            let rows: Vec<Vec<_>> = layers()
                .map(|layer| {
                    let states = nodes.iter().map(|node| cell(node.layers.get(&layer).copied()));
                    std::iter::once(Cell::from(word(layer).to_owned())).chain(states).collect()
                })
                .collect();
            page.cells(&names.map(Column::left).collect::<Vec<_>>(), &rows);
        }
    }

    /// What this explains: in a line, or with `--verbose` in full.
    fn consequences(&self, page: &mut Page, cause: &Issue) {
        let follows = |issue: &&Issue| issue.follows_from.is_some() && issue.follows_from == cause.node;
        // The first cause of a node has all that follows from the node.
        let first = self.issues.iter().find(|issue| issue.follows_from.is_none() && issue.node == cause.node);
        let all: Vec<_> = self.issues.iter().filter(follows).collect();
        if all.is_empty() || first != Some(cause) {
            return;
        }
        if page.look().verbose {
            for issue in all {
                page.sentence(&format!("       follows: {}: {} ({})", place(issue), issue.detail, issue.kind), 9);
            }
            return;
        }
        let places: Vec<_> = all.into_iter().map(place).collect();
        page.sentence(&format!("       this follows from it: {}", places.join(", ")), 9);
    }
}

fn layers() -> impl Iterator<Item = Layer> {
    Layer::ALL.into_iter().filter(|layer| *layer != Layer::Record)
}

/// For people.
fn word(layer: Layer) -> &'static str {
    match layer {
        Layer::Vm => "machine",
        Layer::Record => "directory",
        other => other.as_str(),
    }
}

fn cell(state: Option<LayerState>) -> Cell {
    match state {
        Some(LayerState::Ok) => Cell::toned("ok", Tone::Good),
        Some(LayerState::Warning) => Cell::toned("warning", Tone::Warning),
        Some(LayerState::Error) => Cell::toned("error", Tone::Bad),
        Some(LayerState::Unknown) | None => Cell::toned("-", Tone::Faint),
    }
}

/// `n11 sql`
fn place(issue: &Issue) -> String {
    match &issue.node {
        Some(node) => format!("{node} {}", word(issue.layer)),
        None => word(issue.layer).to_owned(),
    }
}

fn show(page: &mut Page, issue: &Issue) {
    let (tone, label) = match issue.severity {
        Severity::Error => (Tone::Bad, "error:"),
        Severity::Warning => (Tone::Warning, "warning:"),
    };
    page.paragraph(tone, label, &format!("{}: {} ({})", place(issue), issue.detail, issue.kind));
    page.line(&format!("       {} {}", if issue.command.is_some() { "fix: " } else { "hint:" }, issue.hint));
}
