//! Which commands mend things on this machine: distribution, service manager, user and groups.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::model::quote;

/// A family of distributions that share package names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Debian,
    RedHat,
    Suse,
    Arch,
    Other,
}

/// This machine as far as advice depends on it. Plain data, so that advice can be tested.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    pub family: Family,
    /// systemd runs here.
    pub systemd: bool,
    /// Separate daemons (virtqemud, virtnetworkd, …) instead of libvirtd.
    pub modular: bool,
    /// A daemon's program is installed.
    pub daemon_installed: bool,
    pub user: String,
    pub root: bool,
    /// Groups of this process.
    pub groups: BTreeSet<u32>,
    /// The text of /etc/group.
    pub group_file: String,
    /// The text of /etc/passwd.
    pub passwd_file: String,
}

/// The user as which QEMU runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QemuUser {
    pub name: String,
    /// None where there is no such user here.
    pub id: Option<u32>,
    pub groups: BTreeSet<u32>,
}

impl Machine {
    pub fn here() -> Self {
        let exists = |path: &str| Path::new(path).exists();
        let libvirtd = exists("/usr/sbin/libvirtd") || exists("/usr/bin/libvirtd");
        let virtqemud = exists("/usr/sbin/virtqemud") || exists("/usr/bin/virtqemud");
        let uid = rustix::process::geteuid();
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let mut groups: BTreeSet<u32> =
            rustix::process::getgroups().unwrap_or_default().into_iter().map(|g| g.as_raw()).collect();
        groups.insert(rustix::process::getegid().as_raw());
        let family = family(&fs::read_to_string("/etc/os-release").unwrap_or_default());
        Self {
            family,
            systemd: exists("/run/systemd/system"),
            modular: virtqemud && (!libvirtd || runs_modular(Path::new("/"), family)),
            daemon_installed: libvirtd || virtqemud,
            // Users of a directory service are not in the file.
            user: user_name(&passwd, uid.as_raw())
                .or_else(|| std::env::var("USER").ok().filter(|name| !name.is_empty()))
                .unwrap_or_else(|| "$USER".to_owned()),
            root: uid.is_root(),
            groups,
            group_file: fs::read_to_string("/etc/group").unwrap_or_default(),
            passwd_file: passwd,
        }
    }

    /// A command that needs root's rights.
    pub fn sudo(&self, command: &str) -> String {
        if self.root { command.to_owned() } else { format!("sudo {command}") }
    }

    pub fn install(&self, what: Package) -> String {
        let names = what.names(self.family);
        match self.family {
            Family::Debian => self.sudo(&format!("apt-get install -y {names}")),
            Family::RedHat => self.sudo(&format!("dnf install -y {names}")),
            Family::Suse => self.sudo(&format!("zypper install -y {names}")),
            Family::Arch => self.sudo(&format!("pacman -S --needed {names}")),
            Family::Other => format!("install {names} with your distribution's package manager"),
        }
    }

    /// Commands that start the daemon, now and at every boot.
    pub fn start_daemon(&self) -> Vec<String> {
        if !self.systemd {
            let daemons: &[&str] = if self.modular {
                &["virtlogd -d", "virtqemud -d", "virtnetworkd -d", "virtstoraged -d", "virtproxyd -d"]
            } else {
                &["virtlogd -d", "libvirtd -d"]
            };
            return daemons.iter().map(|d| self.sudo(d)).collect();
        }
        if self.modular {
            // virtproxyd has the socket that the Terraform provider dials.
            let sockets = "virtqemud.socket virtnetworkd.socket virtstoraged.socket virtproxyd.socket";
            return vec![self.sudo(&format!("systemctl enable --now {sockets}"))];
        }
        vec![self.sudo("systemctl enable --now libvirtd")]
    }

    pub fn restart_daemon(&self) -> String {
        let unit = if self.modular { "virtqemud" } else { "libvirtd" };
        if self.systemd {
            return self.sudo(&format!("systemctl restart {unit}"));
        }
        let again = format!("pkill -x {unit}; while pgrep -x {unit}; do sleep 0.2; done; {unit} -d");
        self.sudo(&format!("sh -c {}", quote(&again)))
    }

    /// A command with which libvirt makes its rules of the firewall anew, and starts DHCP servers that have
    /// ended. Guests stay on their networks, unlike when a network is stopped and started.
    pub fn reload_networks(&self) -> String {
        let daemon = if self.modular { "virtnetworkd" } else { "libvirtd" };
        let command =
            if self.systemd { format!("systemctl restart {daemon}") } else { format!("pkill -HUP -x {daemon}") };
        format!("{}   # libvirt makes its own rules anew; guests stay connected", self.sudo(&command))
    }

