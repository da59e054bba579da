use proptest::prelude::*;

use super::*;

/// What a console has told after all of `text`, whose last line may have no end.
fn boot(text: &str) -> Boot {
    let mut boot = Boot::default();
    for line in text.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(whole) => boot.take(whole.trim_end_matches('\r')),
            None => boot.peek(line),
        };
    }
    boot
}

fn end(text: &str) -> (Kind, String) {
    let end = boot(text).end.unwrap_or_else(|| panic!("no end in {text}"));
    (end.kind, end.line)
}

/// Debian's kernel under QEMU's multi-threaded emulation.
const INT3: &str = "\
[    1.693021] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI\r
[    1.694414] CPU: 1 UID: 0 PID: 0 Comm: swapper/1 Not tainted 6.12.48+deb13-cloud-amd64 #1  Debian 6.12.48-1\r
[    1.695901] RIP: 0010:ktime_get_update_offsets_now+0x5a/0x130\r
[    1.703119] Call Trace:\r
[    1.712201] ---[ end trace 0000000000000000 ]---\r
[    1.717702] Kernel panic - not syncing: Fatal exception in interrupt\r
[    1.718911] Kernel Offset: 0x1c000000 from 0xffffffff81000000\r
[    1.720102] ---[ end Kernel panic - not syncing: Fatal exception in interrupt ]---\r
";

#[test]
fn a_panic_is_told_with_what_came_before_it() {
    let found = boot(INT3);
    assert_eq!(found.end.unwrap().line, "Kernel panic - not syncing: Fatal exception in interrupt");
    assert_eq!(found.before.unwrap().line, "Oops: int3: 0000 [#1] PREEMPT SMP NOPTI");
}

#[test]
fn a_panic_whose_beginning_was_missed_is_one() {
    for cut in [
        "l panic - not syncing: Fatal exception in interrupt\r\n",
        "ic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n",
        "<4>[    1.72][    T1] ---[ end Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000009 ]---\r\n",
        "[   11.013101] Rebooting in 10 seconds..\n",
    ] {
        assert_eq!(end(cut).0, Kind::Panic, "{cut}");
    }
}

#[test]
fn every_way_to_end_is_known_by_its_line() {
    let recorded = [
        // sysrq c
        (
            "[   61.1] sysrq: Trigger a crash\n[   61.1] Kernel panic - not syncing: sysrq triggered crash\n",
            Kind::Panic,
        ),
        (
            "[    2.2] VFS: Cannot open root device \"\" or unknown-block(0,0): error -6\n[    2.2] Kernel panic - not syncing: \
          VFS: Unable to mount root fs on unknown-block(0,0)\n",
            Kind::Panic,
        ),
        // SeaBIOS
        (
            "Booting from Hard Disk...\r\nBoot failed: not a bootable disk\r\n\r\nNo bootable device.\r\n",
            Kind::NoBootDevice,
        ),
        // OVMF
        (
            "BdsDxe: failed to load Boot0001 \"UEFI Misc Device\" from PciRoot(0x0)/Pci(0x4,0x0): Not Found\n\
          BdsDxe: No bootable option or device was found.\nBdsDxe: Press any key to enter the Boot Manager Menu.\n",
            Kind::NoBootDevice,
        ),
        (
            "\u{1b}[2J\u{1b}[01;01H\u{1b}[0m\u{1b}[37m\u{1b}[40mUEFI Interactive Shell v2.2\r\nEDK II\r\n",
            Kind::FirmwareShell,
        ),
        ("Press ESC in 1 seconds to skip startup.nsh\r\nShell> ", Kind::FirmwareShell),
        // GRUB
        (
            "error: no such device: 5a2c7a1e-0000-4a3e-9f4c-2b6d0f3f1a11.\r\nEntering rescue mode...\r\ngrub rescue> ",
            Kind::BootLoader,
        ),
        ("\u{1b}[H\u{1b}[J\r\n   Minimal BASH-like line editing is supported.\r\n\r\ngrub> ", Kind::BootLoader),
        ("\u{1b}[37;40mgrub> ", Kind::BootLoader),
        // initramfs-tools
        (
            "Gave up waiting for root file system device.  Common problems:\nALERT!  LABEL=rootfs does not exist.  Dropping to \
          a shell!\n\nBusyBox v1.35.0 (Debian 1:1.35.0-4+b3) built-in shell (ash)\n(initramfs) ",
            Kind::Initramfs,
        ),
        ("(initramfs) ", Kind::Initramfs),
        // dracut
        (
            "dracut-initqueue[372]: Warning: /dev/mapper/root does not exist\nGenerating \"/run/initramfs/rdsosreport.txt\"\n\n\
          Entering emergency mode. Exit the shell to continue.\nType \"journalctl\" to view system logs.\n",
            Kind::Initramfs,
        ),
        ("\r\ndracut:/# ", Kind::Initramfs),
        // systemd
        (
            "[\u{1b}[0;1;31mFAILED\u{1b}[0m] Failed to mount \u{1b}[0;1;39mdata.mount\u{1b}[0m - /data.\r\nYou are in emergency \
          mode. After logging in, type \"journalctl -xb\" to view\r\n",
            Kind::Emergency,
        ),
        (
            "Cannot open access to console, the root account is locked.\r\nSee sulogin(8) man page for more details.\r\n",
            Kind::Emergency,
        ),
    ];
    for (text, kind) in recorded {
        assert_eq!(end(text).0, kind, "{text}");
    }
}

