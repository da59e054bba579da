//! Warm bases in the cache: which one a deploy takes, and which it does not. libvirt's mock driver takes no uploads, so
//! a deploy ends with the name of the file that it would have sent.

use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::{TEST_URI, World, fake_image};

fn sha256(content: impl AsRef<[u8]>) -> String {
    Sha256::digest(content.as_ref()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As the program has it: a change of one of these scripts is another recipe.
fn recipe() -> String {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("ansible/node");
    let one = |name: &str| format!("{name} {}\n", sha256(std::fs::read(scripts.join(name)).unwrap()));
    sha256(["warm.sh", "packages.sh", "programs.sh", "seal.sh", "system.sh"].map(one).concat())
}

struct Warm {
    recipe: String,
    made_at: &'static str,
    disk_gb: u32,
}

impl Default for Warm {
    fn default() -> Self {
        Self { recipe: recipe(), made_at: "2999-01-01T00:00:00Z", disk_gb: 5 }
    }
}

impl Warm {
    /// Puts it into the cache; its file.
    fn kept(&self, world: &World) -> PathBuf {
        let (folder, base, content) = (world.path("cache/exasol/warm"), sha256(fake_image()), "warm");
        let key = sha256(format!("{}\n{base}\n", self.recipe));
        let record = json!({
            "key": key, "base_sha256": base, "recipe": self.recipe, "image_sha256": sha256(content), "bytes": 4,
            "disk_gb": self.disk_gb, "system": "Debian GNU/Linux 13", "packages": ["curl 8"], "without": [],
            "made_at": self.made_at, "made_by": "0.1.0",
        });
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{}.json", &key[..16])), record.to_string()).unwrap();
        let file = folder.join(format!("{}.qcow2", &sha256(content)[..16]));
        std::fs::write(&file, content).unwrap();
        file
    }
}

#[test]
fn a_deploy_takes_the_warm_base_unless_told_otherwise() {
    let world = World::complete().initialized();
    let warm = Warm::default().kept(&world);
    let sends = |file: &Path| format!("upload {} to", file.display());
    world.exasol("deploy").run().code(1).says(&sends(&warm));
    world.exasol("deploy --no-warm").run().code(1).says(&sends(&world.path("image.qcow2"))).never_says("warm base");
}

#[test]
fn one_that_was_changed_is_told_and_not_used() {
    let world = World::complete().initialized();
    let warm = Warm::default().kept(&world);
    let image = format!("upload {} to", world.path("image.qcow2").display());
    for (content, why) in [(Some("wary"), "another SHA-256"), (Some("longer"), "another length"), (None, "is missing")]
    {
        match content {
            Some(content) => std::fs::write(&warm, content).unwrap(),
            None => std::fs::remove_file(&warm).unwrap(),
        }
        world.exasol("deploy").run().code(1).says(why).says("exasol cache warm").says(&image);
    }
}

#[test]
fn one_of_another_recipe_or_too_large_is_told_and_not_used() {
    let image = |world: &World| format!("upload {} to", world.path("image.qcow2").display());
    let world = World::complete().initialized();
    Warm { recipe: sha256("another"), ..Warm::default() }.kept(&world);
    world.exasol("deploy").run().code(1).says("another recipe").says(&image(&world));
    Warm { disk_gb: 6, ..Warm::default() }.kept(&world);
    world.exasol("deploy").run().code(1).says("a root disk of 6 GB").says(&image(&world));
}

#[test]
fn an_old_one_is_used_with_a_warning() {
    let world = World::complete().initialized();
    let warm = Warm { made_at: "2020-01-01T00:00:00Z", ..Warm::default() }.kept(&world);
    let deploy = world.exasol("deploy").run().code(1);
    deploy.says("days ago").says("exasol cache warm").says(&format!("upload {} to", warm.display()));
}

#[test]
fn machines_that_exist_keep_their_image() {
    let world = World::complete().with_a_machine();
    Warm::default().kept(&world);
    world.exasol("deploy").run().says("the machines have their image already").never_says("warm base");
    assert!(world.state().get("warm_base").is_none());
}

#[test]
fn the_cache_shows_which_is_outdated_and_prune_removes_all() {
    let world = World::complete();
    let options = format!("--libvirt-uri {TEST_URI} --libvirt-pool default-pool");
    Warm { recipe: sha256("another"), ..Warm::default() }.kept(&world);
    world.exasol(&format!("cache list {options}")).run().code(0).says("outdated");
    Warm::default().kept(&world);
    let list = world.exasol(&format!("cache list --json {options}")).run().code(0).json();
    let notes: Vec<_> = list["entries"].as_array().unwrap().iter().filter_map(|entry| entry["note"].as_str()).collect();
    assert!(notes.iter().any(|note| note.ends_with("up to date")), "{notes:?}");
    world.exasol(&format!("cache prune {options}")).run().code(0);
    assert_eq!(std::fs::read_dir(world.path("cache/exasol/warm")).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_made_leaves_no_machine_and_no_directory() {
    let world = World::complete();
    std::fs::write(world.path("image.qcow2"), fake_image()).unwrap();
    let words = format!(
        "cache warm --libvirt-uri {TEST_URI} --libvirt-pool default-pool --libvirt-network default \
         --libvirt-domain-type qemu --libvirt-image {}",
        world.path("image.qcow2").display()
    );
    world.exasol(&words).run().code(1).says("upload").says("exasol cache warm --logs");
    assert_eq!(std::fs::read_dir(world.path("state/exasol/runs")).unwrap().count(), 0);
    assert!(!world.path("cache/exasol/warm").exists());
}

#[test]
fn a_cloud_has_no_warm_base() {
    let world = World::complete();
    world.exasol("cache warm").env("EXASOL_CLOUD_PROVIDER", "hetzner").run().code(2).says("a warm base is for");
    let up = "up --cloud-provider hetzner --db-version rehearsal --no-warm --yes";
    world.exasol(up).env("HCLOUD_TOKEN", "x".repeat(64)).run().code(2).says("--no-warm: hetzner");
    assert!(!world.deployment().exists());
    world.exasol("deploy --plan --no-warm").run().code(2);
}
