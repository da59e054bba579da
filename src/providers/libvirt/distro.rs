//! Which commands mend things on this machine: distribution, service manager, user and groups.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

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
            // Debian ships both programs and runs libvirtd.
            modular: virtqemud && (!libvirtd || matches!(family, Family::RedHat | Family::Suse)),
            daemon_installed: libvirtd || virtqemud,
            user: user_name(&passwd, uid.as_raw()).unwrap_or_else(|| "$USER".to_owned()),
            root: uid.is_root(),
            groups,
            group_file: fs::read_to_string("/etc/group").unwrap_or_default(),
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
        if self.systemd { self.sudo(&format!("systemctl restart {unit}")) } else { self.sudo(&format!("{unit} -d")) }
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
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub name: String,
    pub id: u32,
    pub lists_user: bool,
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
            group_file: "root:x:0:\nlibvirt:x:106:other\nkvm:x:107:\n".into(),
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
