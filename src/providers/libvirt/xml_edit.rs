//! Changes of an XML text that leave the rest of it as it is, byte for byte: what libvirt wrote and
//! this version does not know survives.

use std::ops::Range;

use roxmltree::Node;

/// Cuts and insertions, collected while a parsed document is looked at. One within another's range
/// goes with it.
pub(super) struct Edits<'t> {
    text: &'t str,
    edits: Vec<(Range<usize>, String)>,
}

impl<'t> Edits<'t> {
    pub fn of(text: &'t str) -> Self {
        Self { text, edits: Vec::new() }
    }

    pub fn replace(&mut self, range: Range<usize>, with: impl Into<String>) {
        self.edits.push((range, with.into()));
    }

    /// An element, with the white space before it.
    pub fn remove(&mut self, node: Node) {
        let Range { start, end } = node.range();
        let start = self.text.get(..start).map_or(start, |before| before.trim_end().len());
        self.replace(start..end, "");
    }

    /// The text with all of them done.
    pub fn done(mut self) -> String {
        // Of two that begin together the longer one first: it takes the other with it.
        self.edits.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut text = String::with_capacity(self.text.len());
        let mut at = 0;
        for (range, with) in self.edits {
            let Some(kept) = self.text.get(at..range.start) else { continue };
            text.push_str(kept);
            text.push_str(&with);
            at = range.end;
        }
        text.push_str(self.text.get(at..).unwrap_or_default());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roxmltree::Document;

    #[test]
    fn an_edit_within_another_goes_with_it() {
        let text = "<a>\n  <b c='1'/>\n  <d/>\n</a>";
        let document = Document::parse(text).unwrap();
        let b = document.descendants().find(|node| node.has_tag_name("b")).unwrap();
        let mut edits = Edits::of(text);
        edits.replace(b.attribute_node("c").unwrap().range(), "c='2'");
        edits.remove(b);
        edits.replace(text.len()..text.len(), "<!-- end -->");
        assert_eq!(edits.done(), "<a>\n  <d/>\n</a><!-- end -->");
    }
}
