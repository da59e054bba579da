//! Who may reach a cluster (`--allowed-cidr me`), whether a cloud knows the account, what a provider offers, and
//! provider's tables in a configuration file.

use crate::clouds::{TOKEN, api, init};
use crate::support::World;

fn networks(world: &World) -> Vec<String> {
    let state = world.state();
    state["spec"]["allowed_cidrs"].as_array().unwrap().iter().map(|net| net.as_str().unwrap().to_owned()).collect()
}

#[test]
fn me_on_a_cloud_is_the_address_that_a_service_tells() {
    let world = World::complete();
    let service = api(|_| ("200 OK", "198.51.100.7\n".into()));
    let call = |more: &str| init(&world, more).env("HCLOUD_TOKEN", TOKEN).env("EXASOL_ADDRESS_SERVICE", &service.url);
    call("--allowed-cidr me --allowed-cidr 192.0.2.0/24").run().code(0).says("recorded as 198.51.100.7/32");
    assert_eq!(networks(&world), ["192.0.2.0/24", "198.51.100.7/32"]);
    assert_eq!(service.calls.lock().unwrap().len(), 1);
    let update = world.exasol("init --update --allowed-cidr me").env("EXASOL_ADDRESS_SERVICE", &service.url);
    update.run().code(0).says("198.51.100.7/32");
    assert_eq!(networks(&world), ["198.51.100.7/32"]);
}

#[test]
fn without_an_answer_nothing_is_made_and_the_way_out_is_named() {
    let world = World::complete();
    for body in ["<html>log in first</html>", "2001:db8::7"] {
        let service = api(move |_| ("200 OK", body.into()));
        let call = init(&world, "--allowed-cidr me").env("HCLOUD_TOKEN", TOKEN);
        let told = call.env("EXASOL_ADDRESS_SERVICE", &service.url).run().code(2);
        told.says("--allowed-cidr me").says("IPv4").says("--allowed-cidr ADDRESS").says("EXASOL_ADDRESS_SERVICE");
    }
    assert!(!world.deployment().exists());
}

#[test]
fn me_on_libvirt_is_the_networks_gateway() {
    let world = World::complete();
    world.init("--allowed-cidr me").run().code(0).says("recorded as 192.168.122.1/32");
    assert_eq!(networks(&world), ["192.168.122.1/32"]);
}

#[test]
fn private_networks_on_a_cloud_are_warned_of() {
    let world = World::complete();
    let told = init(&world, "--allowed-cidr 192.168.122.0/24").env("HCLOUD_TOKEN", TOKEN).run().code(0);
    told.says("192.168.122.0/24 is private").says("--allowed-cidr me");
    let update = world.exasol("init --update --allowed-cidr 198.51.100.0/24").run().code(0);
    update.never_says("is private");
}

#[test]
fn doctor_asks_the_cloud_whether_it_knows_the_account() {
    let world = World::complete();
    let doctor = || world.exasol("doctor --cloud-provider hetzner --json").env("HCLOUD_TOKEN", TOKEN);
    let check = |json: &serde_json::Value| {
        let mut checks = json["checks"].as_array().unwrap().iter();
        checks.find(|check| check["id"] == "account").cloned().unwrap()
    };
    let good = api(|_| ("200 OK", r#"{"locations": []}"#.into()));
    let json = doctor().env("HCLOUD_ENDPOINT", &good.url).run().code(0).json();
    assert_eq!((&check(&json)["status"], &json["ok"]), (&"ok".into(), &true.into()));
    assert!(good.calls.lock().unwrap().iter().all(|call| call.starts_with("GET ")), "it only looks");
    let bad = api(|_| ("401 Unauthorized", r#"{"error": {"message": "unable to authenticate"}}"#.into()));
    let json = doctor().env("HCLOUD_ENDPOINT", &bad.url).run().code(4).json();
    let refused = check(&json);
    assert_eq!(refused["status"], "failed");
    assert!(refused["detail"].as_str().unwrap().contains("HCLOUD_TOKEN") && refused["fix"][0].is_string(), "{refused}");
    assert!(!json.to_string().contains(TOKEN));
    let offline = world.exasol("doctor --cloud-provider hetzner --offline --json").env("HCLOUD_TOKEN", TOKEN);
    let json = offline.env("HCLOUD_ENDPOINT", &bad.url).run().code(0).json();
    assert!(check(&json)["detail"].as_str().unwrap().contains("not asked: --offline"), "{json}");
}

#[test]
fn a_cloud_that_is_not_asked_is_said_to_be_so() {
    let world = World::complete();
    let call = world.exasol("doctor -v --cloud-provider exoscale --db-version rehearsal");
    let call = call.env("EXOSCALE_API_KEY", "EXO0123456789abcdef01234567");
    call.env("EXOSCALE_API_SECRET", "exoSecretOfTheTests0123456789abcdefghijklmn").run().code(0).says("not asked");
}

#[test]
fn types_and_regions_are_listed_from_the_catalogue() {
    let world = World::new();
    let names = |words: &str| -> Vec<(String, String)> {
        let listed = world.exasol(&format!("init {words} --json")).run().code(0).json();
        let rows = listed["items"].as_array().unwrap().iter();
        rows.map(|row| (row["name"].as_str().unwrap().into(), row["detail"].as_str().unwrap().into())).collect()
    };
    let regions = names("--cloud-provider hetzner --list-regions");
    assert!(regions.contains(&("nbg1".into(), "network zone eu-central".into())), "{regions:?}");
    let types = names("--cloud-provider hetzner --list-types");
    assert!(types.contains(&("cpx32".into(), "4 vCPUs, 8 GB, x86_64; only in nbg1, fsn1, hel1".into())), "{types:?}");
    world.exasol("init --cloud-provider hetzner --list-types").run().code(0).says("default");
    assert_eq!(names("--list-types")[0].0, "small");
    world.exasol("init --list-regions").run().code(2).says("--cloud-provider");
}

#[test]
fn a_configuration_file_may_have_a_table_for_each_provider() {
    let world = World::complete();
    let file =
        "owner = 'me'\n[libvirt]\ndata-volume-size = 3\n[hetzner]\nhetzner-location = 'fsn1'\ndata-volume-size = 20\n";
    std::fs::write(world.path("c.toml"), file).unwrap();
    world.init("--config c.toml").run().code(0);
    let spec = world.state()["spec"].clone();
    assert_eq!((&spec["owner"], &spec["data_volume_size"]), (&"me".into(), &3.into()));
    let other = World::complete();
    std::fs::write(other.path("c.toml"), file).unwrap();
    init(&other, "--config c.toml").env("HCLOUD_TOKEN", TOKEN).run().code(0);
    let spec = other.state()["spec"].clone();
    assert_eq!((&spec["options"]["region"], &spec["data_volume_size"]), (&"fsn1".into(), &20.into()));
    std::fs::write(other.path("d.toml"), "[aws]\naws-regio = 'x'\n").unwrap();
    other.exasol("doctor --config d.toml").run().code(2).says("[aws] of d.toml").says("aws-region");
}
