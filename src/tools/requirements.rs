//! Programs that must be there, as preflight checks with the command that installs each.

use crate::error::Error;
use crate::model::{Check, Program};
use crate::tools::process;

/// A tool that was looked for: its version, or why it can't be used.
pub fn check(id: &'static str, title: &str, found: std::result::Result<String, &Error>) -> Check {
    match found {
        Ok(version) => Check::ok(id, title, version),
        Err(Error::ToolMissing { tool, needed, install }) => {
            let needed = needed.as_ref().map(|n| format!(" ({n})")).unwrap_or_default();
            Check::failed(id, title, format!("{tool} was not found on PATH{needed}")).fix(install)
        }
        Err(other) => {
            let check = Check::failed(id, title, other.to_string());
            other.hint().into_iter().fold(check, Check::fix)
        }
    }
}

/// A program that is needed by its name alone, whatever its version.
pub fn program(program: &Program) -> Check {
    let title = format!("{} {}", program.name, program.needed_for);
    match process::find(program.name) {
        Some(path) => Check::ok("program", title, path.display().to_string()),
        None => Check::failed("program", title, format!("{} was not found on PATH", program.name))
            .fix(install_command(program)),
    }
}

/// The command that installs a package on this machine's distribution.
fn install_command(program: &Program) -> String {
    let Program { debian, fedora, suse, arch, .. } = program;
    match family(&std::fs::read_to_string("/etc/os-release").unwrap_or_default()) {
        Family::Debian => format!("sudo apt-get install {debian}"),
        Family::Fedora => format!("sudo dnf install {fedora}"),
        Family::Suse => format!("sudo zypper install {suse}"),
        Family::Arch => format!("sudo pacman -S {arch}"),
        Family::Other => format!("install the package {debian} (Debian) or {fedora} (Fedora)"),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Family {
    Debian,
    Fedora,
    Suse,
    Arch,
    Other,
}

fn family(os_release: &str) -> Family {
    let value = |key: &str| {
        let line = os_release.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let ids = format!("{} {}", value("ID"), value("ID_LIKE"));
    let has = |names: &[&str]| ids.split(' ').any(|id| names.iter().any(|n| id.starts_with(n)));
    match () {
        () if has(&["debian", "ubuntu"]) => Family::Debian,
        () if has(&["fedora", "rhel", "centos"]) => Family::Fedora,
        () if has(&["suse", "opensuse", "sles"]) => Family::Suse,
        () if has(&["arch"]) => Family::Arch,
        () => Family::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_are_known_by_id_and_likeness() {
        assert_eq!(family("ID=ubuntu\nID_LIKE=debian\n"), Family::Debian);
        assert_eq!(family("ID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\n"), Family::Fedora);
        assert_eq!(family("ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n"), Family::Suse);
        assert_eq!(family("ID=arch\n"), Family::Arch);
        assert_eq!(family(""), Family::Other);
    }
}
