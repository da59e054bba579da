//! Who descends from a process: a group does not hold them all, since ansible-core 2.19 and later
//! give each worker a session of its own.

use std::collections::HashMap;

/// All descendants of `root`, itself excluded; as far as /proc tells at this moment.
pub(super) fn descendants(root: i32) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let stats = entries.flatten().filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    below(root, stats.filter_map(|stat| pid_and_parent(&stat)))
}

fn below(root: i32, processes: impl Iterator<Item = (i32, i32)>) -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for (pid, parent) in processes {
        children.entry(parent).or_default().push(pid);
    }
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(parent) = open.pop() {
        // Removing keeps a cycle, which a half-read /proc could show, from going on for ever.
        let of_parent = children.remove(&parent).unwrap_or_default();
        open.extend(&of_parent);
        found.extend(of_parent);
    }
    found
}

/// Fields 1 and 4 of proc_pid_stat(5); the name between them may hold blanks and parentheses.
fn pid_and_parent(stat: &str) -> Option<(i32, i32)> {
    let (pid, _) = stat.split_once(' ')?;
    let (_, rest) = stat.rsplit_once(") ")?;
    Some((pid.parse().ok()?, rest.split(' ').nth(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_is_read_whatever_the_name() {
        assert_eq!(pid_and_parent("31436 (ansible-playboo) S 31409 31436 31436 0 -1"), Some((31436, 31409)));
        assert_eq!(pid_and_parent("7 (a) b) (c) R 3 7 7 0 -1"), Some((7, 3)));
        assert_eq!(pid_and_parent("nonsense"), None);
    }

    #[test]
    fn children_of_children_are_found_and_others_are_not() {
        let mut found = below(10, [(11, 10), (12, 11), (13, 12), (20, 1), (21, 20)].into_iter());
        found.sort_unstable();
        assert_eq!(found, [11, 12, 13]);
    }

    #[test]
    fn fuzz_proc_stat() {
        crate::fuzz::text_target("proc-stat", &["7 (a) b) S 1 7 7 0 -1", "1 (systemd) S 0 1 1"], |text| {
            below(1, text.lines().filter_map(pid_and_parent));
        });
    }
}
