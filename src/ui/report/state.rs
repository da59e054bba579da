//! `state show`, `state verify` and `state repair`.

use crate::model::{RecordedFile, StateCheck, StateProblem, StateRepair, StateReport};
use crate::ui::page::{Column, Page};
use crate::ui::style::{Tone, count};

use super::Report;

/// Below a problem's mark.
const INDENT: usize = 4;

impl Report for StateReport {
    fn text(&self, page: &mut Page) {
        let now = self.files.first();
        match (&self.name, now.and_then(|now| now.phase)) {
            (Some(name), Some(phase)) => page.headline(Tone::Strong, &format!("{name}:"), phase.as_str()),
            _ => page.headline(Tone::Bad, "deployment.json", now.map_or("is missing", |now| problem_of(now))),
        }
        let look = page.look();
        let row = |file: &RecordedFile| {
            let at = file.at.as_ref().map_or_else(|| "-".into(), |at| look.moment(at));
            vec![file.file.display().to_string(), at, says(file)]
        };
        let rows: Vec<_> = self.files.iter().map(row).collect();
        page.table(&[Column::left("FILE"), Column::left("WRITTEN"), Column::prose("SAYS")], &rows);
        page.next(&self.next);
    }
}

fn problem_of(file: &RecordedFile) -> &str {
    file.problem.as_deref().unwrap_or("is missing")
}

fn says(file: &RecordedFile) -> String {
    let mut parts = Vec::new();
    match (&file.problem, &file.at) {
        (Some(problem), _) => parts.push(problem.clone()),
        (None, None) => parts.push("there is none".to_owned()),
        (None, Some(_)) => {}
    }
    parts.extend(file.phase.map(|phase| phase.to_string()));
    parts.extend(file.nodes.map(|nodes| count(nodes, "node")));
    parts.extend(file.resources.map(|resources| count(resources, "resource")));
    parts.extend(file.serial.map(|serial| format!("serial {serial}")));
    if file.same {
        parts.push("the same as now".to_owned());
    }
    parts.join(", ")
}

impl Report for StateCheck {
    fn text(&self, page: &mut Page) {
        let place = self.directory.display();
        match self.problems.len() {
            0 => page.headline(Tone::Good, "sound:", &format!("every file of {place} can be read, and is private")),
            several => page.headline(Tone::Bad, &format!("{}:", count(several, "problem")), &place.to_string()),
        }
        if !self.edited.is_empty() {
            let edited: Vec<_> = self.edited.iter().map(|file| file.display().to_string()).collect();
            page.sentence(&format!("edited by hand, which is no problem: {}", edited.join(", ")), 2);
        }
        if let Some(holder) = &self.operation {
            let since = page.look().moment(&holder.since);
            page.sentence(&format!("{} runs since {since}: it may be writing these files.", holder.operation), 0);
        }
        problems(page, &self.problems);
        if self.sound {
            page.next(&self.next);
        }
    }
}

impl Report for StateRepair {
    fn text(&self, page: &mut Page) {
        let place = self.directory.display().to_string();
        match (self.sound, self.repaired.is_empty()) {
            (true, true) => page.headline(Tone::Good, "sound:", &format!("nothing is wrong in {place}")),
            (true, false) => page.headline(Tone::Good, "repaired:", &place),
            (false, _) => page.headline(Tone::Bad, &format!("{} left:", count(self.left.len(), "problem")), &place),
        }
        self.repaired.iter().for_each(|what| page.marked(Tone::Good, "✓", what, INDENT));
        problems(page, &self.left);
        if self.sound {
            page.next(&self.next);
        }
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// What the repair does is said once, below all; what somebody has to do, with each.
fn problems(page: &mut Page, problems: &[StateProblem]) {
    for problem in problems {
        page.marked(Tone::Bad, "✗", &format!("{} {}", problem.subject(), problem.detail), INDENT);
        if !problem.repairable {
            page.line(&format!("    fix: {}", problem.fix));
        }
    }
    let repair = problems.iter().find(|problem| problem.repairable);
    page.labelled("fix: ", &repair.map(|problem| problem.fix.clone()).into_iter().collect::<Vec<_>>());
}
