//! Can the hypervisor be reached, by us and by Terraform?

use std::path::Path;

use super::super::client::Client;
use super::super::distro::Machine;
use super::super::options::Options;
use super::super::reach::{self, MAIN_SOCKET};
use crate::error::Error;
use crate::model::Check;

pub(super) fn check(options: &Options, machine: &Machine, checks: &mut Vec<Check>) -> Option<Client> {
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
    checks.extend(terraform_socket(options, machine));
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

/// libvirt's library finds the sockets of modular daemons by itself; the Terraform provider (0.8.3) dials one path.
fn terraform_socket(options: &Options, machine: &Machine) -> Option<Check> {
    let plain = options.uri.is_local() && !options.uri.is_mock() && options.uri.socket().is_none();
    if !plain || Path::new(MAIN_SOCKET).exists() {
        return None;
    }
    let title = format!("socket {MAIN_SOCKET} for Terraform");
    let mut check =
        Check::failed("libvirt_socket", title, "not there: the Terraform provider knows no other; virtproxyd makes it");
    check.fix = machine.start_daemon();
    Some(check)
}
