//! `tunnel`, `open`, `run` and `run --clean`.

use crate::model::{CleanReport, OpenReport, RunReport, TunnelReport};
use crate::ui::page::Page;
use crate::ui::style::{Tone, elapsed};

use super::Report;

impl Report for TunnelReport {
    fn text(&self, page: &mut Page) {
        page.headline(Tone::Good, "tunnel:", &format!("to {} of {}", self.node, self.whose.name));
        let mut facts = Vec::new();
        if let (Some(sql), Some(dsn)) = (&self.sql, &self.dsn) {
            facts.extend([("SQL", sql.clone()), ("user", self.user.clone()), ("DSN", dsn.clone())]);
        }
        facts.extend(self.admin_ui.iter().map(|url| ("Admin UI", url.clone())));
        page.facts(&facts);
    }
}

impl Report for OpenReport {
    fn text(&self, page: &mut Page) {
        page.headline(Tone::Strong, "Admin UI:", &self.url);
        let mut facts = vec![
            ("user", self.user.clone()),
            ("password", format!("in {}; {} shows it", self.password_file.display(), self.password_command)),
        ];
        facts.extend(self.certificate_fingerprint.iter().map(|print| ("certificate", print.clone())));
        page.facts(&facts);
        match (&self.tunnel, self.opened) {
            (Some(tunnel), _) => page.line(&format!("this machine does not reach it: {tunnel}")),
            (None, true) => page.line("opened in the browser"),
            (None, false) => {}
        }
    }
}

impl Report for RunReport {
    fn text(&self, page: &mut Page) {
        let end = format!("{} in {}: exit code {}", self.name, elapsed(self.took_ms), self.exit_code);
        page.headline(Tone::Strong, "run:", &end);
        page.next(&self.next);
    }
}

impl Report for CleanReport {
    fn text(&self, page: &mut Page) {
        if self.destroyed.is_empty() {
            page.line("no run has left a cluster");
        }
        page.list("destroyed:", &self.destroyed);
        page.list("still at work:", &self.at_work);
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
