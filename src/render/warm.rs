//! The program that makes a machine the warm base of later ones, and its recipe: what decides how such a base comes out,
//! beside the image that it begins with.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Proxies, USER, ansible, cloud_init, proxy};
use crate::error::Result;
use crate::model::{NodePlan, sha256_hex};
use crate::providers::Provider;

/// The first one runs; the others are beside it.
const SCRIPTS: [&str; 5] = ["warm.sh", "packages.sh", "programs.sh", "seal.sh", "system.sh"];
/// In memory: the disk keeps nothing of it.
const FOLDER: &str = "/run/exasol-warm";

/// A hash of the recipe, lower-case hex: another recipe makes another base.
pub fn warm_recipe() -> Result<String> {
    let mut all = String::new();
    for name in SCRIPTS {
        all.push_str(&format!("{name} {}\n", sha256_hex(ansible::node_script(name)?)));
    }
    Ok(sha256_hex(all))
}

/// What root runs on the machine of `node`, which has had its first boot. It may hold a proxy's password.
pub fn warm_script(node: &NodePlan, provider: &Provider, proxies: &Proxies) -> Result<String> {
    let mut text = format!("set -eu\numask 077\nmkdir -p {FOLDER}\n");
    let proxy = proxy::file(proxies).content;
    let scripts = SCRIPTS.into_iter().map(|name| ansible::node_script(name).map(|script| (name, script)));
    let mut files = scripts.collect::<Result<Vec<_>>>()?;
    files.push(("proxy", &proxy));
    for (name, content) in files {
        text.push_str(&format!("base64 -d >{FOLDER}/{name} <<'.'\n"));
        for line in STANDARD.encode(content).as_bytes().chunks(76) {
            text.push_str(&String::from_utf8_lossy(line));
            text.push('\n');
        }
        text.push_str(".\n");
    }
    let written = cloud_init::files(node, provider).into_iter().map(|file| format!(" {}", file.path));
    text.push_str(&format!("exec sh {FOLDER}/{} {FOLDER} {USER}{}\n", SCRIPTS[0], written.collect::<String>()));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::is_sha256;
    use crate::render::testing::{Fixture, sh};

    #[test]
    fn the_recipe_is_the_scripts() {
        let recipe = warm_recipe().unwrap();
        assert!(is_sha256(&recipe));
        assert_eq!(recipe, warm_recipe().unwrap());
    }

    #[test]
    fn a_shell_takes_the_program_and_the_scripts_arrive_as_they_are() {
        let fixture = Fixture::two_nodes();
        let proxies = Proxies { variables: vec![("https_proxy", "http://u:$(x)'\"@h:1".into())], withheld: vec![] };
        let text = warm_script(&fixture.plans[0], fixture.provider(), &proxies).unwrap();
        assert!(!text.contains("u:$(x)"), "no shell sees it");
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().to_str().unwrap();
        let text = text.replace(FOLDER, place).replace("exec sh ", "exec echo ");
        let words = sh(&text);
        for name in SCRIPTS {
            let arrived = std::fs::read_to_string(folder.path().join(name)).unwrap();
            assert_eq!(arrived, ansible::node_script(name).unwrap());
        }
        assert_eq!(std::fs::read_to_string(folder.path().join("proxy")).unwrap(), "https_proxy=http://u:$(x)'\"@h:1\n");
        assert!(words.contains(" exasol /") && words.contains("60exasol"), "{words}");
    }
}
