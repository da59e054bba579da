//! `list`.

use crate::model::{DeploymentsReport, KnownDeployment};
use crate::ui::page::{Column, Page};

use super::{REHEARSAL, Report};

impl Report for DeploymentsReport {
    fn text(&self, page: &mut Page) {
        if self.deployments.is_empty() {
            page.line("no deployment is known");
        } else {
            let columns = ["NAME", "DIRECTORY", "PROVIDER", "VERSION", "NODES", "STATUS", "REASON"].map(Column::left);
            page.table(&columns, &self.deployments.iter().map(row).collect::<Vec<_>>());
        }
        for row in &self.pruned {
            page.line(&format!("dropped from the list: {} {}", row.name, row.directory.display()));
        }
        page.next(&self.next);
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

fn row(known: &KnownDeployment) -> Vec<String> {
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let version = match known.rehearsal {
        true => REHEARSAL.to_owned(),
        false => known.db_version.clone().unwrap_or_default(),
    };
    let copies = known.copies.iter().map(|copy| format!("the same deployment is in {}", copy.display()));
    let reasons = [known.reason.clone()].into_iter().chain(copies).filter(|reason| !reason.is_empty());
    vec![
        known.name.clone(),
        or_dash(known.directory.display().to_string()),
        or_dash(known.provider.clone()),
        or_dash(version),
        or_dash(known.cluster_size.map(|size| size.to_string()).unwrap_or_default()),
        known.status.clone(),
        reasons.collect::<Vec<_>>().join("; "),
    ]
}
