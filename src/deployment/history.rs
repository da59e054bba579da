//! What `health` has seen over time: `logs/health.jsonl`, a line a look.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;

use super::{DeploymentDir, atomic};
use crate::error::{Error, Result};

const FILE: &str = "health.jsonl";
/// Half a year of a look every five minutes; what is older is kept once more under this name.
const LIMIT_BYTES: u64 = 8 << 20;
const EARLIER: &str = "health.jsonl.1";
/// Some hundred looks.
const TAIL_BYTES: u64 = 64 << 10;

impl DeploymentDir {
    /// Adds a line of JSON. Needs no lock: one short write at the end of a file is never mixed with
    /// another.
    pub fn remember_health(&self, line: &str) -> Result<()> {
        let logs = self.logs_dir();
        let file = logs.join(FILE);
        let context = || Error::io(format!("cannot write {}", file.display()));
        atomic::make_private_dir(&logs).map_err(context())?;
        if fs::metadata(&file).is_ok_and(|known| known.len() > LIMIT_BYTES) {
            fs::rename(&file, logs.join(EARLIER)).map_err(context())?;
        }
        let mut open = OpenOptions::new().append(true).create(true).mode(0o600).open(&file).map_err(context())?;
        open.write_all(format!("{line}\n").as_bytes()).map_err(context())
    }

    /// When a look last found nothing broken; RFC 3339, UTC. Reads the last lines only.
    pub fn last_healthy(&self) -> Option<String> {
        let mut file = fs::File::open(self.logs_dir().join(FILE)).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).ok()?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).ok()?;
        let lines = String::from_utf8_lossy(&text).into_owned();
        let looks = lines.lines().rev().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let healthy = looks.into_iter().find(|look| look["status"] == "healthy");
        healthy.and_then(|look| look["at"].as_str().map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::deployment::testing;

    #[test]
    fn the_last_healthy_look_is_found() {
        let (_dir, deployment) = testing::deployment();
        assert_eq!(deployment.last_healthy(), None);
        for (minute, status) in [(1, "healthy"), (2, "healthy"), (3, "problems")] {
            let line = format!(r#"{{"at":"2026-01-02T03:0{minute}:00Z","status":"{status}"}}"#);
            deployment.remember_health(&line).unwrap();
        }
        assert_eq!(deployment.last_healthy().as_deref(), Some("2026-01-02T03:02:00Z"));
    }

    #[test]
    fn lines_are_added_and_an_old_file_gives_way() {
        let (_dir, deployment) = testing::deployment();
        deployment.remember_health("{}").unwrap();
        deployment.remember_health("{}").unwrap();
        let file = deployment.logs_dir().join(FILE);
        assert_eq!(fs::read_to_string(&file).unwrap(), "{}\n{}\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        OpenOptions::new().write(true).open(&file).unwrap().set_len(LIMIT_BYTES + 1).unwrap();
        deployment.remember_health("{}").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "{}\n");
        assert!(deployment.logs_dir().join(EARLIER).exists());
        assert!(deployment.log_folders().unwrap().is_empty());
    }
}
