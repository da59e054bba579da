//! Rows below headings, without lines around them, made to fit the terminal: pure.
//!
//! What does not fit gives way in this order: paths lose their middle, sentences are wrapped, columns that matter least
//! go, and in the end every row becomes a block of `HEADING  value` lines. Without a width everything is shown in full.

use textwrap::core::display_width;

use super::style::{Paint, Tone};
use super::words;

/// Space between two columns.
const GAP: usize = 2;
/// A path is not shortened below this.
const PATH_LEAST: usize = 16;
/// Sentences are not wrapped narrower than this.
const PROSE_LEAST: usize = 20;

/// A column's heading, and how its cells are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column<'a> {
    pub heading: &'a str,
    /// Cells lean to the right: numbers.
    right: bool,
    /// Cells are paths, of which the middle may be left out.
    path: bool,
    /// Cells are sentences, which may be wrapped. Only the last column can be.
    prose: bool,
    /// Columns with a higher rank are dropped first; 0 stays.
    rank: u8,
}

impl<'a> Column<'a> {
    pub fn left(heading: &'a str) -> Self {
        Self { heading, right: false, path: false, prose: false, rank: 0 }
    }

    pub fn right(heading: &'a str) -> Self {
        Self { right: true, ..Self::left(heading) }
    }

    pub fn path(heading: &'a str) -> Self {
        Self { path: true, ..Self::left(heading) }
    }

    pub fn prose(heading: &'a str) -> Self {
        Self { prose: true, ..Self::left(heading) }
    }

    /// The same column with another heading.
    pub fn headed(self, heading: &str) -> Column<'_> {
        let Self { right, path, prose, rank, .. } = self;
        Column { heading, right, path, prose, rank }
    }

    /// It may be dropped where there is no room; what has a higher rank first.
    pub fn rank(self, rank: u8) -> Self {
        Self { rank, ..self }
    }
}

/// A clean text, in the color of what it means.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub text: String,
    pub tone: Option<Tone>,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, tone: None }
    }
}

impl Cell {
    pub fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone: Some(tone) }
    }
}

/// The lines of a table. `width`: columns of the terminal; None: as wide as it takes.
pub(super) fn lines(columns: &[Column], rows: &[Vec<Cell>], width: Option<usize>, paint: Paint) -> Vec<String> {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let mut rows = rows.to_vec();
    if let Some(width) = width {
        loop {
            let excess = total(columns, &rows, &shown).saturating_sub(width);
            if excess == 0
                || shorten_paths(columns, &mut rows, &shown, excess)
                || wrap_prose(columns, &mut rows, &shown, excess)
            {
                break;
            }
            let Some(least) = shown.iter().copied().filter(|i| columns[*i].rank > 0).max_by_key(|i| columns[*i].rank)
            else {
                return blocks(columns, &rows, &shown, paint);
            };
            shown.retain(|index| *index != least);
        }
    }
    let widths: Vec<_> = shown.iter().map(|index| column_width(columns, &rows, *index)).collect();
    let line = |cells: Vec<(String, usize, bool)>| {
        let mut line = String::new();
        for ((text, plain, right), width) in cells.iter().zip(&widths) {
            let pad = " ".repeat(width - plain);
            line.push_str(&if *right { format!("{pad}{text}") } else { format!("{text}{pad}") });
            line.push_str(&" ".repeat(GAP));
        }
        line.trim_end().to_owned()
    };
    let heading = |i: &usize| (columns[*i].heading.to_owned(), display_width(columns[*i].heading), columns[*i].right);
    let cell = |row: &[Cell], i: &usize| (painted(&row[*i], paint), display_width(&row[*i].text), columns[*i].right);
    std::iter::once(line(shown.iter().map(heading).collect()))
        .chain(rows.iter().map(|row| line(shown.iter().map(|i| cell(row, i)).collect())))
        .collect()
}

fn painted(cell: &Cell, paint: Paint) -> String {
    cell.tone.map_or_else(|| cell.text.clone(), |tone| paint.paint(tone, &cell.text))
}

fn column_width(columns: &[Column], rows: &[Vec<Cell>], index: usize) -> usize {
    let cells = rows.iter().map(|row| display_width(&row[index].text));
    cells.chain([display_width(columns[index].heading)]).max().unwrap_or(0)
}

fn total(columns: &[Column], rows: &[Vec<Cell>], shown: &[usize]) -> usize {
    let widths = shown.iter().map(|index| column_width(columns, rows, *index) + GAP);
    widths.sum::<usize>().saturating_sub(GAP)
}

/// Whether that is enough.
fn shorten_paths(columns: &[Column], rows: &mut [Vec<Cell>], shown: &[usize], excess: usize) -> bool {
    let Some(path) = shown.iter().copied().find(|index| columns[*index].path) else { return false };
    let now = column_width(columns, rows, path);
    let least = now.saturating_sub(excess);
    if least < PATH_LEAST {
        return false;
    }
    for row in rows.iter_mut() {
        row[path].text = without_middle(&row[path].text, least);
    }
    true
}

