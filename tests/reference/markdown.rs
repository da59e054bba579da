//! The few forms of Markdown that the pages have.

/// A table; cells may hold any text of one line.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(heads.iter().map(|head| (*head).to_owned()).collect());
    text += &line(heads.iter().map(|_| "---".to_owned()).collect());
    rows.iter().for_each(|row| text += &line(row.iter().map(|cell| escaped(cell)).collect()));
    text + "\n"
}

/// In a table a pipe ends the cell, also between backticks.
fn escaped(cell: &str) -> String {
    cell.replace('\n', " ").replace('|', "\\|")
}

pub(super) fn code(text: &str) -> String {
    format!("`{text}`")
}

/// Code for each, with commas.
pub(super) fn codes<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> String {
    texts.into_iter().map(|text| code(text.as_ref())).collect::<Vec<_>>().join(", ")
}

/// Text whose angle brackets and asterisks are no Markdown; what stands between backticks stays.
pub(super) fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(at, part)| match at % 2 {
        0 => part.replace('<', "&lt;").replace('*', "\\*").replace("[`", "`"),
        _ => format!("`{part}`"),
    });
    parts.collect()
}
