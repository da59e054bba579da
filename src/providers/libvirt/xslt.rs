//! The stylesheets of our Terraform template, and no others, done as `xsltproc` does them.
//!
//! The Terraform provider calls a program of that name for every `xml { xslt }`. So that nobody has to
//! install it, `exasol` stands in for it. The stylesheets stay ordinary XSLT 1.0: with the real program
//! they give the same. What is not known here is left to that one.

use std::ops::Range;

use roxmltree::{Document, Node};

use super::xml_edit::Edits;

const XSL: &str = "http://www.w3.org/1999/XSL/Transform";

/// What a stylesheet changes of the document that it otherwise copies.
#[derive(Debug, PartialEq, Eq)]
enum Rule {
    /// Text that is only white space is left out.
    StripSpace,
    /// `permissions/mode` becomes that.
    Mode(String),
    /// A disk of a pool's volume becomes one of type file…
    DisksAreFiles,
    /// …in that folder.
    DiskFolder(String),
    /// …but this volume is read only, and may be missing when the domain starts.
    Seed {
        folder: String,
        volume: String,
    },
    NoGraphics,
}

/// What `xsltproc STYLESHEET DOCUMENT` prints; None for a stylesheet that is not one of ours, and
/// for text that is no XML.
pub(super) fn transform(stylesheet: &str, document: &str) -> Option<String> {
    let rules = rules(stylesheet)?;
    let parsed = Document::parse(document).ok()?;
    let mut edits = Edits::of(document);
    for node in parsed.descendants() {
        rules.iter().for_each(|rule| rule.apply(node, &mut edits));
    }
    let done = edits.done();
    let declared = done.trim_start().starts_with("<?xml ");
    Some(format!("{}{}\n", if declared { "" } else { "<?xml version=\"1.0\"?>\n" }, done.trim()))
}

impl Rule {
    fn apply(&self, node: Node, edits: &mut Edits) {
        let is = |names: [&str; 2]| {
            node.has_tag_name(names[1]) && node.parent_element().is_some_and(|p| p.has_tag_name(names[0]))
        };
        match self {
            Rule::StripSpace if node.is_text() && is_blank(node) => edits.replace(node.range(), ""),
            Rule::Mode(mode) if is(["permissions", "mode"]) => {
                edits.replace(node.range(), format!("<mode>{mode}</mode>"));
            }
            Rule::DisksAreFiles if node.has_tag_name("disk") && source_volume(node).is_some() => {
                if let Some(range) = attribute(node, "type") {
                    edits.replace(range, "type=\"file\"");
                }
            }
            Rule::DiskFolder(folder) if is(["disk", "source"]) => {
                if let Some(volume) = node.attribute("volume") {
                    edits
                        .replace(node.range(), format!("<source file=\"{}\"/>", quoted(&format!("{folder}/{volume}"))));
                }
            }
            Rule::Seed { folder, volume } if is(["disk", "source"]) && node.attribute("volume") == Some(volume) => {
                let file = quoted(&format!("{folder}/{volume}"));
                edits.replace(node.range(), format!("<source startupPolicy=\"optional\" file=\"{file}\"/><readonly/>"));
            }
            Rule::NoGraphics if node.has_tag_name("graphics") => edits.replace(node.range(), ""),
            _ => {}
        }
    }
}

fn source_volume<'a>(disk: Node<'a, '_>) -> Option<&'a str> {
    disk.children().find(|child| child.has_tag_name("source"))?.attribute("volume")
}

fn attribute(node: Node, name: &str) -> Option<Range<usize>> {
    node.attribute_node(name).map(|attribute| attribute.range())
}

