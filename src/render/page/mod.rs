//! Pure: what is known of a deployment, as one HTML page that needs nothing else: no network, no script,
//! no font. It follows the reader's color scheme, and fits a telephone, a wide screen and paper.
//!
//! | file | concept |
//! | --- | --- |
//! | `mod` | [`page`]: from a [`Page`] to HTML |
//! | `content` | [`Page`]: everything that is shown, as plain data |
//! | `card` | where everything is in the picture of a node |
//! | `chart` | where everything is in the timeline of an operation |
//! | `words` | durations and times in plain words |
//! | `page.html`, `style.css` | the structure, and the look |
//!
//! Texts come from machines and people: the template escapes all of them, and a policy in the page forbids
//! everything but the one style sheet. Taking secrets out is not done here: a [`Page`] has none.

mod card;
mod chart;
mod content;
mod words;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tera::{Context, Tera};

pub use content::{
    Answer, Bus, BusKind, Component, Fact, Health, Issue, LayerRow, Look, NodeBox, NodeSpan, Note, Page, Run, Step,
    Tone, Trouble,
};
pub use words::{duration, moment};

use crate::error::{Error, Result};
use card::Card;
use chart::Chart;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
/// Only what ends so is escaped.
const NAME: &str = "page.html";

/// The rows of a table that are shown without a click.
const OPEN_ROWS: usize = 12;

/// An operation, and where its bars are.
#[derive(Serialize)]
struct Drawn<'a> {
    run: &'a Run,
    chart: Chart<'a>,
}

/// The page as UTF-8 text.
pub fn page(page: &Page) -> Result<String> {
    let broken = |error: tera::Error| Error::Other(anyhow::Error::new(error).context("the report's template"));
    let mut tera = Tera::default();
    tera.autoescape_on(vec![".html"]);
    tera.add_raw_template(NAME, TEMPLATE).map_err(broken)?;
    let runs: Vec<_> = page.runs.iter().map(|run| Drawn { run, chart: Chart::of(run) }).collect();
    let mut context = Context::new();
    context.insert("page", page);
    context.insert("cards", &Card::all(&page.nodes, &page.buses));
    context.insert("runs", &runs);
    context.insert("fold_layers", &(page.health.rows.len() > OPEN_ROWS));
    context.insert("style", STYLE);
    context.insert("policy", &policy());
    tera.render(NAME, &context).map_err(broken)
}

/// Nothing may be fetched, run, sent or framed; the one style is named by its hash.
fn policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
}

#[cfg(test)]
mod tests;
