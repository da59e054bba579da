//! `exasol` in the place of `xsltproc`: the same as the real one, where that is installed.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use roxmltree::Document;

use crate::support::World;

const TEMPLATE: &str = include_str!("../../templates/terraform-libvirt/main.tf.tera");

/// Those of the template for the first hypervisor, with a folder as Terraform puts it in.
fn stylesheets() -> Vec<String> {
    let sheet = |rest: &str| {
        let mut parts = rest.split("XSLT\n").next().unwrap().trim().split("${");
        let mut filled = parts.next().unwrap().to_owned();
        for part in parts {
            let (expression, rest) = part.split_once('}').unwrap();
            filled += if expression == "each.value.machine" { "a" } else { "/pool \"1\" &amp; 'a' {x}" };
            filled += rest;
        }
        filled
    };
    TEMPLATE.replace("{{ host.suffix }}", "").split("<<-XSLT\n").skip(1).map(sheet).collect()
}

struct Stand {
    world: World,
}

impl Stand {
    fn new() -> Self {
        let world = World::new();
        symlink(env!("CARGO_BIN_EXE_exasol"), world.path("bin/xsltproc")).unwrap();
        Self { world }
    }

    /// Status, standard output and standard error of that xsltproc, called as the provider does.
    fn ask(&self, program: &Path, stylesheet: &str, document: &str) -> (i32, String, String) {
        let [sheet, text] = ["sheet", "document"].map(|name| self.world.path(name));
        std::fs::write(&sheet, stylesheet).unwrap();
        std::fs::write(&text, document).unwrap();
        let mut command = Command::new(program);
        command.args(["--nomkdir", "--nonet", "--nowrite"]).args([sheet, text]);
        let output = command.env("PATH", self.world.path("bin")).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn ours(&self, stylesheet: &str, document: &str) -> (i32, String, String) {
        self.ask(&self.world.path("bin/xsltproc"), stylesheet, document)
    }
}

/// Everything that a reader of XML sees, in order, but for white space between elements.
fn content(text: &str) -> Vec<String> {
    let document = Document::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut seen = Vec::new();
    for node in document.descendants() {
        let depth = node.ancestors().count();
        if node.is_element() {
            let attributes: Vec<_> = node.attributes().map(|a| format!("{}={:?}", a.name(), a.value())).collect();
            seen.push(format!("{depth} {} {attributes:?}", node.tag_name().name()));
        } else if let Some(text) = node.text().filter(|text| !text.trim().is_empty()) {
            seen.push(format!("{depth} {text:?}"));
        }
    }
    seen
}

fn real() -> Option<PathBuf> {
    ["/usr/bin/xsltproc", "/bin/xsltproc"].map(PathBuf::from).into_iter().find(|path| path.exists())
}

fn text() -> impl Strategy<Value = String> {
    "[a-z0-9 äß'&<>\"{}]{0,12}".prop_map(|text| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&apos;")
    })
}

/// Documents of the elements that the rules are about, nested in every way.
fn document() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["disk", "source", "graphics", "permissions", "mode", "driver"]);
    let attribute = prop::sample::select(vec!["type", "volume", "pool", "file"]);
    let value = prop_oneof![3 => text(), 1 => Just("a-seed.img".to_owned())];
    let leaf = text().prop_map(|text| text.to_string());
    let element = leaf.prop_recursive(4, 24, 4, move |inner| {
        let attributes = prop::collection::btree_map(attribute.clone(), value.clone(), 0..3);
        (name.clone(), attributes, prop::collection::vec(inner, 0..4)).prop_map(|(name, attributes, inner)| {
            let attributes: String = attributes.iter().map(|(name, value)| format!(" {name}=\"{value}\"")).collect();
            format!("<{name}{attributes}>{}</{name}>", inner.concat())
        })
    });
    prop::collection::vec(element, 0..4).prop_map(|all| format!("<domain>\n  {}\n</domain>", all.join("\n  ")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn it_prints_what_the_real_program_prints(document in document()) {
        let Some(real) = real() else { return Ok(()) };
        let stand = Stand::new();
        for stylesheet in stylesheets() {
            let (code, expected, told) = stand.ask(&real, &stylesheet, &document);
            prop_assert_eq!(code, 0, "{}", told);
            let (code, printed, told) = stand.ours(&stylesheet, &document);
            prop_assert_eq!(code, 0, "{}", told);
            prop_assert_eq!(content(&printed), content(&expected), "{}", document);
        }
    }
}

#[test]
fn every_stylesheet_of_the_template_is_known() {
    let stand = Stand::new();
    assert_eq!(stylesheets().len(), 2);
    for stylesheet in stylesheets() {
        let document = "<volume><target><permissions><mode>644</mode></permissions></target></volume>";
        assert_eq!(stand.ours(&stylesheet, document).0, 0, "{stylesheet}");
    }
}

#[test]
fn what_is_not_ours_goes_to_the_real_program_or_is_told() {
    let stand = Stand::new();
    let (code, _, told) = stand.ours("<other/>", "<a/>");
    assert_eq!(code, 1);
    assert!(told.contains("xsltproc") && told.contains("terraform/"), "{told}");
    std::fs::create_dir(stand.world.path("other")).unwrap();
    stand.world.fake("real", "echo \"real $#\"");
    std::fs::rename(stand.world.path("bin/real"), stand.world.path("other/xsltproc")).unwrap();
    let path = std::env::join_paths([stand.world.path("bin"), stand.world.path("other")]).unwrap();
    let [sheet, text] = ["sheet", "document"].map(|name| stand.world.path(name));
    let mut command = Command::new(stand.world.path("bin/xsltproc"));
    let output = command.arg("--nonet").args([sheet, text]).env("PATH", path).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "real 3\n", "{output:?}");
}
