//! `info`: how to connect. Asks nobody: it repeats what deploy recorded.

mod clients;

use std::path::Path;

use super::access::{ADMIN_UI_PORT, Access, SQL_PORT, SQL_USER, ssh_config};
use super::node_records;
use super::operation::in_dir;
use super::recorded;
use crate::deployment::DeploymentDir;
use crate::error::Result;
use crate::model::{ClientReport, InfoReport, ReleaseInfo, command_line};
pub use clients::CLIENTS;

pub fn run(root: &Path, show_password: bool) -> Result<InfoReport> {
    let dir = DeploymentDir::open(root)?;
    let state = dir.state();
    let nodes = node_records::of(&dir)?;
    let hosts: Vec<String> = nodes.iter().map(|n| n.public_ip.to_string()).collect();
    let host = hosts.first().cloned().unwrap_or_default();
    let all = hosts.join(",");
    let fingerprint = state.certificate_fingerprint.clone();
    // Drivers take "hosts/FINGERPRINT:port"; without a fingerprint they would ask a CA.
    let pinned = match &fingerprint {
        Some(print) => format!("{all}/{}:{SQL_PORT}", print.to_uppercase()),
        None => format!("{all}:{SQL_PORT}"),
    };
    let adopted = state.adopted.is_some();
    let secrets = if show_password && !adopted { Some(dir.secrets()?) } else { None };
    Ok(InfoReport {
        whose: dir.whose(),
        clients: format!(
            "{}   (or {})",
            in_dir(&format!("exasol info --for {}", CLIENTS[0]), root),
            CLIENTS[1..].join(", ")
        ),
        show_password: in_dir(SHOW_PASSWORD, root),
        rehearsal: recorded::is_rehearsal(&dir),
        db_version: state.spec.db_version.clone(),
        release: recorded::version(&dir).ok().and_then(ReleaseInfo::of),
        admin_ui: admin_ui(&host),
        host,
        hosts,
        port: SQL_PORT,
        user: SQL_USER.into(),
        unknown_passwords: adopted.then(|| "not known: the deployment's directory was adopted".to_owned()),
        password: secrets.as_ref().map(|s| s.db_password.to_string()),
        admin_ui_password: secrets.map(|s| s.adminui_password.to_string()),
        password_file: dir.root().join("secrets.json"),
        certificate_fingerprint: fingerprint,
        license: (!recorded::is_rehearsal(&dir))
            .then(|| format!("10 GiB of raw data built in; yours: {}", in_dir("exasol license show", root))),
        warm_base: state.warm_base.clone(),
        jdbc: format!("jdbc:exa:{pinned};user={SQL_USER}"),
        odbc: format!("DRIVER={{Exasol}};EXAHOST={pinned};UID={SQL_USER}"),
        dsn: pinned,
        ssh: in_dir("exasol ssh", root),
        tunnel: Access::to(&dir)?.route().and(nodes.first()).map(|node| tunnel(&dir, &node.plan.name)),
    })
}

/// The address of the Admin UI on a node.
pub(super) fn admin_ui(host: impl std::fmt::Display) -> String {
    format!("https://{host}:{ADMIN_UI_PORT}")
}

const SHOW_PASSWORD: &str = "exasol info --show-password";

/// `--for`: what one of [`CLIENTS`] needs.
pub fn client(root: &Path, client: &str, show_password: bool) -> Result<ClientReport> {
    let info = run(root, show_password)?;
    let text = clients::text(client, &info, &info.show_password);
    Ok(ClientReport { whose: info.whose, client: client.to_owned(), text })
}

fn tunnel(dir: &DeploymentDir, node: &str) -> String {
    let config = ssh_config(dir).display().to_string();
    command_line(["ssh", "-F", &config, "-N", "-L", &format!("{SQL_PORT}:localhost:{SQL_PORT}"), node])
}