    /// The user of QEMU: the one with that number, where libvirt told it, else the one that the distribution has.
    pub fn qemu(&self, id: Option<u32>) -> QemuUser {
        let by_id = id.and_then(|id| user_name(&self.passwd_file, id));
        let there = |name: &&str| self.passwd_file.lines().any(|line| line.starts_with(&format!("{name}:")));
        let usual = if self.family == Family::Debian { "libvirt-qemu" } else { "qemu" };
        let name =
            by_id.unwrap_or_else(|| ["libvirt-qemu", "qemu"].into_iter().find(there).unwrap_or(usual).to_owned());
        let line = self.passwd_file.lines().find(|line| line.starts_with(&format!("{name}:")));
        let number = |at: usize| line.and_then(|line| line.split(':').nth(at)?.parse::<u32>().ok());
        let lists = |line: &&str| line.rsplit(':').next().is_some_and(|members| members.split(',').any(|m| m == name));
        let listed = self.group_file.lines().filter(lists).filter_map(|line| line.split(':').nth(2)?.parse().ok());
        let groups = listed.chain(number(3)).collect();
        QemuUser { id: id.or(number(2)), groups, name }
    }

    /// The group's number, and whether the group file lists this user in it.
    pub fn group(&self, name: &str) -> Option<Group> {
        find_group(&self.group_file, |n, _| n == name, &self.user)
    }

    pub fn group_of_id(&self, id: u32) -> Option<Group> {
        find_group(&self.group_file, |_, gid| gid == id, &self.user)
    }
}

/// What is to be installed, by purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Package {
    /// libvirt.so.0 alone.
    ClientLibrary,
    /// The daemon with QEMU.
    Daemon,
    /// QEMU for x86_64.
    Emulator,
    /// QEMU for aarch64.
    EmulatorArm,
    /// UEFI for aarch64, which has no other firmware.
    FirmwareArm,
    /// `qemu-img`, with which libvirt makes volumes.
    Images,
}

impl Package {
    fn names(self, family: Family) -> &'static str {
        match (self, family) {
            (Package::ClientLibrary, Family::Debian) => "libvirt0 libvirt-clients",
            (Package::ClientLibrary, Family::RedHat) => "libvirt-libs libvirt-client",
            (Package::ClientLibrary, Family::Suse) => "libvirt-libs libvirt-client",
            (Package::ClientLibrary, _) => "libvirt",
            (Package::Daemon, Family::Debian) => {
                "libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils dnsmasq-base"
            }
            (Package::Daemon, Family::RedHat) => "libvirt qemu-kvm",
            (Package::Daemon, Family::Suse) => "libvirt-daemon-qemu libvirt-client qemu-kvm",
            (Package::Daemon, _) => "libvirt qemu-base dnsmasq",
            (Package::Emulator, Family::Debian) => "qemu-system-x86",
            (Package::Emulator, Family::Arch) => "qemu-base",
            (Package::Emulator, _) => "qemu-kvm",
            (Package::EmulatorArm, Family::Debian) => "qemu-system-arm",
            (Package::EmulatorArm, Family::Suse) => "qemu-arm",
            (Package::EmulatorArm, Family::Arch) => "qemu-system-aarch64",
            (Package::EmulatorArm, _) => "qemu-kvm",
            (Package::FirmwareArm, Family::Debian) => "qemu-efi-aarch64",
            (Package::FirmwareArm, Family::Suse) => "qemu-uefi-aarch64",
            (Package::FirmwareArm, _) => "edk2-aarch64",
            (Package::Images, Family::Debian) => "qemu-utils",
            (Package::Images, Family::Suse) => "qemu-tools",
            (Package::Images, _) => "qemu-img",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub name: String,
    pub id: u32,
    pub lists_user: bool,
}

/// Both kinds are installed: which one runs here, or would at the next boot? Distributions moved from one to the other,
/// and a machine that was upgraded kept what it had.
fn runs_modular(root: &Path, family: Family) -> bool {
    let has = |path: &str| root.join(path).exists();
    let pid = fs::read_to_string(root.join("run/libvirtd.pid")).unwrap_or_default();
    if pid.trim().parse::<u32>().is_ok_and(|pid| has(&format!("proc/{pid}"))) {
        return false;
    }
    if has("run/libvirt/virtqemud-sock") {
        return true;
    }
    // Without virtqemud it is libvirtd's own, not virtproxyd's.
    if has("run/libvirt/libvirt-sock") {
        return false;
    }
    let enabled = |unit: &str| {
        ["sockets.target.wants", "multi-user.target.wants"].iter().any(|wants| {
            // A link to a unit's file, which need not exist below this root.
            root.join(format!("etc/systemd/system/{wants}/{unit}")).symlink_metadata().is_ok()
        })
    };
    match (
        enabled("libvirtd.socket") || enabled("libvirtd.service"),
        enabled("virtqemud.socket") || enabled("virtqemud.service"),
    ) {
        (true, false) => false,
        (false, true) => true,
        // Debian ships both programs and runs libvirtd.
        _ => matches!(family, Family::RedHat | Family::Suse),
    }
}

fn family(os_release: &str) -> Family {
    let value = |key: &str| {
        os_release
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(|v| v.trim_matches('"').to_owned())
    };
    let words = format!("{} {}", value("ID").unwrap_or_default(), value("ID_LIKE").unwrap_or_default());
    words
        .split_whitespace()
        .find_map(|word| match word {
            "debian" | "ubuntu" => Some(Family::Debian),
            "rhel" | "fedora" | "centos" => Some(Family::RedHat),
            "suse" | "opensuse" | "sles" => Some(Family::Suse),
            "arch" => Some(Family::Arch),
            _ => None,
        })
        .unwrap_or(Family::Other)
}

fn user_name(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        (fields.get(2)?.parse() == Ok(uid)).then(|| fields[0].to_owned())
    })
}

