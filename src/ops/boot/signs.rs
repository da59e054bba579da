//! Pure: what the lines of a serial console mean for a boot. It may be opened late, so that a text
//! begins in its middle, and carry colours, cursor movements and times.

/// What a console shows when a boot goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The kernel has given up.
    Panic,
    /// The kernel has made a mistake; it may go on.
    Oops,
    /// The firmware has found nothing to boot from.
    NoBootDevice,
    /// The boot loader has found no system, and asks a person.
    BootLoader,
    /// The initramfs has not found the root file system, and asks a person.
    Initramfs,
    /// systemd could not bring up what the system needs, and asks a person.
    Emergency,
    /// The firmware's shell waits for a person.
    FirmwareShell,
    /// cloud-init says that something of its work has failed.
    CloudInit,
    /// What comes before one of the others, and tells why: a file system that is not found.
    Complaint,
}

/// A line that tells what went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sign {
    pub kind: Kind,
    /// Without colours and the kernel's time.
    pub line: String,
}

impl Kind {
    /// Stable, for programs.
    pub(super) fn code(self) -> &'static str {
        match self {
            Kind::Panic => "kernel_panic",
            Kind::Oops => "kernel_oops",
            Kind::NoBootDevice => "no_boot_device",
            Kind::BootLoader => "boot_loader",
            Kind::Initramfs => "initramfs",
            Kind::Emergency => "emergency_mode",
            Kind::FirmwareShell => "firmware_shell",
            Kind::CloudInit => "cloud_init",
            Kind::Complaint => "complaint",
        }
    }

    /// Whether nothing comes after it until somebody does something.
    pub(super) fn ends_boot(self) -> bool {
        !matches!(self, Kind::Oops | Kind::CloudInit | Kind::Complaint)
    }

    /// Whether the same machine may boot if it is tried again.
    pub(super) fn reset_may_help(self) -> bool {
        matches!(self, Kind::Panic | Kind::Oops)
    }
}

/// What a console has told of the boot that is under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Boot {
    /// The first thing that went wrong and need not end the boot.
    pub before: Option<Sign>,
    /// What ended it.
    pub end: Option<Sign>,
    /// cloud-init's stage that began last: `init-local`, `init`, `modules:config`, `modules:final`.
    pub stage: Option<String>,
    /// It has come to a login prompt.
    pub booted: bool,
}

impl Boot {
    /// Takes a line as the console printed it; true if it is the one that ends the boot.
    pub(super) fn take(&mut self, raw: &str) -> bool {
        let line = plain(raw);
        if begins(&line) {
            *self = Boot::default();
        }
        if is_login(&line) {
            self.booted = true;
        }
        if let Some(stage) = stage(&line) {
            self.stage = Some(stage);
        }
        let Some(kind) = kind(&line) else { return false };
        let line = without_time(&line).to_owned();
        let line = match (&self.stage, kind) {
            (Some(stage), Kind::CloudInit) if !line.contains("stage") => format!("stage {stage}: {line}"),
            _ => line,
        };
        let slot = if kind.ends_boot() { &mut self.end } else { &mut self.before };
        // Of several the first tells why; but a kernel's mistake says more than what complained before.
        let replace = slot.as_ref().is_none_or(|before| kind == Kind::Oops && before.kind != Kind::Oops);
        if replace {
            *slot = Some(Sign { kind, line });
        }
        replace && kind.ends_boot()
    }

    /// Looks at a line that has not ended: prompts never do.
    pub(super) fn peek(&mut self, raw: &str) -> bool {
        let line = plain(raw);
        match is_login(&line) || is_prompt(&line) {
            true => self.take(raw),
            false => false,
        }
    }
}