#[test]
fn what_tells_why_is_kept() {
    let (_, line) = end("ALERT!  UUID=1234 does not exist.  Dropping to a shell!\r\n(initramfs) ");
    assert_eq!(line, "ALERT!  UUID=1234 does not exist.  Dropping to a shell!");
    let grub = boot("error: no such device: root.\r\nEntering rescue mode...\r\ngrub rescue> ");
    assert_eq!(grub.before.unwrap().line, "error: no such device: root.");
}

#[test]
fn an_oops_alone_ends_nothing() {
    for line in [
        "[    5.1] BUG: unable to handle page fault for address: ffffffffc0000000",
        "[    5.1] Oops: 0002 [#1] SMP PTI",
        "[    5.1] Internal error: Oops: 0000000096000004 [#1] SMP",
        "[    5.1] int3: 0000 [#1] PREEMPT SMP",
        "[    5.1] kernel BUG at mm/slub.c:300!",
        "[    5.1] general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP",
    ] {
        let boot = boot(&format!("{line}\n"));
        assert_eq!((boot.before.map(|s| s.kind), boot.end), (Some(Kind::Oops), None), "{line}");
    }
}

#[test]
fn cloud_init_s_errors_come_with_their_stage() {
    let recorded = [
        (
            "cloud-init[345]: 2018-11-17 16:27:43,394 - util.py[WARNING]: failed stage init-local",
            "failed stage init-local",
        ),
        ("[   25.2] cloud-init[1137]: failed run of stage init", "failed run of stage init"),
        (
            "[   30.1] cloud-init[512]: Cloud-init v. 22.4.2 running 'modules:final' at Thu, 01 Sep 2026 12:09:44 +0000. Up 30.1 \
          seconds.\n[   31] cloud-init[512]: 2026-10-27 01:28:57,707 - cc_scripts_user.py[WARNING]: Failed to run module \
          scripts-user (scripts in /var/lib/cloud/instance/scripts)",
            "stage modules:final: ",
        ),
        (
            "[   33] cloud-init[9]: Cloud-init v. 25.1.4 finished at Sat, 28 Nov 2026 20:00:00 +0000. Datasource \
          DataSourceNone.  Up 33.01 seconds",
            "DataSourceNone",
        ),
    ];
    for (text, expected) in recorded {
        let before = boot(&format!("{text}\n")).before.unwrap_or_else(|| panic!("{text}"));
        assert_eq!(before.kind, Kind::CloudInit);
        assert!(before.line.contains(expected), "{}", before.line);
    }
    assert_eq!(boot("Cloud-init v. 25.1.4 running 'init-local' at now\n").stage.as_deref(), Some("init-local"));
}

#[test]
fn a_boot_that_begins_anew_forgets() {
    let rebooted = boot(&format!("{INT3}\r\n[    0.000000] Linux version 6.12.48+deb13-cloud-amd64\r\n"));
    assert_eq!((rebooted.end, rebooted.before), (None, None));
}

#[test]
fn an_ordinary_boot_shows_nothing_wrong() {
    let text = "GRUB loading.\r\nWelcome to GRUB!\r\n\r\n[    0.000000] Linux version 6.12.48+deb13-cloud-amd64\r\n\
        [    0.000000] Command line: BOOT_IMAGE=/vmlinuz root=LABEL=rootfs console=ttyS0,115200 panic=10\r\n\
        [    0.5] WARNING: CPU: 0 PID: 1 at arch/x86/kernel/x.c:1 x+0x1/0x2\r\n[    0.5] ---[ end trace 0000000000000000 ]---\r\n\
        [  \u{1b}[0;32mOK\u{1b}[0m  ] Reached target \u{1b}[0;1;39mbasic.target\u{1b}[0m - Basic System.\r\n\
        [   12.0] cloud-init[400]: 2026-11-28 20:00:00,000 - schema.py[WARNING]: cloud-config failed schema validation!\r\n\
        [   13.0] traps: app[7] general protection fault ip:55 sp:7f error:0\r\nn11 login: ";
    let boot = boot(text);
    assert_eq!((boot.end, boot.before), (None, None));
    assert!(boot.booted);
}

proptest! {
    #[test]
    fn a_console_may_print_anything(line in ".{0,200}") {
        let mut boot = Boot::default();
        boot.take(&line);
        boot.peek(&line);
        let plain = plain(&line);
        prop_assert!(!plain.contains('\x1b'), "{}", plain);
    }
}

#[test]
fn fuzz_boot_console() {
    let seed = "SeaBIOS (version 1.16)\r\nBooting from Hard Disk...\r\n\u{1b}[2J\u{1b}]0;x\u{7}GRUB loading.\r\n\
        [    0.000000] Linux version 6.8.0\r\n[    1.7][    T1] int3: 0000 [#1] PREEMPT SMP\r\n\
        Cloud-init v. 22.4.2 running 'modules:config' at x\r\n2026 - util.py[WARNING]: Failed to run module x\r\n\
        [    9.0] Kernel panic - not syncing: VFS\r\n[    9.1] Rebooting in 30 seconds..\r\nn11 login: ";
    crate::fuzz::text_target("boot-console", &[seed], |text| {
        let mut boot = Boot::default();
        for line in text.split('\n') {
            boot.take(line);
            boot.peek(line);
        }
        let mut signs = boot.before.iter().chain(&boot.end);
        assert!(signs.all(|sign| !sign.line.contains('\u{1b}')));
    });
}
