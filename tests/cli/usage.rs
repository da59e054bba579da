//! Wrong usage: exit 2, the flag, the value, what is allowed; nothing is written.

use crate::support::World;

#[test]
fn a_result_s_folder_that_is_not_there_is_found_out_first() {
    let world = World::complete();
    let answer = world.init("--result nowhere/result.json").run().code(2).says("--result").says("nowhere/result.json");
    assert!(!world.deployment().exists(), "{}", answer.stderr);
}

#[test]
fn values_out_of_range_name_flag_value_and_range() {
    let world = World::complete();
    for wrong in ["0", "-1", "abc", "1.5", "65", ""] {
        world
            .exasol_with(["init", "--cloud-provider", "libvirt", "--cluster-size", wrong])
            .run()
            .code(2)
            .says("--cluster-size")
            .says(&format!("'{wrong}'"))
            .says("1 to 64");
        assert!(!world.deployment().exists());
    }
}

#[test]
fn what_is_not_utf_8_is_refused_and_never_passed_over() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let world = World::complete();
    let latin_1 = OsStr::from_bytes(b"gr\xfc\xdfe-Aus-1920");
    for name in ["EXASOL_DB_PASSWORD", "EXASOL_CLUSTER_SIZE"] {
        world.init("").env(name, latin_1).run().code(2).says(name).says("not UTF-8");
        assert!(!world.deployment().exists(), "{name}");
    }
    world.exasol("init --json").arg(latin_1).run().code(2);
}

#[test]
fn a_folder_whose_name_is_not_utf_8_costs_no_result() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let world = World::complete().initialized();
    let folder = world.path("x").with_file_name(OsStr::from_bytes(b"gr\xfc\xdfe"));
    std::fs::rename(world.deployment(), &folder).unwrap();
    for (words, file, field) in [
        ("support --no-nodes --json --file", "report.tar.gz", "archive"),
        ("man --json --dir", "man1", "directory"),
        ("report --offline --json --output-file", "report.html", "file"),
    ] {
        let call = world.exasol(words).env("EXASOL_DEPLOYMENT_DIR", &folder).arg(folder.join(file).as_os_str());
        let json = call.run().code(0).json();
        assert!(json[field].as_str().unwrap().contains("gr\u{fffd}\u{fffd}e"), "{words}: {json}");
    }
}

#[test]
fn misspelt_names_get_a_suggestion() {
    let world = World::complete();
    world.exasol("init --cloud-provider libvrit").run().code(2).says("Did you mean libvirt?");
    world.exasol("init --db-version rehersal").run().code(2).says("Did you mean rehearsal?");
    world.exasol("init --clutser-size 2").run().code(2).says("--cluster-size");
    std::fs::write(world.path("c.toml"), "cluster-sice = 2\n").unwrap();
    world.exasol("init --config c.toml").run().code(2).says("Did you mean cluster-size?");
}

#[test]
fn errors_are_objects_for_programs() {
    let world = World::complete();
    for words in ["init --json --cluster-size 0", "--output json init --no-such-flag", "status --json --nonsense"] {
        let answer = world.exasol(words).run().code(2);
        let json = answer.json();
        assert_eq!(json["schema"], 1, "{words}");
        assert_eq!(json["error"]["exit_code"], 2, "{words}");
    }
    let answer = world.exasol("status --json").run().code(3);
    assert_eq!(answer.json()["error"]["code"], "not_a_deployment");
}

#[test]
fn global_flags_stand_before_or_after_the_command() {
    let world = World::complete();
    for words in
        ["-d elsewhere status --json", "status -d elsewhere --json", "--json status --deployment-dir=elsewhere"]
    {
        let json = world.exasol(words).run().code(3).json();
        assert!(json["error"]["message"].as_str().unwrap().contains("elsewhere"), "{words}: {json}");
    }
}

