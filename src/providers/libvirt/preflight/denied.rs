//! Why QEMU may not open a file in the pool: a folder above it, SELinux, AppArmor, or NFS.
//!
//! libvirt's message says only "Permission denied". The folders can be looked at, and whoever may read
//! the kernel's log finds the denial itself there.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::super::distro::{Machine, QemuUser};
use crate::model::quote;

/// The cause in plain English, and commands that mend it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Denied {
    pub cause: String,
    pub fix: Vec<String>,
}

/// What can be seen of a hypervisor on this machine.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// The folders above the file, from the root on, as far as this user may look.
    folders: Vec<Folder>,
    /// Lines of the kernel's log about the file.
    log: Vec<String>,
    selinux: bool,
    apparmor: bool,
    nfs: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Folder {
    path: PathBuf,
    mode: u32,
    user: u32,
    group: u32,
}

/// Where denials are written, and how much of each end is read.
const LOGS: [&str; 4] = ["/var/log/audit/audit.log", "/var/log/kern.log", "/var/log/syslog", "/var/log/messages"];
const LOG_BYTES: u64 = 512 * 1024;
const KERNEL_LINES: usize = 20_000;
const NFS_MAGIC: u64 = 0x6969;

impl Host {
    pub fn here(file: &str) -> Self {
        let path = Path::new(file);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(file);
        let flag = |path: &str, on: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == on);
        let parent = path.parent().unwrap_or(Path::new("/"));
        Self {
            folders: folders(parent),
            log: denials(name),
            selinux: flag("/sys/fs/selinux/enforce", "1"),
            apparmor: flag("/sys/module/apparmor/parameters/enabled", "Y"),
            nfs: rustix::fs::statfs(parent).is_ok_and(|found| u64::try_from(found.f_type) == Ok(NFS_MAGIC)),
        }
    }
}

fn folders(parent: &Path) -> Vec<Folder> {
    let mut all: Vec<_> = parent.ancestors().collect();
    all.reverse();
    // Beyond one that is closed to this user too, nothing can be seen.
    all.into_iter()
        .map_while(|path| {
            let metadata = path.metadata().ok()?;
            Some(Folder { path: path.to_owned(), mode: metadata.mode(), user: metadata.uid(), group: metadata.gid() })
        })
        .collect()
}

