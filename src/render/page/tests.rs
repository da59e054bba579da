//! Whatever the texts say, the page stays a page: nothing becomes an element, an attribute or a script.

use proptest::prelude::*;
use roxmltree::Document;

use super::*;

const HOSTILE: &str =
    "</title></style><script>alert(1)</script><img src=//x onerror='x'>\" onload=\"x&amp;{{ 1 }}{% raw %}";

/// A page in which every text is this one.
fn filled(text: &str) -> Page {
    let words = || text.to_owned();
    let fact = || Fact::new(text, text);
    let answer = Answer { tone: Tone::Bad, name: words(), word: words(), reason: Some(words()) };
    let node = NodeBox {
        name: words(),
        tone: Tone::Warning,
        state: words(),
        public: Some(words()),
        private: Some(words()),
        overlay: Some(words()),
        answers: vec![answer],
        root_gb: 50,
        data_gb: vec![100, 100],
    };
    let span = NodeSpan { node: words(), tone: Tone::Good, words: words(), from_ms: 1, ms: 2 };
    let step = Step {
        title: words(),
        tone: Tone::Bad,
        outcome: words(),
        from_ms: 0,
        ms: 5,
        detail: Some(words()),
        nodes: vec![span],
        more_nodes: 3,
    };
    let run = Run {
        operation: words(),
        started: words(),
        tone: Tone::Active,
        outcome: words(),
        total_ms: 10,
        steps: vec![step],
        not_reached: vec![words(), words()],
        notes: vec![Note { tone: Tone::Bad, kind: words(), place: words(), text: words() }],
        more_notes: 1,
    };
    let issue = Issue {
        tone: Tone::Bad,
        severity: words(),
        place: words(),
        kind: words(),
        detail: Some(words()),
        hint: Some(words()),
    };
    let bus = |kind| Bus { kind, name: words(), detail: words() };
    Page {
        title: words(),
        made_at: words(),
        exasol: words(),
        tone: Tone::Quiet,
        status: words(),
        reason: words(),
        facts: vec![fact()],
        running: Some(words()),
        trouble: Some(Trouble { what: words(), message: words() }),
        next: vec![words(), words()],
        nodes: vec![node],
        buses: vec![bus(BusKind::Public), bus(BusKind::Private), bus(BusKind::Overlay)],
        health: Health {
            tone: Tone::Bad,
            summary: words(),
            source: words(),
            layers: vec![words()],
            rows: vec![LayerRow { node: words(), cells: vec![(Tone::Good, words())] }],
            issues: vec![issue],
            looks: vec![Look { at: words(), tone: Tone::Good, words: words() }],
        },
        runs: vec![run],
        more_runs: 2,
        components: vec![Component { name: words(), version: words(), remark: words() }],
        spec: vec![fact()],
        missing: vec![fact()],
    }
}

/// The page read as XML: what is closed by itself in HTML is closed for that.
fn parsed(html: &str) -> String {
    let mut text = html.strip_prefix("<!doctype html>\n").unwrap().to_owned();
    for meta in html.lines().filter(|line| line.starts_with("<meta ")) {
        text = text.replace(meta, &format!("{}/>", meta.strip_suffix('>').unwrap()));
    }
    text
}

/// Names of elements with their attributes' names, in their order.
fn skeleton(html: &str) -> Vec<String> {
    let text = parsed(html);
    let document = Document::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let elements = document.descendants().filter(roxmltree::Node::is_element);
    let names = |node: roxmltree::Node| node.attributes().map(|a| a.name().to_owned()).collect::<Vec<_>>().join(" ");
    elements.map(|node| format!("{} {}", node.tag_name().name(), names(node))).collect()
}

#[test]
fn hostile_texts_are_texts() {
    let html = page(&filled(HOSTILE)).unwrap();
    assert_eq!(skeleton(&html), skeleton(&page(&filled("x")).unwrap()));
    assert!(!html.contains("<script") && !html.contains("<img") && html.contains("&lt;script&gt;"));
}

