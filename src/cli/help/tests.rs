use clap::Command;

use super::topics::TOPICS;
use super::*;
use crate::cli::commands;

/// What is shown for this command line on a terminal of that width.
fn shown(line: &str, width: usize) -> String {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let tree = laid_out(commands::tree(), Asked::read(&words), width);
    tree.try_get_matches_from(&words).unwrap_err().render().to_string()
}

fn each(command: &mut Command, visit: &mut dyn FnMut(&mut Command)) {
    visit(command);
    let names: Vec<_> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    for name in names {
        each(command.find_subcommand_mut(&name).unwrap(), visit);
    }
}

/// Every text that help can show at that width, each with the line that asks for it.
fn every_text(asked: Asked, width: usize) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    let mut root = laid_out(commands::tree(), asked, width);
    root.build();
    each(&mut root, &mut |command| texts.push((command.get_name().to_owned(), command.render_help().to_string())));
    let tree = commands::tree();
    texts.extend(TOPICS.iter().map(|topic| (topic.name.to_owned(), topic.text(&tree, width))));
    texts
}

#[test]
fn every_variable_is_told_once() {
    let told = body(&commands::tree(), "env", 200);
    let first_words = told.lines().filter_map(|line| line.split_whitespace().next());
    let names: Vec<_> = first_words.filter(|word| word.starts_with("EXASOL_")).collect();
    for name in &names {
        assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name}");
    }
    assert!(names.contains(&"EXASOL_RELEASE_TREE") && names.contains(&"EXASOL_OFFLINE"), "{names:?}");
}

#[test]
fn every_help_fits_its_terminal() {
    for width in [80, 100] {
        for asked in [
            Asked::default(),
            Asked { full: true, ..Asked::default() },
            Asked { full: true, groups: asked::Groups::Everybodys },
        ] {
            for (name, text) in every_text(asked, width) {
                for line in text.lines() {
                    assert!(line.chars().count() <= width, "{name}: {line}");
                }
            }
        }
    }
    for (name, text) in every_text(Asked::default(), 40) {
        // Names (of an option and its value, of variables), and a word that is longer than the line, cannot be broken.
        let is_name = |line: &str| line.contains('_') || line.trim_start().starts_with("--");
        let is_text = |line: &str| line.trim().contains(' ') && !is_name(line);
        let breaks = |line: &&str| !line.starts_with("Usage:") && is_text(line) && !line.contains(" <");
        for line in text.lines().filter(breaks) {
            assert!(line.chars().count() <= 40, "{name}: {line}");
        }
    }
}

#[test]
fn every_command_has_examples_and_names_the_options_of_all_commands() {
    let mut root = laid_out(commands::tree(), Asked::default(), 80);
    root.build();
    for sub in root.get_subcommands_mut() {
        each(sub, &mut |command| {
            assert!(command.get_before_help().is_some_and(|text| text.to_string().starts_with("Examples:\n  ")));
            let help = command.render_help().to_string();
            assert!(help.contains("exasol help options") && !help.contains("--log-level"), "{help}");
        });
    }
}

#[test]
fn what_is_said_first_fits_a_small_terminal() {
    let first = shown("exasol", 80);
    assert!(first.lines().count() < 24, "{first}");
    assert_eq!(shown("exasol -h", 80), first);
    assert_eq!(shown("exasol --help", 80), first);
    let tree = commands::tree();
    let missing = tree.get_subcommands().find(|c| !first.contains(c.get_name()));
    assert_eq!(missing.map(Command::get_name), None, "{first}");
    let init = shown("exasol init -h", 80);
    assert!(init.lines().count() <= 44, "{init}");
}

#[test]
fn only_the_options_of_the_provider_that_was_named_are_shown() {
    let cloud = crate::providers::ALL.iter().find(|provider| provider.is_cloud()).unwrap();
    let own = format!("--{}-region", cloud.name);
    for (line, has_own, has_passwords) in [
        ("exasol init -h".to_owned(), false, false),
        ("exasol init --help".to_owned(), false, true),
        (format!("exasol init --cloud-provider {} -h", cloud.name), true, false),
        (format!("exasol doctor --help {}", cloud.name), true, false),
        ("exasol init --help all".to_owned(), true, true),
    ] {
        let text = shown(&line, 80);
        assert_eq!(text.contains(&own), has_own, "{line}: {text}");
        assert_eq!(text.contains("--db-password-file"), has_passwords, "{line}: {text}");
        assert_eq!(text.contains("--libvirt-pool"), line.ends_with("all"), "{line}: {text}");
    }
}

#[test]
fn screens() {
    for width in [80, 40] {
        for line in ["exasol", "exasol init -h", "exasol deploy -h"] {
            let name = format!("{} at {width}", line.replace(' ', "_"));
            insta::with_settings!({ omit_expression => true }, {
                insta::assert_snapshot!(name, shown(line, width));
            });
        }
    }
}
