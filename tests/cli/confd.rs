//! `license` and `certificate` with a fake ssh in the place of the first node: what goes where, and what is proven.

use std::os::unix::fs::PermissionsExt;

use crate::database::{Database, SERVED};
use crate::support::World;

const OLD: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Keeps every call's words and input; `$HOME/shown` is the certificate that the node shows, `$HOME/new` the one
/// after `set`, `$HOME/kept` the license.
fn node(world: &World) {
    world.fake(
        "ssh",
        r#"echo "$*" >>"$HOME/words"
case "$*" in
  *' sh ready') ;;
  *' sh set') cat >"$HOME/input"; cp "$HOME/new" "$HOME/shown"; echo 'status 1' ;;
  *' sh show') echo '{"Limits": {"max_nodes_per_cluster": "Unlimited"}, "info": "x"}' ;;
  *' sh upload')
    if [ -e "$HOME/refuses" ]; then echo 'error: confd refuses (license_upload): invalid license' >&2; exit 1; fi
    cat >"$HOME/input"; cp "$HOME/input" "$HOME/kept"; echo OK ;;
  *' sh kept') cat "$HOME/kept" ;;
  *) cat >/dev/null; cat "$HOME/shown" ;;
esac"#,
    );
}

fn text(world: &World, name: &str) -> String {
    std::fs::read_to_string(world.path("home").join(name)).unwrap()
}

#[test]
fn a_license_goes_by_standard_input_and_is_asked_for_again() {
    let database = Database::usual();
    let world = World::complete().with_database(&database);
    node(&world);
    let license = "Contract:\n  license_id: 42\n  secret: s3cr3t-l1cense\n";
    std::fs::write(world.path("a.exasol_license"), license).unwrap();
    let json = world.exasol("license upload a.exasol_license --json").run().code(0).json();
    assert_eq!(json["uploaded"], "a.exasol_license");
    assert_eq!(json["license"]["Limits"]["max_nodes_per_cluster"], "Unlimited");
    assert_eq!(text(&world, "input"), license);
    assert!(!text(&world, "words").contains("s3cr3t-l1cense"));
    world.exasol("license show").run().code(0).says("Limits.max_nodes_per_cluster").says("license upload FILE -d");

    std::fs::write(world.path("home").join("refuses"), "").unwrap();
    world
        .exasol("license upload a.exasol_license")
        .run()
        .code(1)
        .says("n11: confd refuses (license_upload): invalid license");
    std::fs::write(world.path("empty"), "\n").unwrap();
    world.exasol("license upload empty").run().code(2).says("FILE: 'empty'").says("it is empty");
    World::complete().initialized().exasol("license show").run().code(3).says("has no nodes: it is not deployed yet");
}

#[test]
fn a_certificate_goes_by_standard_input_and_the_pin_follows_it() {
    let database = Database::usual();
    let world = World::complete().with_database(&database);
    node(&world);
    let new = database.endpoint.fingerprint.clone().unwrap();
    let (cert, key) = SERVED.lock().unwrap()[&new].clone();
    world.edit_state(|state| state["certificate_fingerprint"] = OLD.into());
    let home = world.path("home");
    std::fs::write(home.join("shown"), OLD).unwrap();
    std::fs::write(home.join("new"), &new).unwrap();
    std::fs::write(world.path("one.pem"), &cert).unwrap();
    std::fs::write(world.path("chain.pem"), format!("{cert}{cert}")).unwrap();
    std::fs::write(world.path("key.pem"), &key).unwrap();
    std::fs::set_permissions(world.path("key.pem"), PermissionsExt::from_mode(0o600)).unwrap();

    world.exasol("certificate set --cert one.pem --key key.pem").run().code(2).says("needs a chain");
    assert!(!home.join("input").exists(), "nothing was sent");
    // confd breaks the connection off while it takes the certificate: what the node shows decides.
    let answer = world.exasol("certificate set --cert chain.pem --key key.pem --json").run().code(0);
    let json = answer.json();
    assert_eq!((&json["changed"], &json["recorded"]), (&true.into(), &new.clone().into()));
    assert!(json["warnings"][0].as_str().unwrap().contains("does not name 127."), "{json}");
    assert_eq!(world.state()["certificate_fingerprint"], new);
    let input = text(&world, "input");
    assert!(input.contains(&cert) && input.trim_end().ends_with("-----END PRIVATE KEY-----"));
    let secret = key.lines().nth(1).unwrap();
    assert!(!text(&world, "words").contains(secret) && !answer.stdout.contains(secret));

    // Again: nothing to do.
    std::fs::remove_file(home.join("input")).unwrap();
    let json = world.exasol("certificate set --cert chain.pem --key key.pem --json").run().code(0).json();
    assert_eq!(json["changed"], false);
    assert!(!home.join("input").exists());
}

#[test]
fn an_interruption_in_between_is_healed_by_whoever_comes_next() {
    let database = Database::usual();
    let world = World::complete().with_database(&database);
    node(&world);
    let new = database.endpoint.fingerprint.clone().unwrap();
    std::fs::write(world.path("home").join("shown"), &new).unwrap();
    // As `set` leaves it when it is killed: the pin is forgotten.
    world.edit_state(|state| {
        state["certificate_fingerprint"] = serde_json::Value::Null;
        state["ever_ready"] = true.into();
    });
    world.exasol_with(["sql", "-c", "SELECT 1"]).run().code(0);
    let json = world.exasol("certificate show --json").run().code(0).json();
    assert_eq!(json["recorded"], serde_json::Value::Null);
    assert_eq!(json["nodes"][0]["fingerprint"], new);
    assert!(json["next"][0].as_str().unwrap().starts_with("exasol health --repair -d"), "{json}");
}
