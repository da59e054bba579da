//! `info`.

use crate::model::{ClientReport, InfoReport, WarmUse};
use crate::ui::page::Page;
use crate::ui::style::{Tone, count};

use super::{Report, version};

/// Digits of a fingerprint that are enough to compare two.
const SHORT: usize = 16;

impl Report for InfoReport {
    fn text(&self, page: &mut Page) {
        let is = format!("{}, {}", version(&self.db_version, self.rehearsal), count(self.hosts.len(), "node"));
        page.headline(Tone::Strong, &format!("{}:", self.whose.name), &is);
        let hidden = || format!("{} (or see {})", self.show_password, page.look().short(&self.password_file));
        let password =
            |shown: &Option<String>| shown.clone().or_else(|| self.unknown_passwords.clone()).unwrap_or_else(hidden);
        let fingerprint = match &self.certificate_fingerprint {
            None => "not known before deploy".to_owned(),
            Some(print) if page.look().verbose => print.clone(),
            Some(print) => format!("SHA-256 {}…", print.get(..SHORT).unwrap_or(print)),
        };
        let mut facts = vec![
            ("hosts", self.hosts.join(", ")),
            ("port", self.port.to_string()),
            ("user", self.user.clone()),
            ("password", password(&self.password)),
            ("certificate", fingerprint),
            ("Admin UI", self.admin_ui.clone()),
        ];
        facts.extend(self.admin_ui_password.clone().map(|shown| ("its password", shown)));
        facts.push(("SSH", self.ssh.clone()));
        if let Some(tunnel) = &self.tunnel {
            facts.push(("tunnel", tunnel.clone()));
        }
        facts.extend(self.license.iter().map(|license| ("license", license.clone())));
        let warm = |base: &WarmUse| format!("made {} (exasol deploy --no-warm does without one)", date(&base.made_at));
        facts.extend(self.warm_base.as_ref().map(|base| ("warm base", warm(base))));
        if page.look().verbose {
            facts.extend([("JDBC", self.jdbc.clone()), ("ODBC", self.odbc.clone()), ("DSN", self.dsn.clone())]);
            facts.extend(self.release.iter().flat_map(super::versions::facts));
        }
        facts.push(("clients", self.clients.clone()));
        page.facts(&facts);
    }
}

/// The day of a time.
fn date(time: &str) -> &str {
    time.split_once('T').map_or(time, |(date, _)| date)
}

/// Nothing but what the client takes: it is for `eval` and for files.
impl Report for ClientReport {
    fn text(&self, page: &mut Page) {
        self.text.lines().for_each(|line| page.line(line));
    }
}