/// As an attribute's value between double quotes.
fn quoted(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// None: something in it is not ours.
fn rules(stylesheet: &str) -> Option<Vec<Rule>> {
    let document = Document::parse(stylesheet).ok()?;
    let root = document.root_element();
    if !root.has_tag_name((XSL, "stylesheet")) || root.attribute("version") != Some("1.0") {
        return None;
    }
    let mut rules = Vec::new();
    let mut copies = false;
    for part in significant(root) {
        if part.has_tag_name((XSL, "strip-space")) && part.attribute("elements") == Some("*") {
            rules.push(Rule::StripSpace);
            continue;
        }
        if !part.has_tag_name((XSL, "template")) {
            return None;
        }
        if let Some(seed) = seed(part) {
            // Before the rule for all disks, which it overrules: of two edits of one range the first counts.
            rules.insert(0, seed);
            continue;
        }
        // A mode or a name would be another kind of template.
        if part.attributes().len() != 1 {
            return None;
        }
        match (part.attribute("match")?, only(part)) {
            ("@*|node()", Some(body)) => copies = is_copy(body).then_some(true)?,
            ("permissions/mode", Some(body)) => rules.push(Rule::Mode(plain(body, "mode")?)),
            ("disk[source/@volume]/@type", Some(body)) => {
                rules.push(is_attribute(body, "type", Some("file")).then_some(Rule::DisksAreFiles)?);
            }
            ("disk/source[@volume]", Some(body)) => rules.push(Rule::DiskFolder(folder(body, &[])?)),
            ("graphics", None) if significant(part).is_empty() => rules.push(Rule::NoGraphics),
            _ => return None,
        }
    }
    copies.then_some(rules)
}

fn is_blank(text: Node) -> bool {
    text.text().is_some_and(|text| text.chars().all(|c| matches!(c, ' ' | '\t' | '\r' | '\n')))
}

/// What counts of a stylesheet's element: no comments, and no text that is only white space.
fn significant<'a, 'i>(node: Node<'a, 'i>) -> Vec<Node<'a, 'i>> {
    node.children().filter(|child| !(child.is_comment() || child.is_text() && is_blank(*child))).collect()
}

fn only<'a, 'i>(node: Node<'a, 'i>) -> Option<Node<'a, 'i>> {
    match significant(node).as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}

fn is_copy(body: Node) -> bool {
    let applies = |inner: Node| {
        inner.has_tag_name((XSL, "apply-templates"))
            && inner.attributes().len() == 1
            && inner.attribute("select") == Some("@*|node()")
            && significant(inner).is_empty()
    };
    body.has_tag_name((XSL, "copy")) && body.attributes().len() == 0 && only(body).is_some_and(applies)
}

/// The text of an element without attributes, to be copied as it stands.
fn plain(body: Node, name: &str) -> Option<String> {
    let text = only(body).filter(Node::is_text)?.text()?;
    let literal = body.has_tag_name(name) && body.attributes().len() == 0 && !text.contains(['&', '<']);
    literal.then(|| text.to_owned())
}

/// `<xsl:attribute name="NAME">TEXT</xsl:attribute>`
fn is_attribute(body: Node, name: &str, text: Option<&str>) -> bool {
    body.has_tag_name((XSL, "attribute"))
        && body.attributes().len() == 1
        && body.attribute("name") == Some(name)
        && text.is_none_or(|text| only(body).is_some_and(|inner| inner.text() == Some(text)))
}

/// The rule for one volume: `disk/source[@volume='NAME']`, before all others.
fn seed(template: Node) -> Option<Rule> {
    let volume = template.attribute("match")?.strip_prefix("disk/source[@volume='")?.strip_suffix("']")?;
    let is_name = !volume.is_empty() && volume.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let [source, readonly] = significant(template)[..] else { return None };
    let is_readonly = readonly.has_tag_name("readonly") && readonly.attributes().len() == 0;
    if !is_name
        || template.attributes().len() != 2
        || template.attribute("priority") != Some("2")
        || !is_readonly
        || !significant(readonly).is_empty()
    {
        return None;
    }
    Some(Rule::Seed { folder: folder(source, &[("startupPolicy", "optional")])?, volume: volume.to_owned() })
}

/// Of `<source><xsl:attribute name="file">FOLDER/<xsl:value-of select="@volume"/></xsl:attribute></source>`
fn folder(body: Node, attributes: &[(&str, &str)]) -> Option<String> {
    let is_source = body.has_tag_name("source")
        && body.attributes().len() == attributes.len()
        && attributes.iter().all(|(name, value)| body.attribute(*name) == Some(*value));
    let file = only(body).filter(|file| is_source && is_attribute(*file, "file", None))?;
    match significant(file).as_slice() {
        [path, volume]
            if path.is_text()
                && volume.has_tag_name((XSL, "value-of"))
                && volume.attributes().len() == 1
                && volume.attribute("select") == Some("@volume") =>
        {
            path.text()?.strip_suffix('/').map(str::to_owned)
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "xslt_tests.rs"]
mod tests;
