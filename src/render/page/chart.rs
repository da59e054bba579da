//! Bars in per cent of the operation's duration, so that the image is as wide as the page; heights in pixels.

use serde::Serialize;

use super::content::{Run, Tone};
use super::words::{duration, short};

/// A step's and a node's row, and what is below the last one.
const STEP: u32 = 38;
const NODE: u32 = 28;
const AXIS: u32 = 22;
/// What lasts no time can still be seen; per cent.
const LEAST: f64 = 0.5;
/// A step's and a node's fit beside a duration on a telephone.
const LABEL: usize = 34;
const NODE_LABEL: usize = 38;

#[derive(Debug, Serialize)]
pub(super) struct Chart<'a> {
    height: u32,
    /// Where the bars end and the axis begins.
    axis: u32,
    /// The duration of half of it, and of all.
    half: String,
    whole: String,
    rows: Vec<Row<'a>>,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    /// Its upper edge.
    y: u32,
    /// A node's, below its step's.
    is_node: bool,
    /// A step, or a node with what it did.
    label: String,
    took: String,
    /// All of it in words.
    words: String,
    tone: Tone,
    /// Per cent.
    from: String,
    width: String,
    step: &'a str,
    node: &'a str,
    starts: String,
    outcome: &'a str,
    detail: &'a str,
}

impl<'a> Chart<'a> {
    pub fn of(run: &'a Run) -> Chart<'a> {
        let total = run.total_ms.max(1);
        let mut rows = Vec::new();
        let mut y = 0;
        for step in &run.steps {
            let title = step.title.as_str();
            let words = format!("{title}: {}, {}", step.outcome, duration(step.ms));
            rows.push(Row {
                y,
                is_node: false,
                label: short(title, LABEL),
                took: duration(step.ms),
                words,
                tone: step.tone,
                from: percent(step.from_ms, total),
                width: width(step.from_ms, step.ms, total),
                step: title,
                node: "",
                starts: starts(step.from_ms),
                outcome: &step.outcome,
                detail: step.detail.as_deref().unwrap_or_default(),
            });
            y += STEP;
            for node in &step.nodes {
                let label = format!("{}: {}", node.node, node.words);
                rows.push(Row {
                    y,
                    is_node: true,
                    took: duration(node.ms),
                    words: format!("{title}, {label}, {}", duration(node.ms)),
                    label: short(&label, NODE_LABEL),
                    tone: node.tone,
                    from: percent(node.from_ms, total),
                    width: width(node.from_ms, node.ms, total),
                    step: title,
                    node: &node.node,
                    starts: starts(node.from_ms),
                    outcome: &node.words,
                    detail: "",
                });
                y += NODE;
            }
        }
        Chart { height: y + AXIS, axis: y, half: duration(run.total_ms / 2), whole: duration(run.total_ms), rows }
    }
}

fn starts(ms: u64) -> String {
    if ms < 1000 { "at once".to_owned() } else { format!("after {}", duration(ms)) }
}

/// Exact enough: a pixel is a tenth of a per cent.
fn share(ms: u64, total: u64) -> f64 {
    (ms.min(total) as f64 / total as f64) * 100.0
}

fn percent(ms: u64, total: u64) -> String {
    format!("{:.2}", share(ms, total).min(100.0 - LEAST))
}

fn width(from: u64, ms: u64, total: u64) -> String {
    let from = share(from, total).min(100.0 - LEAST);
    format!("{:.2}", share(ms, total).max(LEAST).min(100.0 - from))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::content::{NodeSpan, Step};
    use super::*;

    fn run(total_ms: u64, from_ms: u64, ms: u64) -> Run {
        let node = NodeSpan { node: "n11".into(), tone: Tone::Good, words: "2 tasks".into(), from_ms, ms };
        let step = Step {
            title: "set up nodes".into(),
            tone: Tone::Good,
            outcome: "done".into(),
            from_ms,
            ms,
            detail: None,
            nodes: vec![node],
            more_nodes: 0,
        };
        Run {
            operation: "deploy".into(),
            started: String::new(),
            tone: Tone::Good,
            outcome: String::new(),
            total_ms,
            steps: vec![step],
            not_reached: Vec::new(),
            notes: Vec::new(),
            more_notes: 0,
        }
    }

    #[test]
    fn a_bar_is_where_its_time_was() {
        let run = run(200_000, 50_000, 100_000);
        let chart = Chart::of(&run);
        let rows: Vec<_> = chart.rows.iter().map(|row| (row.y, &row.from[..], &row.width[..], &row.took[..])).collect();
        assert_eq!(rows, [(0, "25.00", "50.00", "1 min 40 s"), (STEP, "25.00", "50.00", "1 min 40 s")]);
        assert_eq!((chart.half.as_str(), chart.whole.as_str()), ("1 min 40 s", "3 min 20 s"));
        assert_eq!(chart.rows[1].words, "set up nodes, n11: 2 tasks, 1 min 40 s");
    }

    proptest! {
        #[test]
        fn no_bar_leaves_the_chart(total: u64, from: u64, ms: u64) {
            let run = run(total, from, ms);
            for row in Chart::of(&run).rows {
                let (from, width): (f64, f64) = (row.from.parse().unwrap(), row.width.parse().unwrap());
                prop_assert!(from >= 0.0 && width > 0.0 && from + width <= 100.02, "{from} {width}");
            }
        }
    }
}