fn denials(name: &str) -> Vec<String> {
    let wanted = |line: &&str| line.contains(name) && (line.contains("DENIED") || line.contains("denied"));
    let mut found: Vec<String> = LOGS
        .iter()
        .flat_map(|log| tail(Path::new(log)).lines().filter(wanted).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    if found.is_empty() {
        found = kernel_log().lines().filter(wanted).map(str::to_owned).collect();
    }
    found
}

fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(LOG_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// One message a read, until there is none; the device says so by an error, since it is asked not to wait.
fn kernel_log() -> String {
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let Ok(mut device) = OpenOptions::new().read(true).custom_flags(nonblocking).open("/dev/kmsg") else {
        return String::new();
    };
    let mut text = String::new();
    let mut buffer = [0; 8192];
    for _ in 0..KERNEL_LINES {
        match device.read(&mut buffer) {
            Ok(count) if count > 0 => text.push_str(&String::from_utf8_lossy(&buffer[..count])),
            _ => break,
        }
    }
    text
}

/// `file`: the volume that QEMU could not open; `host`: None where the hypervisor is another machine.
pub(super) fn explain(message: &str, file: &str, host: Option<&Host>, machine: &Machine) -> Denied {
    let words = message.lines().next().unwrap_or_default();
    let parent = Path::new(file).parent().unwrap_or(Path::new("/")).display().to_string();
    let folder = quote(&parent);
    if !message.contains("Permission denied") && !message.contains("Operation not permitted") {
        return Denied {
            cause: format!("a machine with a disk there does not start: {words}"),
            fix: vec![namei(&folder)],
        };
    }
    let Some(host) = host else {
        let fix = vec![
            format!("on the hypervisor: {}   # QEMU's user needs x on each folder", namei(&folder)),
            "on the hypervisor: sudo ausearch -m avc -ts recent   # SELinux".to_owned(),
            "on the hypervisor: sudo journalctl -k --grep 'apparmor=\"DENIED\"'   # AppArmor".to_owned(),
        ];
        return Denied { cause: format!("QEMU may not open files there ({words})"), fix };
    };
    let user = machine.qemu(uid_in(message));
    let closed: Vec<_> = host.folders.iter().filter(|folder| !may_enter(folder, &user)).collect();
    if let Some(first) = closed.first() {
        let cause = format!(
            "QEMU's user {} may not enter the folder {} (mode {:04o}): it needs the permission x there",
            user.name,
            first.path.display(),
            first.mode & 0o7777
        );
        let mut fix = Vec::new();
        for folder in &closed {
            let path = quote(&folder.path.display().to_string());
            fix.push(machine.sudo(&format!("setfacl -m u:{}:x {path}", user.name)));
        }
        let all: Vec<_> = closed.iter().map(|folder| quote(&folder.path.display().to_string())).collect();
        fix.push(format!("or, for everybody: {}", machine.sudo(&format!("chmod o+x {}", all.join(" ")))));
        fix.push("or take a pool elsewhere: --libvirt-pool NAME".to_owned());
        return Denied { cause, fix };
    }
    if let Some(line) = host.log.iter().find(|line| line.contains("apparmor=")) {
        return Denied { cause: format!("AppArmor denies it: {line}"), fix: apparmor(&parent, machine) };
    }
    if let Some(line) = host.log.iter().find(|line| line.contains("avc:")) {
        return Denied { cause: format!("SELinux denies it: {line}"), fix: selinux(&parent, host.nfs, machine) };
    }
    if host.selinux {
        let mut fix = selinux(&parent, host.nfs, machine);
        fix.push(format!("{}   # shows what was denied", machine.sudo("ausearch -m avc -ts recent")));
        return Denied { cause: format!("QEMU may not open files there, probably by SELinux ({words})"), fix };
    }
    if host.nfs {
        let fix = vec![
            "on the NFS server: no_root_squash for this host in /etc/exports, then exportfs -ra".to_owned(),
            "or take a pool on a disk of the host: --libvirt-pool NAME".to_owned(),
        ];
        let cause = format!(
            "the pool is on NFS, whose server maps root to nobody (root_squash), so that libvirt cannot give files to \
            QEMU's user {} ({words})",
            user.name
        );
        return Denied { cause, fix };
    }
    if host.apparmor {
        let mut fix = apparmor(&parent, machine);
        fix.push(format!("{}   # shows what was denied", machine.sudo("journalctl -k --grep 'apparmor=\"DENIED\"'")));
        return Denied { cause: format!("QEMU may not open files there, probably by AppArmor ({words})"), fix };
    }
    Denied { cause: format!("QEMU's user {} may not open files there ({words})", user.name), fix: vec![namei(&folder)] }
}

fn namei(folder: &str) -> String {
    format!("namei -l {folder}")
}

/// libvirt's "(as uid:64055, gid:64055)".
fn uid_in(message: &str) -> Option<u32> {
    let rest = message.split_once("as uid:")?.1;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn may_enter(folder: &Folder, user: &QemuUser) -> bool {
    let x = match () {
        () if user.id == Some(0) => return true,
        () if user.id == Some(folder.user) => 0o100,
        () if user.groups.contains(&folder.group) => 0o010,
        () => 0o001,
    };
    folder.mode & x != 0
}

fn selinux(folder: &str, nfs: bool, machine: &Machine) -> Vec<String> {
    if nfs {
        return vec![machine.sudo("setsebool -P virt_use_nfs on")];
    }
    let pattern = quote(&format!("{folder}(/.*)?"));
    vec![
        machine.sudo(&format!("semanage fcontext -a -t virt_image_t {pattern}")),
        machine.sudo(&format!("restorecon -R -v {}", quote(folder))),
    ]
}

fn apparmor(folder: &str, machine: &Machine) -> Vec<String> {
    let rule = quote(&format!("{folder}/** r,"));
    vec![
        format!("echo {rule} | {}", machine.sudo("tee -a /etc/apparmor.d/local/usr.lib.libvirt.virt-aa-helper")),
        machine.sudo("apparmor_parser -r /etc/apparmor.d/usr.lib.libvirt.virt-aa-helper"),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::super::distro::tests::debian;
    use super::*;

    // libvirt 9.0's words.
    const DAC: &str = "Cannot access storage file '/x/me/pool/exasol-probe-1-disk.qcow2' (as uid:64055, gid:64055): Permission denied";
    const FILE: &str = "/x/me/pool/exasol-probe-1-disk.qcow2";

    fn host(modes: &[(&str, u32)]) -> Host {
        let folder = |(path, mode): &(&str, u32)| Folder { path: path.into(), mode: *mode, user: 0, group: 0 };
        Host { folders: modes.iter().map(folder).collect(), ..Host::default() }
    }

    #[test]
    fn a_closed_folder_is_named_with_the_commands_that_open_it() {
        let host = host(&[("/", 0o755), ("/x", 0o755), ("/x/me", 0o700), ("/x/me/pool", 0o711)]);
        let denied = explain(DAC, FILE, Some(&host), &debian());
        assert_eq!(
            denied.cause,
            "QEMU's user libvirt-qemu may not enter the folder /x/me (mode 0700): it needs the permission x there"
        );
        assert_eq!(denied.fix[0], "sudo setfacl -m u:libvirt-qemu:x /x/me");
        assert_eq!(denied.fix[1], "or, for everybody: sudo chmod o+x /x/me");
    }

    #[test]
    fn groups_of_qemu_s_user_count() {
        let folder = Folder { path: "/x".into(), mode: 0o710, user: 0, group: 107 };
        let user = debian().qemu(None);
        assert!(user.groups.contains(&107) && may_enter(&folder, &user), "{user:?}");
        assert!(!may_enter(&Folder { group: 5, ..folder }, &user));
    }

    #[test]
    fn the_denial_s_own_line_is_the_cause() {
        let open = || host(&[("/", 0o755), ("/x", 0o755)]);
        let line =
            "audit: type=1400 apparmor=\"DENIED\" operation=\"open\" name=\"/x/me/pool/exasol-probe-1-disk.qcow2\"";
        let denied = explain(DAC, FILE, Some(&Host { log: vec![line.into()], ..open() }), &debian());
        assert!(denied.cause.starts_with("AppArmor denies it: audit:"), "{denied:?}");
        assert!(denied.fix[0].starts_with("echo '/x/me/pool/** r,' | sudo tee -a"), "{denied:?}");
        let line = "type=AVC msg=audit(1): avc:  denied  { read } for comm=\"qemu\" name=\"exasol-probe-1-disk.qcow2\"";
        let denied = explain(DAC, FILE, Some(&Host { log: vec![line.into()], ..open() }), &debian());
        assert_eq!(denied.fix[0], "sudo semanage fcontext -a -t virt_image_t '/x/me/pool(/.*)?'");
        let nfs = explain(DAC, FILE, Some(&Host { log: vec![line.into()], nfs: true, ..open() }), &debian());
        assert_eq!(nfs.fix, ["sudo setsebool -P virt_use_nfs on"]);
    }

    #[test]
    fn without_a_line_the_likely_cause_is_told() {
        let open = || host(&[("/", 0o755), ("/x", 0o755)]);
        let cause = |host: Host| explain(DAC, FILE, Some(&host), &debian()).cause;
        assert!(cause(Host { selinux: true, ..open() }).contains("SELinux"));
        assert!(cause(Host { nfs: true, ..open() }).contains("root_squash"));
        assert!(cause(Host { apparmor: true, ..open() }).contains("AppArmor"));
        assert!(explain(DAC, FILE, None, &debian()).fix[0].starts_with("on the hypervisor: namei -l /x/me/pool"));
        let other = explain("no space left on device", FILE, Some(&open()), &debian());
        assert!(other.cause.ends_with("no space left on device"), "{other:?}");
    }
}