/// Sentences in the last column go on in rows of their own. Whether that is enough.
fn wrap_prose(columns: &[Column], rows: &mut Vec<Vec<Cell>>, shown: &[usize], excess: usize) -> bool {
    let Some(last) = shown.last().copied().filter(|index| columns[*index].prose) else { return false };
    let least = column_width(columns, rows, last).saturating_sub(excess);
    if least < PROSE_LEAST {
        return false;
    }
    let several = |row: Vec<Cell>| {
        let tone = row[last].tone;
        let lines = words::lines(&row[last].text, least, 0);
        let others = lines.iter().skip(1).map(|line| {
            let mut cells: Vec<_> = row.iter().map(|_| Cell::from(String::new())).collect();
            cells[last] = Cell { text: line.clone(), tone };
            cells
        });
        let others: Vec<_> = others.collect();
        let mut first = row;
        first[last].text = lines.first().cloned().unwrap_or_default();
        std::iter::once(first).chain(others)
    };
    *rows = std::mem::take(rows).into_iter().flat_map(several).collect();
    true
}

/// `~/clusters/…/prod`, at most so wide where that is possible.
fn without_middle(path: &str, width: usize) -> String {
    if display_width(path) <= width {
        return path.to_owned();
    }
    let keep = width.saturating_sub(1);
    let end: Vec<char> = path.chars().rev().scan(0, |used, c| take(used, c, keep - keep / 3)).collect();
    let start: String = path.chars().scan(0, |used, c| take(used, c, keep / 3)).collect();
    format!("{start}…{}", end.into_iter().rev().collect::<String>())
}

fn take(used: &mut usize, c: char, most: usize) -> Option<char> {
    *used += display_width(c.encode_utf8(&mut [0; 4]));
    (*used <= most).then_some(c)
}

/// Every row as lines of its own, for a terminal that is too narrow for the table.
fn blocks(columns: &[Column], rows: &[Vec<Cell>], shown: &[usize], paint: Paint) -> Vec<String> {
    let width = shown.iter().map(|index| display_width(columns[*index].heading)).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        if number > 0 {
            lines.push(String::new());
        }
        for index in shown.iter().filter(|index| !row[**index].text.is_empty()) {
            let heading = columns[*index].heading;
            let pad = " ".repeat(width - display_width(heading) + GAP);
            lines.push(format!("{heading}{pad}{}", painted(&row[*index], paint)).trim_end().to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(width: Option<usize>) -> String {
        let columns =
            [Column::left("NAME"), Column::right("NODES"), Column::left("NOTE").rank(1), Column::path("DIRECTORY")];
        let row = |cells: [&str; 4]| cells.map(|cell| Cell::from(cell.to_owned())).to_vec();
        let rows = [row(["duo", "2", "日本", "~/w/duo"]), row(["prod", "12", "x", "/srv/clusters/of/the/team/prod"])];
        lines(&columns, &rows, width, Paint::new(false)).join("\n")
    }

    #[test]
    fn what_fits_is_shown_in_full() {
        insta::assert_snapshot!(table(None), @r"
        NAME  NODES  NOTE  DIRECTORY
        duo       2  日本  ~/w/duo
        prod     12  x     /srv/clusters/of/the/team/prod
        ");
        assert_eq!(table(Some(49)), table(None));
    }

    #[test]
    fn paths_lose_their_middle_then_columns_go_and_then_the_table() {
        insta::assert_snapshot!(table(Some(40)), @r"
        NAME  NODES  NOTE  DIRECTORY
        duo       2  日本  ~/w/duo
        prod     12  x     /srv/c…/the/team/prod
        ");
        insta::assert_snapshot!(table(Some(30)), @r"
        NAME  NODES  DIRECTORY
        duo       2  ~/w/duo
        prod     12  /srv/…e/team/prod
        ");
        insta::assert_snapshot!(table(Some(20)), @r"
        NAME       duo
        NODES      2
        DIRECTORY  ~/w/duo

        NAME       prod
        NODES      12
        DIRECTORY  /srv/clusters/of/the/team/prod
        ");
    }

    #[test]
    fn sentences_in_the_last_column_are_wrapped() {
        let columns = [Column::left("NAME"), Column::left("ARCH"), Column::prose("REMARK")];
        let row = |cells: [&str; 3]| cells.map(|cell| Cell::from(cell.to_owned())).to_vec();
        let rows = [
            row(["default", "x86_64", "the newest release that was tested with this version"]),
            row(["2025.1", "x86_64", "-"]),
        ];
        insta::assert_snapshot!(lines(&columns, &rows, Some(40), Paint::new(false)).join("\n"), @r"
        NAME     ARCH    REMARK
        default  x86_64  the newest release that
                         was tested with this
                         version
        2025.1   x86_64  -
        ");
    }
}
