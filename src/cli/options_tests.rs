use super::*;

fn size() -> &'static OptionDef {
    &COMMON[0]
}

fn get(def: &OptionDef, line: &str, env: &'static [(&str, &str)], file: Option<&str>) -> Result<Option<Value>> {
    let matches = add(Command::new("init")).get_matches_from(line.split(' '));
    let file = file.map(|text| ConfigFile::parse("c.toml".into(), text, keys().map(str::to_owned), &[]).unwrap());
    let env = |name: &str| Ok(env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()));
    Sources { matches: &matches, env: &env, file: file.as_ref() }.get(def)
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let env = &[("EXASOL_CLUSTER_SIZE", "3")];
    let file = Some("cluster-size = 4");
    assert_eq!(get(size(), "init --cluster-size 2", env, file).unwrap(), Some(2.into()));
    assert_eq!(get(size(), "init", env, file).unwrap(), Some(3.into()));
    assert_eq!(get(size(), "init", &[], file).unwrap(), Some(4.into()));
    assert_eq!(get(size(), "init", &[], None).unwrap(), Some(1.into()));
}

#[test]
fn an_error_names_the_place_the_value_came_from() {
    for wrong in ["0", "-1", "abc", "1.5", "65", "99999999999999999999"] {
        let error = get(size(), &format!("init --cluster-size {wrong}"), &[], None).unwrap_err();
        assert_eq!(error.to_string(), format!("--cluster-size: '{wrong}' must be a whole number, 1 to 64"));
    }
    let error = get(size(), "init", &[("EXASOL_CLUSTER_SIZE", "x")], None).unwrap_err();
    assert!(error.to_string().starts_with("EXASOL_CLUSTER_SIZE: 'x'"), "{error}");
    let error = get(size(), "init", &[], Some("cluster-size = 1.5")).unwrap_err();
    assert!(error.to_string().starts_with("cluster-size in c.toml: '1.5'"), "{error}");
}

#[test]
fn gigabytes_may_be_called_by_their_name() {
    let disk = find("data-volume-size").unwrap();
    for typed in ["16", "16GB", "16G", "16 GiB", "16gb"] {
        assert_eq!(parse(disk, "x", &[typed.to_owned()]).unwrap(), Value::from(16), "{typed}");
    }
    let refused = |def: &OptionDef, typed: &str| parse(def, "x", &[typed.to_owned()]).unwrap_err().to_string();
    assert_eq!(refused(disk, "16XB"), "x: '16XB' must be a whole number of GB, 1 to 65536. Did you mean 16?");
    assert_eq!(refused(disk, "99999TB"), "x: '99999TB' must be a whole number of GB, 1 to 65536");
    for (typed, meant) in
        [("1TB", Some(1024)), ("2TiB", Some(2048)), ("4096MB", Some(4)), ("512MB", None), ("9kB", None)]
    {
        let end = meant.map(|meant| format!(". Did you mean {meant}?")).unwrap_or_default();
        assert_eq!(refused(disk, typed), format!("x: '{typed}' must be a whole number of GB, 1 to 65536{end}"));
    }
    assert_eq!(refused(size(), "3GB"), "x: '3GB' must be a whole number, 1 to 64. Did you mean 3?");
}

#[test]
fn one_value_is_a_text_and_several_are_a_list() {
    let uri = find("libvirt-uri").unwrap();
    let (one, both) = (serde_json::json!("a"), serde_json::json!(["a", "b"]));
    assert_eq!(get(uri, "init --libvirt-uri a", &[], None).unwrap(), Some(one.clone()));
    assert_eq!(get(uri, "init --libvirt-uri a --libvirt-uri b", &[], None).unwrap(), Some(both.clone()));
    assert_eq!(get(uri, "init", &[("EXASOL_LIBVIRT_URI", "a b")], None).unwrap(), Some(both.clone()));
    assert_eq!(get(uri, "init", &[("EXASOL_LIBVIRT_URI", "a")], None).unwrap(), Some(one.clone()));
    assert_eq!(get(uri, "init", &[], Some("libvirt-uri = ['a', 'b']")).unwrap(), Some(both));
    assert_eq!(get(uri, "init", &[], Some("libvirt-uri = ['a']")).unwrap(), Some(one));
    assert!(get(uri, "init", &[], Some("libvirt-uri = []")).is_err());
}

#[test]
fn lists_come_from_repeated_flags_commas_and_arrays() {
    let cidr = COMMON.iter().find(|d| d.flag == "allowed-cidr").unwrap();
    let both = serde_json::json!(["10.0.0.0/8", "::1/128"]);
    let flags = "init --allowed-cidr 10.0.0.0/8 --allowed-cidr ::1/128";
    assert_eq!(get(cidr, flags, &[], None).unwrap(), Some(both.clone()));
    assert_eq!(get(cidr, "init", &[("EXASOL_ALLOWED_CIDR", "10.0.0.0/8, ::1/128")], None).unwrap(), Some(both.clone()));
    assert_eq!(get(cidr, "init", &[], Some("allowed-cidr = ['10.0.0.0/8', '::1/128']")).unwrap(), Some(both));
}
