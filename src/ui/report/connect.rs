//! `info`.

use crate::model::InfoReport;
use crate::ui::page::Page;
use crate::ui::style::Tone;

use super::{Report, version};

impl Report for InfoReport {
    fn text(&self, page: &mut Page) {
        page.headline(Tone::Strong, &format!("{}:", self.name), &version(&self.db_version, self.rehearsal));
        let file = format!("in {} (show it: exasol info --show-password)", self.password_file.display());
        let password = |shown: &Option<String>| shown.clone().unwrap_or_else(|| file.clone());
        let fingerprint = self.certificate_fingerprint.clone();
        let mut facts = vec![
            ("host", self.host.clone()),
            ("hosts", self.hosts.join(", ")),
            ("port", self.port.to_string()),
            ("user", self.user.clone()),
            ("password", password(&self.password)),
            ("certificate", fingerprint.unwrap_or_else(|| "not known before deploy".into())),
            ("JDBC", self.jdbc.clone()),
            ("ODBC", self.odbc.clone()),
            ("DSN", self.dsn.clone()),
            ("Admin UI", self.admin_ui.clone()),
            ("its password", password(&self.admin_ui_password)),
            ("SSH", self.ssh.clone()),
        ];
        facts.extend(self.license.iter().map(|license| ("license", license.clone())));
        facts.extend(self.release.iter().flat_map(super::versions::facts));
        if let Some(tunnel) = &self.tunnel {
            facts.push(("tunnel", tunnel.clone()));
        }
        page.facts(&facts);
    }
}