#[test]
fn lists_need_no_tools_and_no_directory() {
    let world = World::new();
    world.exasol("init --list-providers").run().code(0).says("libvirt");
    world.exasol("init --list-versions").run().code(0).says("rehearsal").says("default");
    let json = world.exasol("init --list-versions --json").run().code(0).json();
    assert_eq!(json["schema"], 1);
}

#[test]
fn version_is_one_line_or_one_object() {
    let world = World::new();
    let version = env!("CARGO_PKG_VERSION");
    world.exasol("version").run().code(0).says(version);
    world.exasol("--version").run().code(0).says(version);
    assert_eq!(world.exasol("version --json").run().code(0).json()["exasol"], version);
}

#[test]
fn an_option_that_cannot_be_honoured_is_an_error() {
    let world = World::complete();
    world.init("--hetzner-location nbg1").run().code(2).says("--hetzner-location belongs to hetzner");
    world.init("--network-cidr 10.0.0.0/24").run().code(2).says("--network-cidr belongs to the clouds");
    assert!(!world.deployment().exists());
}

#[test]
fn networks_with_host_bits_get_the_network_suggested() {
    let world = World::complete();
    world.init("--allowed-cidr 10.0.0.1/8").run().code(2).says("Did you mean 10.0.0.0/8?");
    world.init("--allowed-cidr nonsense").run().code(2).says("--allowed-cidr").says("'nonsense'");
}

#[test]
fn a_statement_is_needed_by_sql() {
    let world = World::complete().initialized();
    world.exasol("sql").stdin(" ; ;\n").run().code(2).says("no statement");
    world.exasol("sql -c SELECT").run().code(3).says("exasol deploy");
}

#[test]
fn a_damaged_record_is_refused_by_every_command_and_takes_none_with_it() {
    let world = World::complete().initialized();
    world.edit_state(|state| state["spec"]["cluster_size"] = 4_000_000_000u32.into());
    for words in ["status", "logs", "info", "deploy", "destroy --yes", "init --update --owner x"] {
        world.exasol(words).run().code(3).says("cluster_size is 4000000000");
    }
    world.exasol("list").run().code(0).says("broken");
    let file = world.deployment().join("deployment.json");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    world.exasol("status").run().code(3).says("is not a file");
    std::os::unix::fs::symlink("loop", world.path("loop")).unwrap();
    world.exasol(&format!("status -d {}", world.path("loop").display())).run().code(3).says("not a deployment");
}

#[test]
fn a_key_that_is_given_twice_is_refused() {
    let world = World::complete();
    std::fs::write(world.path("c.toml"), "cluster_size = 2\ncluster-size = 3\n").unwrap();
    world.init("--config c.toml").run().code(2).says("cluster-size is given twice");
    assert!(!world.deployment().exists());
}