#[test]
fn the_page_asks_for_nothing() {
    let html = page(&filled("x")).unwrap();
    for forbidden in
        ["<script", "<link", "<img", "<iframe", "<object", "src=", "url(", "@import", "http:", "https:", "style=\""]
    {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    let policy = policy();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"));
    assert!(html.find("Content-Security-Policy").unwrap() < html.find("<style>").unwrap());
    assert!(html.contains(&format!("<style>{STYLE}</style>")), "the hash is of exactly this");
}

#[test]
fn who_cannot_see_gets_the_same() {
    let html = page(&filled("x")).unwrap();
    let text = parsed(&html);
    let document = Document::parse(&text).unwrap();
    for svg in document.descendants().filter(|node| node.has_tag_name("svg")) {
        let hidden = svg.attribute("aria-hidden") == Some("true");
        let title = svg.children().find(|child| child.has_tag_name("title"));
        let named = title.and_then(|title| title.attribute("id")) == svg.attribute("aria-labelledby");
        assert!(hidden || (svg.attribute("role") == Some("img") && title.is_some() && named), "{:?}", svg.range());
    }
    for table in document.descendants().filter(|node| node.has_tag_name("table")) {
        assert!(table.children().any(|child| child.has_tag_name("caption")));
        assert!(table.descendants().filter(|n| n.has_tag_name("th")).all(|th| th.attribute("scope").is_some()));
    }
    let levels: Vec<u32> =
        document.descendants().filter_map(|node| node.tag_name().name().strip_prefix('h')?.parse().ok()).collect();
    assert!(levels.first() == Some(&1) && levels.windows(2).all(|two| two[1] <= two[0] + 1), "{levels:?}");
}

#[test]
fn a_deployment_of_which_nothing_is_known_has_a_page() {
    let mut empty = filled("x");
    (empty.running, empty.trouble) = (None, None);
    empty.next.clear();
    (empty.nodes, empty.buses, empty.runs, empty.missing) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    (empty.health.rows, empty.health.issues, empty.health.looks) = (Vec::new(), Vec::new(), Vec::new());
    let html = page(&empty).unwrap();
    assert!(html.contains("Nothing has been logged yet") && !html.contains("Not included"));
    skeleton(&html);
}

/// Relative luminance as WCAG 2 defines it.
fn luminance(hex: &str) -> f64 {
    let part = |at: usize| {
        let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

#[test]
fn every_text_stands_out_in_every_scheme() {
    let schemes: Vec<_> = STYLE.split(":root {").skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
    assert_eq!(schemes.len(), 2, "light, which paper has too, and dark");
    for scheme in schemes {
        let color = |name: &str| {
            let (_, rest) = scheme.split_once(&format!("--{name}: ")).unwrap_or_else(|| panic!("{name}"));
            luminance(&rest[..7])
        };
        let contrast = |one: &str, other: &str| {
            let (one, other) = (color(one), color(other));
            (one.max(other) + 0.05) / (one.min(other) + 0.05)
        };
        for tone in ["good", "warning", "bad", "active", "quiet"] {
            let soft = format!("{tone}-soft");
            for (text, ground) in
                [(tone, "surface"), (tone, soft.as_str()), ("text", soft.as_str()), ("muted", soft.as_str())]
            {
                assert!(contrast(text, ground) >= 4.5, "{text} on {ground}: {:.2}", contrast(text, ground));
            }
            let bar = contrast(&format!("{tone}-bar"), "surface");
            assert!(bar >= 3.0, "the bar {tone}: {bar:.2}");
        }
        for text in ["text", "muted", "link", "public", "private", "overlay"] {
            for ground in ["page", "surface"] {
                assert!(contrast(text, ground) >= 4.5, "{text} on {ground}: {:.2}", contrast(text, ground));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_text_changes_what_the_page_is_made_of(text in "[ -~<>&\"'`{}%é\u{202e}]{1,60}") {
        let expected = skeleton(&page(&filled("x")).unwrap());
        prop_assert_eq!(skeleton(&page(&filled(&text)).unwrap()), expected);
    }
}
