//! What a parser says of a text: it quotes the value that it does not take, however long that is.

use std::fmt::Display;

/// Characters of its beginning, which tells what is wrong, and of its end, which tells where.
const BEGINNING: usize = 200;
const END: usize = 60;

/// The parser's words, with the middle of a long text left out.
pub fn parse_error(error: &impl Display) -> String {
    let text = error.to_string();
    let count = text.chars().count();
    if count <= BEGINNING + END {
        return text;
    }
    let (beginning, end) = (text.chars().take(BEGINNING), text.chars().skip(count - END));
    beginning.chain(['…']).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_value_the_place_is_still_told() {
        let text = format!("\"{}\"", "ä".repeat(100_000));
        let error = parse_error(&serde_json::from_str::<u32>(&text).unwrap_err());
        assert!(error.starts_with("invalid type: string \"ää") && error.len() < 1000, "{error}");
        assert!(error.ends_with("at line 1 column 200002"), "{error}");
        assert_eq!(parse_error(&"short"), "short");
    }
}