#[test]
fn a_name_in_the_state_that_nobody_knows_is_the_files_fault_not_the_flags() {
    let world = World::complete().initialized();
    for (key, name) in [("provider", "moon"), ("db_version", "exasol-9999.1")] {
        let world_state = world.state();
        world.edit_state(|state| state["spec"][key] = name.into());
        for words in ["deploy", "destroy --yes", "init --update --owner me"] {
            // A destroy needs no version.
            if words.starts_with("destroy") && key == "db_version" {
                continue;
            }
            let answer = world.exasol(words).run().code(3).says("deployment.json names the").says(name);
            answer
                .says("the version of exasol that wrote it")
                .never_says("--cloud-provider")
                .never_says("--db-version");
        }
        assert_eq!(world.state()["phase"], "initialized", "{key}");
        world.exasol("status").run().code(0);
        world.edit_state(|state| *state = world_state.clone());
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let world = World::complete();
    std::fs::write(world.path("c.toml"), "root-volume-size = 1\n").unwrap();
    let call = || {
        let words = "init --cluster-size 0 --config c.toml --allowed-cidr nonsense --allowed-cidr 10.0.0.1/8";
        world.exasol(words).env("EXASOL_DATA_VOLUME_SIZE", "16XB")
    };
    let answer = call().run().code(2).says("5 values are wrong");
    let answer = answer.says("--cluster-size: '0'").says("EXASOL_DATA_VOLUME_SIZE: '16XB'").says("Did you mean 16?");
    answer.says("root-volume-size in c.toml: '1'").says("'nonsense'").says("Did you mean 10.0.0.0/8?");
    let json = world.exasol("init --json --cluster-size 0 --data-volumes-per-node 0").run().code(2).json();
    assert_eq!(json["error"]["code"], "invalid_values");
    assert_eq!(json["error"]["errors"].as_array().unwrap().len(), 2);
    assert!(!world.deployment().exists());
}

#[test]
fn options_of_another_provider_are_told_together_with_what_this_one_refuses() {
    let world = World::complete();
    let answer = world.exasol("init --cloud-provider hetzner --libvirt-memory 4 --data-volume-size 5").run().code(2);
    answer.says("--libvirt-memory belongs to libvirt").says("--data-volume-size: '5' must be 10 GB or more");
}

#[test]
fn sizes_may_have_their_unit() {
    let world = World::complete();
    world.init("--data-volume-size 16GB --root-volume-size 8GiB").run().code(0);
    assert_eq!(world.state()["spec"]["data_volume_size"], 16);
    assert_eq!(world.state()["spec"]["root_volume_size"], 8);
}

#[test]
fn a_deployment_is_named_by_a_word_as_well() {
    let world = World::complete().initialized();
    let dir = world.deployment();
    let dir = dir.display();
    for words in ["status", "info", "logs --list", "destroy --dry-run", "stop", "health"] {
        let by_option = world.exasol(&format!("{words} -d {dir}")).run();
        let by_word = world.exasol(&format!("{words} {dir}")).env("EXASOL_DEPLOYMENT_DIR", "elsewhere").run();
        assert_eq!(by_word.code, by_option.code, "{words}: {by_word:?}");
    }
    world.exasol(&format!("status {dir} -d {dir}")).run().code(0);
    world.exasol(&format!("status {dir} -d elsewhere")).run().code(2).says("two deployments are named");
}

#[test]
fn a_plan_is_asked_for_by_either_word() {
    let world = World::complete().initialized();
    for words in ["deploy --plan", "deploy --dry-run"] {
        world.exasol(words).run().code(0);
        assert_eq!(world.state()["phase"], "initialized", "{words}");
    }
    for words in ["destroy --plan", "destroy --dry-run"] {
        world.exasol(words).run().code(0);
        assert_eq!(world.state()["phase"], "initialized", "{words}");
    }
}

#[test]
fn a_statement_needs_no_option() {
    let world = World::complete().initialized();
    world.exasol_with(["sql", "SELECT 1"]).run().code(3).says("exasol deploy");
    world.exasol_with(["sql", "SELECT", "1"]).run().code(2).says("quotes");
    world.exasol_with(["connect", "SELECT 1"]).run().code(3);
    world.exasol("ps").run().code(0);
}

#[test]
fn a_wrong_word_gets_the_right_one_and_never_a_dangerous_one() {
    let world = World::new();
    world.exasol("restart").run().code(2).says("exasol stop -d DIR && exasol start -d DIR").never_says("destroy");
    world.exasol("init --memory 4").run().code(2).says("--libvirt-memory");
    world.exasol("init --password x").run().code(2).says("--db-password-file").never_says("--db-password?");
    let json = world.exasol("init --json --nodes 3").run().code(2).json();
    assert!(json["error"]["hint"].as_str().unwrap().contains("--cluster-size"), "{json}");
}

#[test]
fn help_has_topics() {
    let world = World::new();
    world.exasol("help").run().code(0).says("deploy").says("version");
    world.exasol("help states").run().code(0).says("database_connection_failed").says("exasol start");
    world.exasol("help exit-codes").run().code(0).says("75").says("128 + n");
    world.exasol("help env").run().code(0).says("EXASOL_DEPLOYMENT_DIR").says("LIBVIRT_DEFAULT_URI").says("NO_COLOR");
    world.exasol("help options").run().code(0).says("--log-level LEVEL").says("EXASOL_LOG_LEVEL");
    world.exasol("help cache prune").run().code(0).says("exasol cache prune").says("--dry-run");
    world.exasol("help init hetzner").run().code(0).says("--hetzner-location").never_says("--aws-region");
    world.exasol("help stattes").run().code(2).says("did you mean states?");
    let json = world.exasol("help states --json").run().code(0).json();
    assert!(json["text"].as_str().unwrap().contains("stopped"));
}

#[test]
fn every_file_of_a_deployment_is_explained() {
    let world = World::complete().initialized();
    let help = world.exasol("help files").run().code(0).stdout;
    for entry in std::fs::read_dir(world.deployment()).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        assert!(help.contains(&name), "{name}: {help}");
    }
}

