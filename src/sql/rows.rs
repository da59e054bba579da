//! Result sets: they come column by column, as JSON values, and leave as rows.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::fault::Fault;
use crate::model::parse_error;

/// A column of cells as they came: numbers are not parsed yet, so that none loses digits.
type Cells = Vec<Box<RawValue>>;

#[derive(Debug, Deserialize)]
pub(super) struct Results {
    pub(super) results: Vec<StatementResult>,
}

/// The answer to one statement: exactly one of the two is there. (A tagged enum would not do:
/// serde buffers its content, and a buffered number has lost its digits.)
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatementResult {
    pub(super) row_count: Option<u64>,
    pub(super) result_set: Option<ResultSet>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResultSet {
    /// Set when there is more to fetch: from 1000 rows on.
    pub(super) result_set_handle: Option<i64>,
    pub(super) num_rows: u64,
    pub(super) columns: Vec<Column>,
    #[serde(default)]
    pub(super) data: Vec<Cells>,
}

/// The answer to a fetch.
#[derive(Debug, Deserialize)]
pub(super) struct Fetched {
    #[serde(default)]
    pub(super) data: Vec<Cells>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Column {
    pub(super) name: String,
    data_type: DataType,
}

#[derive(Debug, Deserialize)]
struct DataType {
    #[serde(rename = "type")]
    name: String,
}

/// Adds a block of columns to `rows`; returns how many rows it had.
pub(super) fn append(columns: &[Column], data: &[Cells], rows: &mut Vec<Vec<Value>>) -> Result<usize, Fault> {
    let height = data.first().map_or(0, Vec::len);
    if height == 0 {
        return Ok(0);
    }
    if data.len() != columns.len() || data.iter().any(|cells| cells.len() != height) {
        return Err(Fault::Broken("the result's columns do not fit together".into()));
    }
    for row in 0..height {
        let cells = columns.iter().zip(data).filter_map(|(column, cells)| Some((column, cells.get(row)?)));
        rows.push(cells.map(|(column, cell)| value(column, cell)).collect::<Result<_, _>>()?);
    }
    Ok(height)
}

fn value(column: &Column, cell: &RawValue) -> Result<Value, Fault> {
    let text = cell.get();
    match text.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => Ok(number(column, text)),
        Some(b'{' | b'[') => {
            Err(Fault::Broken(format!("column {} has a value of an unexpected kind", parse_error(&column.name))))
        }
        _ => serde_json::from_str(text)
            .map_err(|error| Fault::Broken(format!("column {}: {error}", parse_error(&column.name)))),
    }
}

/// A number, if it stays exactly what it was; else its digits as text. A DECIMAL has up to 36
/// digits, a JSON number here 15 that are certain.
fn number(column: &Column, digits: &str) -> Value {
    let whole = digits.parse::<i64>().map(Value::from).or_else(|_| digits.parse::<u64>().map(Value::from));
    if let Ok(whole) = whole {
        return whole;
    }
    let exact = column.data_type.name == "DOUBLE" || significant(digits) <= 15;
    let float = digits.parse().ok().filter(|_| exact).and_then(serde_json::Number::from_f64);
    float.map_or_else(|| Value::from(digits), Value::Number)
}

fn significant(digits: &str) -> usize {
    let mantissa = digits.split(['e', 'E']).next().unwrap_or(digits);
    let all: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    all.trim_start_matches('0').len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::protocol::content;
    use super::*;

    fn rows(answer: &str) -> Result<Vec<Vec<Value>>, Fault> {
        let results: Results = content(answer)?;
        let result_set = results.results.into_iter().next().unwrap().result_set.unwrap();
        let mut rows = Vec::new();
        append(&result_set.columns, &result_set.data, &mut rows)?;
        Ok(rows)
    }

    fn column(kind: &str) -> Column {
        Column { name: "C".into(), data_type: DataType { name: kind.into() } }
    }

    #[test]
    fn the_recorded_answer_to_select_1_is_one_row() {
        let answer = r#"{"status":"ok","responseData":{"numResults":1,"results":[{"resultType":"resultSet","resultSet":{
            "numColumns":1,"numRows":1,"numRowsInMessage":1,
            "columns":[{"name":"1","dataType":{"type":"DECIMAL","precision":1,"scale":0}}],"data":[[1]]}}]}}"#;
        assert_eq!(rows(answer).unwrap(), [[json!(1)]]);
    }

    #[test]
    fn the_recorded_answer_without_rows_is_a_count() {
        let answer =
            r#"{"status":"ok","responseData":{"numResults":1,"results":[{"resultType":"rowCount","rowCount":0}]}}"#;
        let results: Results = content(answer).unwrap();
        assert!(matches!(results.results[..], [StatementResult { row_count: Some(0), result_set: None }]));
    }

    #[test]
    fn columns_become_rows_and_an_empty_result_has_none() {
        let table = |data: &str| {
            format!(
                r#"{{"status":"ok","responseData":{{"numResults":1,"results":[{{"resultType":"resultSet","resultSet":{{
                "numColumns":2,"numRows":2,"columns":[{{"name":"A","dataType":{{"type":"DECIMAL"}}}},
                {{"name":"B","dataType":{{"type":"VARCHAR","size":10,"characterSet":"UTF8"}}}}],"data":{data}}}}}]}}}}"#
            )
        };
        assert_eq!(rows(&table(r#"[[1,2],["x",null]]"#)).unwrap(), [[json!(1), json!("x")], [json!(2), Value::Null]]);
        assert!(rows(&table("[[],[]]")).unwrap().is_empty());
        assert!(rows(&table("[]")).unwrap().is_empty());
        for misfit in [r#"[[1,2],["x"]]"#, "[[1,2]]", "[[1],[2],[3]]", "[[{}],[1]]", "[[1],[[]]]"] {
            assert!(matches!(rows(&table(misfit)), Err(Fault::Broken(_))), "{misfit}");
        }
    }

    #[test]
    fn no_digit_of_a_decimal_is_lost() {
        let decimal = |digits| number(&column("DECIMAL"), digits);
        assert_eq!(decimal("-42"), json!(-42));
        assert_eq!(decimal("18446744073709551615"), json!(u64::MAX));
        assert_eq!(decimal("2.75"), json!(2.75));
        assert_eq!(decimal("1234567890123456.78"), json!("1234567890123456.78"));
        assert_eq!(decimal("123456789012345678901234567890"), json!("123456789012345678901234567890"));
        assert_eq!(number(&column("DOUBLE"), "0.30000000000000004"), json!(0.30000000000000004));
        assert_eq!(number(&column("DOUBLE"), "1e999"), json!("1e999"));
    }

    proptest! {
        #[test]
        fn a_decimal_prints_as_the_number_that_it_was(whole in -999_999_999_999i64..999_999_999_999, part in 0u32..1000) {
            let digits = format!("{whole}.{part:03}");
            let shown = number(&column("DECIMAL"), &digits).to_string();
            prop_assert_eq!(shown.parse::<f64>().unwrap(), digits.parse::<f64>().unwrap());
            prop_assert!(shown.len() <= digits.len());
        }
    }

    #[test]
    fn fuzz_sql_answers() {
        let seeds = [
            r#"{"status":"ok","responseData":{"numResults":1,"results":[{"resultType":"resultSet","resultSet":{
                "resultSetHandle":3,"numColumns":2,"numRows":2,"numRowsInMessage":2,
                "columns":[{"name":"A","dataType":{"type":"DECIMAL","precision":1,"scale":0}},
                {"name":"B","dataType":{"type":"VARCHAR"}}],"data":[[1,-2.5e7],["x",null]]}}]}}"#,
            r#"{"status":"ok","responseData":{"numResults":1,"results":[{"resultType":"rowCount","rowCount":0}]}}"#,
            r#"{"status":"error","exception":{"text":"authentication failed.","sqlCode":"08004"}}"#,
            r#"{"status":"ok","responseData":{"sessionId":1827369127369127369,"protocolVersion":3,
                "releaseVersion":"2025.1.8","databaseName":"Exasol","productName":"EXASolution","timeZone":"UTC"}}"#,
        ];
        crate::fuzz::text_target("sql-answers", &seeds, |text| {
            let shown = |fault: Fault| assert!(format!("{fault:?}").len() < 50_000, "no answer is shown in full");
            let _ = content::<super::super::login::ServerInfo>(text);
            let _ = content::<Fetched>(text);
            let results: Results = match content(text) {
                Ok(results) => results,
                Err(fault) => return shown(fault),
            };
            for set in results.results.into_iter().filter_map(|result| result.result_set) {
                append(&set.columns, &set.data, &mut Vec::new()).map_or_else(shown, drop);
            }
        });
    }
}
