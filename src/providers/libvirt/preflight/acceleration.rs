//! KVM or emulation: what is wanted, what works, and how to mend it.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

use super::super::distro::{Machine, Package};
use super::super::options::{DomainType, Options, WantedDomainType};
use super::super::probe::{self, Kvm};
use super::Context;
use crate::catalog;
use crate::model::Check;

const TITLE: &str = "KVM runs guests";
const DEVICE: &str = "/dev/kvm";
/// What emulation costs, as measured: a boot of 8 s under KVM takes about a minute.
const SLOW: &str = "nodes run under emulation: many times slower, for rehearsals only";
/// On KVM a database takes minutes to its first login; `deploy` waits 20 for it.
const TOO_SLOW: &str = "nodes run under emulation, many times slower: a real database will not be up within the 20 \
                        minutes that deploy waits for it; use a machine with KVM, or --db-version rehearsal";

fn slow(db_version: &str) -> &'static str {
    if catalog::is_rehearsal(db_version) { SLOW } else { TOO_SLOW }
}

pub(super) fn check(context: &Context, architecture: &str, checks: &mut Vec<Check>) -> Option<DomainType> {
    let wanted = context.options.domain_type;
    if context.options.uri.is_mock() {
        return Some(DomainType::Qemu);
    }
    if wanted == WantedDomainType::Qemu {
        checks.push(Check::warning("kvm", TITLE, format!("not used, as asked: {}", slow(&context.spec().db_version))));
        return emulation(context, architecture, checks);
    }
    let kvm = match architecture {
        "x86_64" if wanted == WantedDomainType::Kvm => probe::kvm_alone(context.client),
        "x86_64" => probe::kvm(context.client),
        // The probe's firmware is a PC's.
        other => match context.client.emulator(other, DomainType::Kvm.as_str()) {
            Ok(_) => Kvm::Works(Duration::ZERO),
            Err(fault) => Kvm::Unavailable(fault.message),
        },
    };
    if let Kvm::Works(took) = kvm {
        checks.push(Check::ok("kvm", TITLE, format!("a probe ran in {} ms", took.as_millis())));
        return Some(DomainType::Kvm);
    }
    let device = context.options.uri.is_local().then(Device::here);
    let (cause, fix) = explain(&kvm, device.as_ref(), context.machine);
    if wanted == WantedDomainType::Kvm {
        let check = fix.into_iter().fold(Check::failed("kvm", TITLE, cause), Check::fix);
        checks.push(check.fix("or accept emulation: --libvirt-domain-type auto"));
        return None;
    }
    let check = Check::warning("kvm", TITLE, format!("{cause}; {}", slow(&context.spec().db_version)));
    checks.push(fix.into_iter().fold(check, Check::fix));
    match kvm {
        // Emulation has run a guest beside it.
        Kvm::Broken => Some(DomainType::Qemu),
        _ => emulation(context, architecture, checks),
    }
}

/// A warning where emulated nodes were given more processors than they stand.
pub(super) fn vcpus(options: &Options, domain_type: DomainType) -> Option<Check> {
    let most = domain_type.default_vcpus().filter(|most| options.vcpus_chosen && options.size.vcpus > *most)?;
    let detail = format!(
        "{} were asked for: QEMU emulates them on several threads (multi-threaded TCG), where kernels were seen to \
         panic while they boot; and they are slower as soon as nodes share the host's processors",
        options.size.vcpus
    );
    let title = format!("{most} virtual processor for each emulated node");
    Some(Check::warning("emulated_vcpus", title, detail).fix(format!("--libvirt-vcpus {most}")))
}

/// A check only where there is no emulator: asking costs seconds on hosts where libvirt keeps
/// forgetting what QEMU can do, so it is done only when nothing else has shown it.
fn emulation(context: &Context, architecture: &str, checks: &mut Vec<Check>) -> Option<DomainType> {
    let Err(fault) = context.client.emulator(architecture, DomainType::Qemu.as_str()) else {
        return Some(DomainType::Qemu);
    };
    let check = Check::failed("emulator", format!("QEMU for {architecture}"), format!("libvirt: {fault}"));
    let package = if architecture == "aarch64" { Package::EmulatorArm } else { Package::Emulator };
    checks.push(check.fix(context.machine.install(package)));
    None
}

