//! What the machine says that is made a warm base. Pure.

use super::super::operation::one_line;

/// By the words before the colon; see ansible/node/warm.sh.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub system: String,
    pub packages: Vec<String>,
    pub without: Vec<String>,
    pub changed: Vec<String>,
    pub warnings: Vec<String>,
    pub sealed: bool,
}

impl Said {
    pub(super) fn read(text: &str) -> Said {
        let mut said = Said::default();
        for (what, value) in text.lines().filter_map(|line| line.split_once(": ")) {
            let value = one_line(value.trim());
            match what {
                "system" => said.system = value,
                "package" => said.packages.push(value),
                "without" => said.without.push(value),
                "changed" => said.changed.push(value),
                "warning" => said.warnings.push(value),
                "sealed" => said.sealed = value == "yes",
                _ => {}
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_it_has() {
        let text = "system: Debian GNU/Linux 13 (trixie)\nReading lists\nchanged: packages podman\npackage: curl 8.14-1\n\
                    warning: no proxy: x\nwithout: podman\nsealed: yes\n";
        let said = Said::read(text);
        assert_eq!(said.system, "Debian GNU/Linux 13 (trixie)");
        assert_eq!((said.packages, said.without), (vec!["curl 8.14-1".to_owned()], vec!["podman".to_owned()]));
        assert_eq!((said.changed.len(), said.warnings[0].as_str(), said.sealed), (1, "no proxy: x", true));
        assert!(!Said::read("sealed: no").sealed && !Said::read("").sealed);
    }

    #[test]
    fn fuzz_what_the_machine_says() {
        crate::fuzz::text_target("warm-machine", &["package: curl 8.14-1\nsealed: yes\n"], |text| {
            let said = Said::read(text);
            assert!(said.packages.iter().chain(&said.without).all(|line| !line.contains('\n')));
        });
    }
}
