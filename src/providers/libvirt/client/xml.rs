//! The little that is needed of XML: reading libvirt's descriptions, and quoting text in ours.

use roxmltree::{Document, Node};

use super::{Answer, Fault, FaultKind};

/// Text for an element or an attribute in quotes.
pub(in super::super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\'' => escaped.push_str("&apos;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Parses a description and hands its root element to `read`.
pub(super) fn read<T>(text: &str, read: impl FnOnce(Node) -> T) -> Answer<T> {
    match Document::parse(text) {
        Ok(document) => Ok(read(document.root_element())),
        Err(error) => Err(Fault { kind: FaultKind::Other, message: format!("libvirt answered broken XML: {error}") }),
    }
}

/// The first element at `path` below `node`.
pub(super) fn at<'a, 'i>(node: Node<'a, 'i>, path: &[&str]) -> Option<Node<'a, 'i>> {
    path.iter().try_fold(node, |node, name| node.children().find(|child| child.has_tag_name(*name)))
}

/// The text at `path`, trimmed, if there is any.
pub(super) fn text(node: Node, path: &[&str]) -> Option<String> {
    let text = at(node, path)?.text()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The attribute of the element at `path`.
pub(super) fn attribute(node: Node, path: &[&str], name: &str) -> Option<String> {
    at(node, path)?.attribute(name).map(str::to_owned)
}

/// All elements of that name directly below the one at `path`.
pub(super) fn all<'a, 'i>(node: Node<'a, 'i>, path: &[&str], name: &'a str) -> Vec<Node<'a, 'i>> {
    at(node, path).map(|n| n.children().filter(|child| child.has_tag_name(name)).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quoted_text_comes_back_whatever_it_is(value in "[ -~äß€]{0,40}") {
            let document = format!("<a b='{0}'><c>x{0}x</c></a>", escape(&value));
            let (attribute, content) = read(&document, |root| {
                (root.attribute("b").map(str::to_owned), at(root, &["c"]).and_then(|c| c.text()).map(str::to_owned))
            })
            .unwrap();
            prop_assert_eq!(attribute, Some(value.clone()));
            prop_assert_eq!(content, Some(format!("x{value}x")));
        }
    }
}