/// What an aarch64 machine boots with: it has no other firmware than UEFI.
pub(super) fn firmware(context: &Context, domain_type: DomainType, checks: &mut Vec<Check>) -> Option<String> {
    let title = "UEFI firmware for aarch64";
    match context.client.firmware("aarch64", domain_type.as_str()) {
        Ok(files) => match files.into_iter().next() {
            Some(file) => {
                checks.push(Check::ok("firmware", title, file.clone()));
                return Some(file);
            }
            None => {
                let detail = "libvirt knows none: without it no machine boots";
                let install = context.machine.install(Package::FirmwareArm);
                checks
                    .push(Check::failed("firmware", title, detail).fix(install).fix(context.machine.restart_daemon()));
            }
        },
        Err(fault) => checks.push(super::unanswered("firmware", title, &fault)),
    }
    None
}

/// The host's side of KVM, seen without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Device {
    exists: bool,
    mode: u32,
    group: u32,
    /// `kvm_intel` or `kvm_amd`, by the processor's flags.
    module: Option<&'static str>,
}

/// Sorts after what distributions and other programs bring.
const RULE: &str = "/etc/udev/rules.d/99-zz-kvm.rules";

impl Device {
    fn here() -> Self {
        let metadata = Path::new(DEVICE).metadata().ok().filter(|m| m.file_type().is_char_device());
        let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self {
            exists: metadata.is_some(),
            mode: metadata.as_ref().map_or(0, |m| m.mode() & 0o777),
            group: metadata.as_ref().map_or(0, |m| m.gid()),
            module: module(&flags),
        }
    }
}

fn module(cpuinfo: &str) -> Option<&'static str> {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"))?;
    flags.split_whitespace().find_map(|flag| match flag {
        "vmx" => Some("kvm_intel"),
        "svm" => Some("kvm_amd"),
        _ => None,
    })
}

/// The cause, and commands that mend it. QEMU runs as a user of its own (libvirt-qemu, qemu), a
/// member of group kvm: what this user may do with the device says nothing.
fn explain(kvm: &Kvm, device: Option<&Device>, machine: &Machine) -> (String, Vec<String>) {
    let words = match kvm {
        Kvm::Unavailable(words) => words.lines().next().unwrap_or_default(),
        _ => {
            let cause = "KVM starts a guest, but its code runs much later than under emulation, or never (nested virtualization?)";
            return (cause.into(), vec!["enable nested virtualization where this machine itself is a guest".into()]);
        }
    };
    let Some(device) = device else {
        return (
            format!("QEMU on the hypervisor cannot use KVM ({words})"),
            vec!["on the hypervisor: ls -l /dev/kvm".into()],
        );
    };
    if !device.exists {
        return match device.module {
            Some(module) => (
                format!("{DEVICE} is not there: the kernel's module is not loaded"),
                vec![machine.sudo(&format!("modprobe {module}"))],
            ),
            None => (
                format!("{DEVICE} is not there, and the processor offers no virtualization"),
                vec![
                    "enable VT-x/AMD-V in the firmware, or nested virtualization where this machine is a guest".into(),
                ],
            ),
        };
    }
    if device.mode & 0o006 == 0o006 {
        return (format!("QEMU cannot use {DEVICE} ({words})"), vec![machine.restart_daemon()]);
    }
    match machine.group("kvm") {
        Some(group) if group.id == device.group && device.mode & 0o060 == 0o060 => {
            (format!("QEMU cannot use {DEVICE} ({words})"), vec![machine.restart_daemon()])
        }
        Some(_) => (
            format!("{DEVICE} is closed to QEMU's user (mode {:03o}, not of group kvm with 660)", device.mode),
            open_to_group(machine),
        ),
        None => (
            format!("{DEVICE} is closed to QEMU's user (mode {:03o}), and there is no group kvm", device.mode),
            [
                machine.sudo("groupadd --system kvm"),
                machine.sudo(&format!("usermod -aG kvm {}", machine.qemu(None).name)),
            ]
            .into_iter()
            .chain(open_to_group(machine))
            .collect(),
        ),
    }
}

