//! Can the hypervisor be reached? Terraform goes the same way.

use super::super::client::Client;
use super::super::options::Options;
use super::super::reach;
use crate::error::Error;
use crate::model::Check;

pub(super) fn check(options: &Options, checks: &mut Vec<Check>) -> Option<Client> {
    let title = format!("hypervisor {} answers", options.uri);
    let client = match reach::open(&options.uri) {
        Ok(client) => client,
        Err(error) => {
            checks.push(unreachable(&title, error));
            return None;
        }
    };
    checks.push(match client.driver() {
        Ok(driver) if options.uri.is_mock() => Check::warning(
            "libvirt_connect",
            title,
            format!("{driver}: libvirt's mock hypervisor, nothing will really run"),
        ),
        Ok(driver) => Check::ok("libvirt_connect", title, driver),
        Err(fault) => super::unanswered("libvirt_connect", &title, &fault),
    });
    Some(client)
}

fn unreachable(title: &str, error: Error) -> Check {
    let (detail, fix) = match error {
        Error::LibvirtUnreachable { cause, fix, .. } => (cause, fix),
        other => (other.to_string(), Vec::new()),
    };
    let mut check = Check::failed("libvirt_connect", title, detail);
    check.fix = fix;
    check
}
