//! `open`: where the Admin UI is, and a browser that shows it, if there is a display.

use std::path::Path;
use std::time::Duration;

use super::access::{ADMIN_UI_PORT, Access};
use super::node_records;
use super::operation::in_dir;
use crate::deployment::DeploymentDir;
use crate::error::Result;
use crate::model::OpenReport;
use crate::tools::process::{Tool, find};

const ADMIN_UI_USER: &str = "admin";
/// What desktops open addresses with.
const OPENER: &str = "xdg-open";
/// It hands the address over and ends; one that becomes the browser itself is left to it.
const OPENER_LIMIT: Duration = Duration::from_secs(10);

/// `browser`: whether one may be opened.
pub async fn run(root: &Path, browser: bool) -> Result<OpenReport> {
    let dir = DeploymentDir::open(root)?;
    let nodes = node_records::of(&dir)?;
    let host = nodes.first().map(|node| node.public_ip.to_string()).unwrap_or_default();
    let url = format!("https://{host}:{ADMIN_UI_PORT}");
    // This machine's browser does not reach it.
    let behind = Access::to(&dir)?.route().is_some();
    let opened = browser && !behind && shows(&url).await;
    Ok(OpenReport {
        whose: dir.whose(),
        user: ADMIN_UI_USER.into(),
        password_file: dir.root().join("secrets.json"),
        password_command: in_dir("exasol info --show-password", root),
        certificate_fingerprint: dir.state().certificate_fingerprint.clone(),
        opened,
        tunnel: behind.then(|| in_dir("exasol tunnel --admin-ui", root)),
        url,
    })
}

async fn shows(url: &str) -> bool {
    let has = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let display = has("DISPLAY") || has("WAYLAND_DISPLAY");
    let Some(program) = find(OPENER).filter(|_| display) else { return false };
    let output = Tool::new(program).arg(url).output(OPENER_LIMIT).await;
    output.is_ok_and(|output| output.status.success())
}
