//! `sql`: a result set as a table, as JSON or as CSV.

use serde_json::Value;

use crate::model::SqlReport;
use crate::ui::page::{Column, Page};
use crate::ui::style::count;

use super::Report;

impl Report for SqlReport {
    fn text(&self, page: &mut Page) {
        if self.columns.is_empty() {
            let rows = usize::try_from(self.row_count.unwrap_or(0)).unwrap_or(usize::MAX);
            return page.line(&format!("{} affected", count(rows, "row")));
        }
        let columns: Vec<_> = self.columns.iter().enumerate().map(|(index, name)| column(self, index, name)).collect();
        let rows: Vec<Vec<_>> =
            self.rows.iter().map(|row| row.iter().map(|value| cell(value, "NULL")).collect()).collect();
        page.table(&columns, &rows);
        page.line(&format!("({})", count(self.rows.len(), "row")));
    }
}

/// Numbers lean to the right, with their heading.
fn column<'a>(report: &'a SqlReport, index: usize, name: &'a str) -> Column<'a> {
    let mut values = report.rows.iter().filter_map(|row| row.get(index)).filter(|value| !value.is_null()).peekable();
    let numbers = values.peek().is_some() && values.all(Value::is_number);
    if numbers { Column::right(name) } else { Column::left(name) }
}

/// CSV as in RFC 4180, but lines end with a line feed only: a header, then the rows. NULL is
/// empty, an empty text is `""`. Empty for a statement without rows.
pub(in crate::ui) fn csv(report: &SqlReport) -> String {
    if report.columns.is_empty() {
        return String::new();
    }
    let header = report.columns.iter().map(|name| quoted(name));
    let rows = report.rows.iter().map(|row| row.iter().map(csv_cell).collect::<Vec<_>>().join(","));
    let mut text = header.collect::<Vec<_>>().join(",");
    text.push('\n');
    for row in rows {
        text.push_str(&row);
        text.push('\n');
    }
    text
}

fn csv_cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        value => quoted(&cell(value, "")),
    }
}

fn quoted(text: &str) -> String {
    let plain = !text.is_empty() && !text.contains([',', '"', '\n', '\r']) && text.trim() == text;
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

fn cell(value: &Value, null: &str) -> String {
    match value {
        Value::Null => null.to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "TRUE".to_owned(),
        Value::Bool(false) => "FALSE".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn csv_keeps_null_and_empty_apart_and_quotes_what_must_be() {
        let report = SqlReport {
            columns: vec!["A".into(), "B,C".into(), "".into()],
            rows: vec![
                vec![json!(1.50), json!(null), json!("")],
                vec![json!("x\ny"), json!("say \"hi\""), json!(true)],
                vec![json!(" a "), json!("12345678901234567890123"), json!(0)],
            ],
            row_count: None,
        };
        assert_eq!(
            csv(&report),
            "A,\"B,C\",\"\"\n1.5,,\"\"\n\"x\ny\",\"say \"\"hi\"\"\",TRUE\n\" a \",12345678901234567890123,0\n"
        );
    }

    #[test]
    fn a_statement_without_rows_has_no_csv() {
        assert_eq!(csv(&SqlReport { columns: vec![], rows: vec![], row_count: Some(3) }), "");
    }
}
