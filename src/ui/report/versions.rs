//! `versions`.

use crate::model::{Checksums, HashOrigin, KnownVersion, Origin, ReleaseInfo, VersionsReport};
use crate::ui::page::{Column, Page};

use super::Report;

impl Report for VersionsReport {
    fn text(&self, page: &mut Page) {
        let is_checked = self.versions.iter().any(|row| row.on_server.is_some());
        let mut columns: Vec<_> = ["NAME", "ARCH", "C4", "FROM", "CHECKSUMS"].map(Column::left).into();
        if is_checked {
            columns.push(Column::left("ON SERVER"));
        }
        columns.push(Column::prose("REMARK"));
        let rows: Vec<_> = self.versions.iter().map(|row| cells(row, is_checked)).collect();
        page.table(&columns, &rows);
        for command in &self.next {
            page.line("");
            page.line(&format!("next: {command}"));
        }
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

fn cells(row: &KnownVersion, is_checked: bool) -> Vec<String> {
    let mut cells = vec![
        match row.aliases.is_empty() {
            true => row.name.clone(),
            false => format!("{} ({})", row.name, row.aliases.join(", ")),
        },
        row.arch.clone(),
        row.c4_version.clone().unwrap_or_else(|| "-".into()),
        origin(row.origin).to_owned(),
        match row.checksums {
            Checksums::Known => "known",
            Checksums::Pinned => "pinned",
            Checksums::AtFirstDownload => "pinned at first download",
            Checksums::Packed => "built into exasol",
        }
        .to_owned(),
    ];
    if is_checked {
        let answer = match row.on_server.flatten() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "-",
        };
        cells.push(answer.into());
    }
    cells.push(row.remark.clone().unwrap_or_else(|| "-".into()));
    cells
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::BuiltIn => "built in",
        Origin::Catalog => "own catalogue",
        Origin::Server => "server",
        Origin::Files => "files",
    }
}

/// What `info` tells of a release: a line for each of its files.
pub(super) fn facts(release: &ReleaseInfo) -> [(&'static str, String); 2] {
    let line = |artifact: &crate::model::ArtifactInfo| match (&artifact.sha256, artifact.sha256_from) {
        (Some(sum), Some(from)) => {
            let from = match from {
                HashOrigin::Catalog if release.origin == Origin::BuiltIn => "built in",
                HashOrigin::Catalog => "by a catalogue",
                HashOrigin::Given => "as it was given",
                HashOrigin::File => "of the file",
                HashOrigin::Pinned => "pinned at the first download",
            };
            format!("{} (SHA-256 {sum}, {from})", artifact.from)
        }
        _ => format!("{} (its SHA-256 is pinned at the first download)", artifact.from),
    };
    [("release", line(&release.archive)), ("c4", line(&release.c4))]
}