fn kind(line: &str) -> Option<Kind> {
    let has = |texts: &[&str]| texts.iter().any(|text| line.contains(text));
    // The last lines of a panic count too: the first may be lost.
    let rebooting = line.contains("Rebooting in ") && line.contains("seconds..");
    if has(&["panic - not syncing", " - not syncing: ", "end Kernel panic"]) || rebooting {
        return Some(Kind::Panic);
    }
    // "traps: app[7] general protection fault" is a program's.
    let oops =
        ["Oops: ", "BUG: unable to handle", "BUG: kernel NULL pointer", "Unable to handle kernel", "kernel BUG at "];
    if has(&oops) || has_die_counter(line) || (line.contains("general protection fault") && !line.contains("traps: ")) {
        return Some(Kind::Oops);
    }
    if has(&["No bootable device", "No bootable option or device was found", "No bootable medium"]) {
        return Some(Kind::NoBootDevice);
    }
    if has(&["UEFI Interactive Shell"]) || line.starts_with("Shell>") {
        return Some(Kind::FirmwareShell);
    }
    if has(&["grub rescue>", "Entering rescue mode...", "Minimal BASH-like line editing"]) || line.starts_with("grub>")
    {
        return Some(Kind::BootLoader);
    }
    if has(&["Dropping to a shell!", "Entering emergency mode. Exit the shell", "Dracut Emergency Shell"])
        || ["(initramfs)", "dracut:/"].iter().any(|prompt| line.starts_with(prompt))
    {
        return Some(Kind::Initramfs);
    }
    if has(&[
        "You are in emergency mode",
        "You are in rescue mode",
        "the root account is locked",
        "Welcome to emergency mode",
    ]) {
        return Some(Kind::Emergency);
    }
    if is_cloud_init_error(line) {
        return Some(Kind::CloudInit);
    }
    let complaints = [
        "error: no such device",
        "error: no such partition",
        "error: unknown filesystem",
        "error: you need to load the kernel first",
        "Boot failed: ",
        "BdsDxe: failed to ",
        "VFS: Cannot open root device",
        "Dependency failed for ",
        "Failed to mount ",
        "Failed to start File System Check",
        "UNEXPECTED INCONSISTENCY",
    ];
    let dracut = line.contains("dracut") && line.contains("Warning: ");
    (has(&complaints) || dracut).then_some(Kind::Complaint)
}

/// `int3: 0000 [#1] PREEMPT SMP`: the kernel numbers its mistakes.
fn has_die_counter(line: &str) -> bool {
    let Some((before, after)) = line.split_once(" [#") else { return false };
    let number = after.split_once(']').is_some_and(|(n, _)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let code = before.rsplit([' ', ':']).next().unwrap_or_default();
    number && code.len() >= 4 && code.bytes().all(|b| b.is_ascii_hexdigit())
}

/// From cloud-init's own texts: `cmd/main.py` ("failed stage", "failed run of stage"), `config/modules.py`,
/// and its format of log lines.
fn is_cloud_init_error(line: &str) -> bool {
    let has = |texts: &[&str]| texts.iter().any(|text| line.contains(text));
    let own = has(&[".py[ERROR]: ", ".py[CRITICAL]: ", "failed run of stage ", ": failed stage "]);
    let module = line.contains(".py[WARNING]: ")
        && (has(&["Failed to run module ", "Failed loading yaml blob", "No instance datasource found"])
            || (line.contains("Running module ") && line.ends_with("failed")));
    own || module || (line.contains("Cloud-init v. ") && line.contains("DataSourceNone"))
}

/// `Cloud-init v. 22.4.2 running 'modules:config' at …`
fn stage(line: &str) -> Option<String> {
    let (_, after) = line.split_once("Cloud-init v. ")?;
    let (_, after) = after.split_once("running '")?;
    after.split_once('\'').map(|(stage, _)| stage.to_owned())
}

/// Firmware, boot loader or kernel at its beginning: whatever was before is over.
fn begins(line: &str) -> bool {
    const FIRST: [&str; 6] = [
        "Linux version ",
        "SeaBIOS (version",
        "GNU GRUB  version",
        "GRUB loading",
        "Booting from ",
        "BdsDxe: starting Boot",
    ];
    FIRST.iter().any(|first| without_time(line).starts_with(first))
}

fn is_login(line: &str) -> bool {
    line.trim_end().ends_with(" login:")
}

fn is_prompt(line: &str) -> bool {
    const PROMPTS: [&str; 4] = ["grub>", "(initramfs)", "Shell>", "dracut:/"];
    PROMPTS.iter().any(|prompt| line.starts_with(prompt)) || line.contains("grub rescue>")
}

/// Without escape sequences and other controls, and without blanks around it.
pub(super) fn plain(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            text.extend((!c.is_control() || c == '\t').then_some(c));
            continue;
        }
        match chars.next() {
            // CSI: parameters, and a letter that ends it.
            Some('[') => drop(chars.find(|c| ('@'..='~').contains(c))),
            // OSC: to a bell, or to the ESC of ESC \.
            Some(']') => drop(chars.find(|c| matches!(c, '\u{7}' | '\u{1b}'))),
            // Of two characters, or three: ESC ( B.
            Some('(' | ')' | '#' | '%') => drop(chars.next()),
            _ => {}
        }
    }
    text.trim().to_owned()
}

/// Without `[    1.723456] ` or `[    1.7][    T1] ` in front.
pub(super) fn without_time(line: &str) -> &str {
    let mut rest = line.trim_start();
    while let Some((inside, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let inside = inside.trim();
        let is_time = inside.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'T' | b'C'));
        if inside.is_empty() || !is_time {
            break;
        }
        rest = after.trim_start();
    }
    rest
}

#[cfg(test)]
#[path = "signs_tests.rs"]
mod tests;
