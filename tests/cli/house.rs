//! The rules of the house that clippy can't see, checked on every file below `src/`.
//!
//! `arrows.rs` reads the list in the documentation of `src/lib.rs`, `parsers.rs` and `threats.rs` compare the code with two
//! documents; `rules.rs` has the others.
//! Each rule is a function from sources to violations, with a test that it can fail.

mod arrows;
mod parsers;
mod rules;
mod source;
mod threats;

use arrows::Arrows;
use source::Source;

fn assert_none(violations: Vec<String>) {
    assert!(violations.is_empty(), "\n  {}\n", violations.join("\n  "));
}

#[test]
fn modules_use_only_what_the_arrows_allow() {
    let sources = Source::all();
    let lib = sources.iter().find(|source| source.path == "lib.rs").unwrap();
    assert_none(Arrows::parse(&lib.text).violations(&sources));
}

#[test]
fn only_process_rs_starts_programs() {
    assert_none(rules::spawners(&Source::all()));
}

#[test]
fn only_the_libvirt_client_names_virt() {
    assert_none(rules::virt(&Source::all()));
}

#[test]
fn only_ui_prints() {
    assert_none(rules::printers(&Source::all()));
}

#[test]
fn only_main_and_cli_end_the_process() {
    assert_none(rules::exits(&Source::all()));
}

#[test]
fn only_the_frame_of_an_operation_writes_a_phase() {
    assert_none(rules::phases(&Source::all()));
}

#[test]
fn only_where_it_must_be_a_clippy_rule_is_switched_off() {
    assert_none(rules::switched_off(&Source::all()));
}

#[test]
fn outside_providers_no_provider_is_known_by_name() {
    let sources = Source::all();
    assert_none(rules::clouds(&sources));
    assert_none(rules::provider_matches(&sources));
    assert_none(rules::provider_names(&sources));
}

#[test]
fn files_are_short_and_have_names_that_say_something() {
    let sources = Source::all();
    assert_none(rules::long_files(&sources));
    assert_none(rules::vague_names(&sources));
}

#[test]
fn every_folder_says_what_belongs_in_it() {
    assert_none(rules::silent_folders(&Source::all()));
}

#[test]
fn what_parses_bytes_of_others_has_a_fuzz_target() {
    assert_none(parsers::without_target(&Source::all()));
    assert_none(parsers::unlisted(&Source::all(), include_str!("../fixtures/fuzz/README.md")));
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    assert_none(threats::missing(include_str!("../../docs/security.md")));
}