fn find_group(file: &str, wanted: impl Fn(&str, u32) -> bool, user: &str) -> Option<Group> {
    file.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let id = fields.nth(1)?.parse().ok()?;
        let members = fields.next().unwrap_or_default();
        wanted(name, id).then(|| Group { name: name.to_owned(), id, lists_user: members.split(',').any(|m| m == user) })
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A workstation with Debian, systemd, libvirtd, and a user in no special group.
    pub fn debian() -> Machine {
        Machine {
            family: Family::Debian,
            systemd: true,
            modular: false,
            daemon_installed: true,
            user: "me".into(),
            root: false,
            groups: BTreeSet::from([1000]),
            group_file: "root:x:0:\nlibvirt:x:106:other\nkvm:x:107:\ndisk:x:6:libvirt-qemu,other\n".into(),
            passwd_file: "root:x:0:0::/root:/bin/sh\nlibvirt-qemu:x:64055:107::/var/lib/libvirt:/bin/false\n".into(),
        }
    }

    #[test]
    fn families_are_told_by_id_and_likeness() {
        assert_eq!(family("PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n"), Family::Debian);
        assert_eq!(family("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), Family::Debian);
        assert_eq!(family("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"), Family::RedHat);
        assert_eq!(family("ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n"), Family::Suse);
        assert_eq!(family("ID=nixos\n"), Family::Other);
    }

    #[test]
    fn advice_fits_the_machine() {
        let debian = debian();
        assert_eq!(debian.install(Package::Emulator), "sudo apt-get install -y qemu-system-x86");
        assert_eq!(debian.start_daemon(), ["sudo systemctl enable --now libvirtd"]);
        let rocky = Machine { family: Family::RedHat, modular: true, root: true, ..debian };
        assert!(rocky.start_daemon()[0].starts_with("systemctl enable --now virtqemud.socket"));
        assert_eq!(rocky.install(Package::ClientLibrary), "dnf install -y libvirt-libs libvirt-client");
    }

    #[test]
    fn qemu_s_user_is_the_one_that_libvirt_told_or_the_usual_one() {
        let usual = debian().qemu(None);
        assert_eq!(
            (usual.name.as_str(), usual.id, usual.groups),
            ("libvirt-qemu", Some(64055), BTreeSet::from([6, 107]))
        );
        assert_eq!(debian().qemu(Some(0)).name, "root");
        let fedora = Machine { family: Family::RedHat, passwd_file: String::new(), ..debian() };
        assert_eq!((fedora.qemu(None).name.as_str(), fedora.qemu(Some(107)).id), ("qemu", Some(107)));
    }

    #[test]
    fn of_two_kinds_of_daemons_the_one_that_runs_counts() {
        let runs = |files: &[&str], family| {
            let root = tempfile::tempdir().unwrap();
            for name in files {
                let path = root.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "7\n").unwrap();
            }
            runs_modular(root.path(), family)
        };
        assert!(runs(&[], Family::RedHat) && !runs(&[], Family::Debian));
        // RHEL 9, upgraded from 8.
        assert!(!runs(&["run/libvirtd.pid", "proc/7/stat"], Family::RedHat));
        assert!(!runs(&["run/libvirt/libvirt-sock"], Family::RedHat));
        assert!(!runs(&["etc/systemd/system/sockets.target.wants/libvirtd.socket"], Family::RedHat));
        assert!(runs(&["run/libvirt/virtqemud-sock", "run/libvirt/libvirt-sock", "run/libvirtd.pid"], Family::Debian));
        assert!(runs(&["etc/systemd/system/sockets.target.wants/virtqemud.socket"], Family::Debian));
    }

    #[test]
    fn groups_know_their_members() {
        let machine = Machine { user: "other".into(), ..debian() };
        assert_eq!(machine.group("libvirt"), Some(Group { name: "libvirt".into(), id: 106, lists_user: true }));
        assert!(!machine.group_of_id(107).unwrap().lists_user);
        assert_eq!(machine.group("nosuch"), None);
        assert_eq!(
            user_name("root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n", 1000).as_deref(),
            Some("me")
        );
    }
}