/// Now, and at every boot.
fn open_to_group(machine: &Machine) -> Vec<String> {
    vec![
        machine.sudo("chgrp kvm /dev/kvm"),
        machine.sudo("chmod 660 /dev/kvm"),
        format!("echo 'KERNEL==\"kvm\", GROUP=\"kvm\", MODE=\"0660\"' | {}", machine.sudo(&format!("tee {RULE}"))),
        machine.restart_daemon(),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::super::distro::tests::debian;
    use super::*;

    fn denied() -> Kvm {
        Kvm::Unavailable("failed to initialize kvm: Permission denied".into())
    }

    #[test]
    fn several_emulated_processors_are_warned_of() {
        let options = |options: serde_json::Value| {
            let spec = serde_json::from_value(serde_json::json!({
                "provider": "libvirt", "cluster_size": 1, "db_version": "rehearsal", "data_volume_size": 1,
                "data_volumes_per_node": 1, "root_volume_size": 5, "options": options,
            }));
            Options::from_spec(&spec.unwrap()).unwrap()
        };
        let (default, two) = (options(serde_json::json!({})), options(serde_json::json!({"vcpus": 2})));
        assert_eq!(vcpus(&default, DomainType::Qemu), None, "nobody asked for two");
        assert_eq!(vcpus(&two, DomainType::Kvm), None);
        let check = vcpus(&two, DomainType::Qemu).unwrap();
        assert!(check.detail.contains("multi-threaded TCG") && check.fix == ["--libvirt-vcpus 1"], "{check:?}");
        let facts = |default_vcpus| super::super::Facts {
            domain_type: DomainType::Qemu,
            cpu_mode: "maximum".into(),
            default_vcpus,
            architecture: "x86_64".into(),
            firmware: None,
            uri: "qemu:///system".into(),
            own_network: false,
            network_name: None,
            bridge: None,
            network_cidr: None,
            external_addresses: false,
        };
        assert_eq!(default.size_with(Some(&facts(Some(1)))).vcpus, 1);
        assert_eq!(two.size_with(Some(&facts(Some(1)))).vcpus, 2, "a flag wins");
        assert_eq!(default.size_with(Some(&facts(None))).vcpus, 2, "machines of earlier versions keep what they have");
    }

    #[test]
    fn a_device_for_root_alone_is_opened_to_group_kvm() {
        let device = Device { exists: true, mode: 0o600, group: 0, module: Some("kvm_intel") };
        let (cause, fix) = explain(&denied(), Some(&device), &debian());
        assert!(cause.contains("mode 600"), "{cause}");
        assert_eq!(fix[..2], ["sudo chgrp kvm /dev/kvm", "sudo chmod 660 /dev/kvm"]);
        assert!(fix[2].contains("| sudo tee /etc/udev/rules.d/99-zz-kvm.rules"));
        let without = Machine { group_file: String::new(), ..debian() };
        let (_, fix) = explain(&denied(), Some(&device), &without);
        assert_eq!(fix[..2], ["sudo groupadd --system kvm", "sudo usermod -aG kvm libvirt-qemu"]);
    }

    #[test]
    fn a_missing_device_is_a_module_or_the_processor() {
        let device = |module| Device { exists: false, mode: 0, group: 0, module };
        assert_eq!(explain(&denied(), Some(&device(Some("kvm_amd"))), &debian()).1, ["sudo modprobe kvm_amd"]);
        assert!(explain(&denied(), Some(&device(None)), &debian()).0.contains("no virtualization"));
    }

    #[test]
    fn an_open_device_that_fails_is_not_a_matter_of_permissions() {
        let device = Device { exists: true, mode: 0o660, group: 107, module: None };
        assert!(explain(&denied(), Some(&device), &debian()).1[0].contains("restart"));
        assert!(explain(&Kvm::Broken, Some(&device), &debian()).0.contains("much later than under emulation"));
        assert!(explain(&denied(), None, &debian()).1[0].contains("on the hypervisor"));
    }

    #[test]
    fn a_database_is_told_that_emulation_is_too_slow_for_it() {
        assert!(slow("rehearsal").contains("for rehearsals only"));
        assert!(slow("exasol-2025.1.8").contains("will not be up within the 20 minutes"));
    }

    #[test]
    fn the_module_is_told_by_the_flags() {
        assert_eq!(module("model name : x\nflags : fpu vme vmx sse\n"), Some("kvm_intel"));
        assert_eq!(module("flags : fpu svm\n"), Some("kvm_amd"));
        assert_eq!(module("flags : fpu\n"), None);
    }
}