#[test]
fn long_help_is_paged_where_people_read_it() {
    let world = World::new();
    world.fake("pages", "echo a pager has it; cat");
    let mut seen = world.exasol("init --help").env("PAGER", "pages").on_a_terminal();
    seen.exp_string("a pager has it").unwrap();
    seen.exp_string("--cluster-size").unwrap();
    for pager in ["", "cat", "missing"] {
        let mut seen = world.exasol("init --help").env("PAGER", pager).on_a_terminal();
        let all = seen.exp_eof().unwrap();
        assert!(all.contains("--cluster-size") && !all.contains("a pager has it"), "{pager}: {all}");
    }
    let mut short = world.exasol("init -h").env("PAGER", "pages").on_a_terminal();
    assert!(!short.exp_eof().unwrap().contains("a pager has it"));
    world.exasol("init --help").env("PAGER", "pages").env("TERM", "xterm").run().code(0).never_says("a pager has it");
}

#[test]
fn a_directory_is_not_called_like_a_provider_by_mistake() {
    let world = World::complete();
    for (words, meant) in [
        ("init hetzner", "exasol init --cloud-provider hetzner"),
        ("init help", "exasol init --help"),
        ("up aws", "exasol up --cloud-provider aws"),
    ] {
        world.exasol(words).run().code(2).says(&format!("did you mean {meant}?")).says(" ./");
    }
    assert!(!world.path("hetzner").exists() && !world.path("help").exists());
    world.exasol("doctor hetzner").run().code(2).says("--cloud-provider hetzner");
    world.init("./libvirt").run().code(0);
    assert!(world.path("libvirt/deployment.json").exists());
}

#[test]
fn errors_blame_the_place_that_a_value_came_from() {
    let world = World::complete();
    std::fs::write(world.path("c.toml"), "allowed-cidr = 'zzz'\n").unwrap();
    world.init("--config c.toml").run().code(2).says("allowed-cidr in c.toml: 'zzz'").never_says("--allowed-cidr:");
    let by_variable = world.init("").env("EXASOL_ALLOWED_CIDR", "zzz").run().code(2);
    by_variable.says("EXASOL_ALLOWED_CIDR: 'zzz'").never_says("--allowed-cidr:");
    std::fs::write(world.path("h.toml"), "cloud-provider = 'hetzner'\nhetzner-location = 'moon'\n").unwrap();
    world.exasol("init --config h.toml").run().code(2).says("hetzner-location in h.toml: 'moon'");
}

#[test]
fn wrong_keys_and_wrong_values_of_a_file_are_told_at_once() {
    let world = World::complete();
    std::fs::write(world.path("c.toml"), "cluster-size = 99\nowne = 'x'\n[hetzner]\nlocation = 'hel1'\n").unwrap();
    let told = world.init("--config c.toml").run().code(2);
    told.says("'99'").says("Did you mean owner?").says("Did you mean hetzner-location?");
}

#[test]
fn options_without_a_command_show_what_commands_there_are() {
    let world = World::new();
    for words in ["", "-v", "-d x"] {
        world.exasol(words).run().code(2).says("Start here:").never_says("error:");
    }
    world.exasol("-v --json").run().code(2).says("\"usage\"");
}
