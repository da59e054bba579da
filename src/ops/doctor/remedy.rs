//! Which of the advice is a command that `doctor --fix` may run.
//!
//! Advice is written for people: some of it is a choice ("or give the deployment its own network"), some only looks,
//! and some has a value in it that came from outside. A line is run only if its program and what it does are in the
//! table below, and if no shell would see anything special in it. It is not given to a shell.

use crate::model::{Check, CheckStatus, command_line};

/// Programs, and the first words after them (options aside) with which they may be run; none: any.
const PROGRAMS: [(&str, &[&str]); 19] = [
    ("exasol", &["doctor"]),
    ("pipx", &["install"]),
    ("apt-get", &["install", "update"]),
    ("dnf", &["install"]),
    ("zypper", &["install"]),
    ("systemctl", &["enable", "start", "restart", "reload"]),
    (
        "virsh",
        &["net-define", "net-start", "net-autostart", "pool-define-as", "pool-build", "pool-start", "pool-autostart"],
    ),
    ("usermod", &[]),
    ("groupadd", &[]),
    ("setfacl", &[]),
    ("chgrp", &["kvm"]),
    ("chmod", &["660"]),
    ("modprobe", &["kvm", "kvm_intel", "kvm_amd"]),
    ("virtlogd", &[]),
    ("libvirtd", &[]),
    ("virtqemud", &[]),
    ("virtnetworkd", &[]),
    ("virtstoraged", &[]),
    ("virtproxyd", &[]),
];

/// Of failed checks and warnings: each command once, in the order in which they are to be run.
pub(super) fn commands(checks: &[Check]) -> Vec<String> {
    let wrong = |status| checks.iter().filter(move |check| check.status == status);
    let mut commands: Vec<String> = Vec::new();
    // A daemon first: the others may need it.
    for check in wrong(CheckStatus::Failed).chain(wrong(CheckStatus::Warning)) {
        for words in check.fix.iter().flat_map(|fix| fix.lines()).filter_map(words) {
            let command = command_line(&words);
            if !commands.contains(&command) {
                commands.push(command);
            }
        }
    }
    commands
}

/// The words of a command that may be run; None for everything else.
pub(super) fn words(line: &str) -> Option<Vec<String>> {
    // Our own remarks stand after it.
    let line = line.split("   #").next().unwrap_or_default().trim();
    let words = split(line)?;
    // Quoted as we do it, and nothing in it that a shell would act on.
    if command_line(&words) != line {
        return None;
    }
    let mut rest = words.iter().map(String::as_str).peekable();
    rest.next_if_eq(&"sudo");
    let program = rest.next()?;
    let (_, may) = PROGRAMS.iter().find(|(name, _)| *name == program)?;
    // `virsh --connect URI net-start default`
    while let Some(option) = rest.next_if(|word| word.starts_with('-')) {
        if option == "--connect" || option == "-c" {
            rest.next();
        }
    }
    (may.is_empty() || rest.next().is_some_and(|word| may.contains(&word))).then_some(words)
}

/// At spaces outside of single quotes; None where a quote is not closed.
fn split(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => (quoted, begun) = (!quoted, true),
            '\\' if !quoted => word.push(chars.next()?),
            ' ' if !quoted => {
                if begun || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => word.push(c),
        }
    }
    if begun || !word.is_empty() {
        words.push(word);
    }
    (!quoted).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_commands_may_be_run() {
        for line in [
            "sudo systemctl enable --now libvirtd",
            "sudo apt-get install -y ansible-core",
            "virsh --connect qemu:///system pool-start default",
            "virsh --connect 'qemu+ssh://me@server/system?no_tty=1' net-autostart 'my net'",
            "virsh --connect qemu:///system pool-build default   # makes the folder",
            "sudo modprobe kvm_amd",
            "virtlogd -d",
            "exasol doctor --install-tools",
            "pipx install ansible-core   # or your distribution's package ansible-core",
        ] {
            assert!(words(line).is_some(), "{line}");
        }
    }

    #[test]
    fn a_choice_a_look_and_everything_special_are_not() {
        for line in [
            "",
            "sudo",
            "or give the deployment its own network: --libvirt-network new",
            "then --libvirt-pool exasol",
            "virsh --connect qemu:///system pool-list --all",
            "virsh --connect qemu:///system net-destroy default",
            "virsh --connect qemu:///system net-start default && reboot",
            "virsh --connect qemu:///system net-start $(reboot)",
            "virsh --connect qemu:///system net-start a;reboot",
            "virsh --connect qemu:///system net-start 'a",
            "sudo sh -c 'pkill -x libvirtd; libvirtd -d'",
            "sudo usermod -aG kvm $USER",
            "sudo systemctl stop libvirtd",
            "rm -rf /",
            "sudo setfacl -m u:libvirt-qemu:x /home/*",
            "ssh -- kvm sudo usermod -aG libvirt me",
            "# or pipx install ansible-core   # or your distribution's package ansible-core",
            "exasol destroy --yes",
        ] {
            assert_eq!(words(line), None, "{line}");
        }
    }

    #[test]
    fn a_command_that_fixes_two_things_is_run_once() {
        let failed = |fix: &str| Check::failed("x", "x", "no").fix(fix);
        let start = "sudo systemctl enable --now libvirtd";
        let warning = Check::warning("w", "w", "slow").fix("sudo modprobe kvm_intel");
        let checks = [warning, failed(start), failed("or name another"), failed(start)];
        assert_eq!(commands(&checks), [start, "sudo modprobe kvm_intel"]);
    }
}
