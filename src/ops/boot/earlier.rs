//! How the consoles of earlier operations ended: nobody may have watched since.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::console::log_file;
use super::signs::{Boot, Kind};
use crate::deployment::DeploymentDir;

/// A panic with its stack and registers has some KiB.
const END: u64 = 64 << 10;

/// The telling line, if the node's newest record that has anything in it, other than `now`, ends with a panic.
pub(super) fn panic(dir: &DeploymentDir, now: &Path, node: &str) -> Option<String> {
    let folders = dir.log_folders().ok()?;
    let earlier = folders.iter().rev().filter(|folder| folder.path != now);
    let text = earlier.filter_map(|folder| end(&folder.path.join(log_file(node)))).next()?;
    in_text(&text)
}

fn end(file: &Path) -> Option<String> {
    let mut file = File::open(file).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END))).ok()?;
    let mut bytes = Vec::new();
    file.take(END).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (!text.trim().is_empty()).then_some(text)
}

fn in_text(text: &str) -> Option<String> {
    let mut boot = Boot::default();
    for line in text.lines() {
        boot.take(line);
    }
    boot.end.filter(|sign| sign.kind == Kind::Panic).map(|sign| sign.line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_panic_at_the_end_counts() {
        let panic = "[ 9.1] Kernel panic - not syncing: sysrq triggered crash\n";
        assert_eq!(in_text(panic).unwrap(), "Kernel panic - not syncing: sysrq triggered crash");
        assert_eq!(in_text(&format!("{panic}[    0.000000] Linux version 6.12\nn11 login: ")), None);
        assert_eq!(in_text("n11 login: "), None);
    }
}
