//! With the stylesheets as the template has them; that the real program does the same is tested in
//! `tests/cli/stand_in.rs`.

use super::*;

const TEMPLATE: &str = include_str!("../../../templates/terraform-libvirt/main.tf.tera");
/// utils_xslt.go of the provider 0.8.3.
const STRIP_SPACE: &str = r#"<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:strip-space elements="*" />
  <xsl:template match="@*|node()">
    <xsl:copy>
      <xsl:apply-templates select="@*|node()"/>
    </xsl:copy>
  </xsl:template>
</xsl:stylesheet>"#;

/// Those of volumes and of domains of the first hypervisor, with a folder as Terraform puts it in.
fn stylesheets(folder: &str) -> [String; 2] {
    let template = TEMPLATE.replace("{{ host.suffix }}", "");
    let mut found = template.split("<<-XSLT\n").skip(1).map(|rest| {
        let text = rest.split("XSLT\n").next().unwrap().trim_end();
        filled(text, folder)
    });
    [found.next().unwrap(), found.next().unwrap()]
}

/// As Terraform fills it.
fn filled(text: &str, folder: &str) -> String {
    let mut parts = text.split("${");
    let mut filled = parts.next().unwrap().to_owned();
    for part in parts {
        let (expression, rest) = part.split_once('}').unwrap();
        filled += if expression == "each.value.machine" { "a" } else { folder };
        filled += rest;
    }
    filled
}

// As the provider makes them.
const VOLUME: &str = "<volume>\n  <name>a</name>\n  <capacity unit=\"bytes\">1</capacity>\n  <target>\n    \
    <format type=\"qcow2\"></format>\n    <permissions>\n      <mode>644</mode>\n    </permissions>\n  </target>\n</volume>";
const DOMAIN: &str = "<domain type=\"qemu\">\n  <name>n11</name>\n  <devices>\n    <disk type=\"volume\" device=\"disk\">\n      \
    <driver name=\"qemu\" type=\"qcow2\"></driver>\n      \
    <source pool=\"default\" volume=\"a-root.qcow2\"></source>\n      <target dev=\"vda\" bus=\"virtio\"></target>\n    </disk>\n    \
    <disk type=\"file\" device=\"disk\"><source file=\"/x\"></source></disk>\n    \
    <disk type=\"volume\" device=\"disk\"><source pool=\"default\" volume=\"a-seed.img\"></source></disk>\n    \
    <graphics type=\"spice\" autoport=\"yes\"></graphics>\n  </devices>\n</domain>";

#[test]
fn a_volume_is_for_its_owner_alone() {
    let [volumes, _] = stylesheets("");
    assert_eq!(
        transform(&volumes, VOLUME).unwrap(),
        format!("<?xml version=\"1.0\"?>\n{}\n", VOLUME.replace("644", "0600"))
    );
}

#[test]
fn disks_become_files_and_the_screen_goes() {
    let [_, domains] = stylesheets("/pool of \"R&amp;D\"");
    let done = transform(&domains, DOMAIN).unwrap();
    let expected = DOMAIN
        .replace("type=\"volume\"", "type=\"file\"")
        .replace(
            "<source pool=\"default\" volume=\"a-root.qcow2\"></source>",
            "<source file=\"/pool of &quot;R&amp;D&quot;/a-root.qcow2\"/>",
        )
        .replace(
            "<source pool=\"default\" volume=\"a-seed.img\"></source>",
            "<source startupPolicy=\"optional\" file=\"/pool of &quot;R&amp;D&quot;/a-seed.img\"/><readonly/>",
        )
        .replace("<graphics type=\"spice\" autoport=\"yes\"></graphics>", "");
    assert_eq!(done, format!("<?xml version=\"1.0\"?>\n{expected}\n"));
}

#[test]
fn the_provider_s_own_stylesheet_strips_white_space() {
    let stripped = transform(STRIP_SPACE, "<a>\n <b>x y</b>\n\t<c> </c></a>").unwrap();
    assert_eq!(stripped, "<?xml version=\"1.0\"?>\n<a><b>x y</b><c></c></a>\n");
}

#[test]
fn other_stylesheets_are_left_to_the_real_program() {
    let [volumes, domains] = stylesheets("/x");
    let others = [
        volumes.replace("0600", "<b/>"),
        volumes.replace("permissions/mode", "permissions/owner"),
        volumes.replace("version=\"1.0\"", "version=\"2.0\""),
        volumes.replace("match=\"permissions/mode\"", "match=\"permissions/mode\" priority=\"9\""),
        volumes.replace("<xsl:copy>", "<xsl:copy use-attribute-sets=\"x\">"),
        domains.replace("<xsl:template match=\"graphics\"/>", "<xsl:template match=\"graphics\">x</xsl:template>"),
        domains.replace("priority=\"2\"", "priority=\"1\""),
        domains.replace("<readonly/>", ""),
        domains.replace("optional", "mandatory"),
        domains.replace("a-seed.img'", "' or 'x"),
        domains.replace("select=\"@volume\"", "select=\"@pool\""),
        domains.replace(">file<", ">block<"),
        domains.replace("<xsl:template match=\"graphics\"/>", "<xsl:output method=\"text\"/>"),
        "<x/>".to_owned(),
        String::new(),
    ];
    for other in others {
        assert_eq!(transform(&other, DOMAIN), None, "{other}");
    }
    assert_eq!(transform(&volumes, "no XML"), None);
}

#[test]
fn fuzz_stylesheets() {
    crate::fuzz::text_target("domain-xml", &super::super::RECORDED, |document| {
        for stylesheet in stylesheets("/pool") {
            if let Some(done) = transform(&stylesheet, document) {
                assert!(Document::parse(done.trim()).is_ok(), "{done}");
            }
        }
        transform(document, document);
    });
}
