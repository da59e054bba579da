//! A node's picture is an image of its own with a stretch of every network above it: side by side the
//! stretches join, so that the picture of any number of nodes fits any width.

use serde::Serialize;

use super::content::{Bus, BusKind, NodeBox};
use super::words::{short, short_address};

/// More nodes than this get small pictures.
const SMALL_FROM: usize = 17;
/// Pixels from one network's line to the next.
const BUS_GAP: u32 = 12;

/// In pixels, from the image's upper left corner.
#[derive(Debug, Serialize)]
pub(super) struct Card<'a> {
    width: u32,
    height: u32,
    node: &'a NodeBox,
    /// All of it in words.
    label: String,
    lines: Vec<Line>,
    top: u32,
    box_width: u32,
    box_height: u32,
    name: String,
    state: String,
    texts: Vec<Text>,
    disks: Vec<Disk>,
    caption: Text,
}

/// A network's line, and the node's plug in it.
#[derive(Debug, Serialize)]
struct Line {
    kind: BusKind,
    y: u32,
    /// Where the plug is; None: the node has no address there.
    x: Option<u32>,
    /// Where the plug ends: the node's box.
    to: u32,
}

#[derive(Debug, Serialize)]
struct Text {
    y: u32,
    kind: Option<BusKind>,
    text: String,
}

#[derive(Debug, Serialize)]
struct Disk {
    x: u32,
    y: u32,
    root: bool,
}

struct Form {
    width: u32,
    /// Characters of an address, of a name or state, and of the disks' caption.
    address: usize,
    name: usize,
    caption: usize,
    disks: usize,
}

const LARGE: Form = Form { width: 172, address: 20, name: 18, caption: 24, disks: 6 };
const SMALL: Form = Form { width: 140, address: 15, name: 13, caption: 17, disks: 4 };

impl<'a> Card<'a> {
    pub fn all(nodes: &'a [NodeBox], buses: &[Bus]) -> Vec<Card<'a>> {
        let form = if nodes.len() < SMALL_FROM { LARGE } else { SMALL };
        nodes.iter().map(|node| Card::of(node, buses, &form)).collect()
    }

    fn of(node: &'a NodeBox, buses: &[Bus], form: &Form) -> Card<'a> {
        let count = u32::try_from(buses.len()).unwrap_or_default();
        let top = 10 + BUS_GAP * count + 4;
        let lines = buses.iter().zip(0..).map(|(bus, index)| Line {
            kind: bus.kind,
            y: 10 + BUS_GAP * index,
            x: node.address(bus.kind).map(|_| 30 + 26 * index),
            to: top,
        });
        let addresses = buses.iter().filter_map(|bus| Some((bus.kind, node.address(bus.kind)?)));
        let texts: Vec<Text> = addresses
            .zip(0..)
            .map(|((kind, address), index)| Text {
                y: top + 58 + 16 * index,
                kind: Some(kind),
                text: short_address(address, form.address),
            })
            .collect();
        let disks_top = top + 54 + 16 * u32::try_from(texts.len()).unwrap_or_default();
        let shown = node.data_gb.len().min(form.disks - 1);
        let disks = (0..=u32::try_from(shown).unwrap_or_default()).map(|index| Disk {
            x: 20 + 24 * index,
            y: disks_top,
            root: index == 0,
        });
        let caption = Text { y: disks_top + 42, kind: None, text: short(&node.disks(), form.caption) };
        let box_height = disks_top + 52 - top;
        Card {
            width: form.width,
            height: top + box_height + 12,
            node,
            label: node.label(),
            lines: lines.collect(),
            top,
            box_width: form.width - 12,
            box_height,
            name: short(&node.name, form.name),
            state: short(&node.state, form.name),
            texts,
            disks: disks.collect(),
            caption,
        }
    }
}

impl NodeBox {
    fn address(&self, kind: BusKind) -> Option<&str> {
        match kind {
            BusKind::Public => self.public.as_deref(),
            BusKind::Private => self.private.as_deref(),
            BusKind::Overlay => self.overlay.as_deref(),
        }
    }

    /// The root disk and the data disks: `50 + 2 × 100 GB`.
    fn disks(&self) -> String {
        match self.data_gb[..] {
            [] => format!("{} GB", self.root_gb),
            [one] => format!("{} + {one} GB", self.root_gb),
            [first, ..] => format!("{} + {} × {first} GB", self.root_gb, self.data_gb.len()),
        }
    }

    fn label(&self) -> String {
        let mut words = vec![format!("{}: {}", self.name, self.state)];
        let networks = [("public", &self.public), ("private", &self.private), ("overlay", &self.overlay)];
        words.extend(networks.into_iter().filter_map(|(name, at)| Some(format!("{name} address {}", at.as_ref()?))));
        words.extend(self.answers.iter().map(|answer| format!("{}: {}", answer.name, answer.word)));
        words.push(format!("disks: root {}", self.disks()));
        words.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::super::content::Tone;
    use super::*;

    fn node(disks: usize) -> NodeBox {
        NodeBox {
            name: "n11".into(),
            tone: Tone::Good,
            state: "SQL answers".into(),
            public: Some("192.0.2.11".into()),
            private: Some("2001:db8:1111:2222:3333:4444:5555:6666".into()),
            overlay: None,
            answers: Vec::new(),
            root_gb: 50,
            data_gb: vec![100; disks],
        }
    }

    fn buses() -> Vec<Bus> {
        let bus = |kind| Bus { kind, name: String::new(), detail: String::new() };
        vec![bus(BusKind::Public), bus(BusKind::Private), bus(BusKind::Overlay)]
    }

    #[test]
    fn everything_is_inside_of_the_picture_whatever_there_is_of_it() {
        for (nodes, disks) in [(1, 0), (1, 16), (16, 3), (17, 16), (64, 1)] {
            let nodes = vec![node(disks); nodes];
            for card in Card::all(&nodes, &buses()) {
                assert!(card.top + card.box_height <= card.height && card.box_width < card.width);
                assert!(card.lines.iter().all(|line| line.y < card.top && line.x.is_none_or(|x| x < card.width)));
                assert!(card.disks.iter().all(|disk| disk.x + 20 <= card.box_width && disk.y + 24 < card.height));
                assert!(card.caption.y < card.top + card.box_height);
                assert!(card.texts.iter().all(|text| text.text.chars().count() <= LARGE.address));
            }
        }
    }

    #[test]
    fn words_say_all_that_the_picture_shows() {
        let label = node(2).label();
        assert_eq!(
            label,
            "n11: SQL answers; public address 192.0.2.11; private address 2001:db8:1111:2222:3333:4444:5555:6666; \
             disks: root 50 + 2 × 100 GB"
        );
        let nodes = [node(0)];
        let cards = Card::all(&nodes, &buses());
        assert_eq!((cards[0].lines.len(), cards[0].lines[2].x), (3, None), "no plug without an address");
    }
}
