use super::closest;

/// A value that people chose and that is none of the possible ones. `error` makes a usage error
/// of it; modules that don't know `error` return this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidValue {
    /// The flag or variable: `--db-version`.
    pub flag: String,
    pub value: String,
    /// What is wrong, said of the value: "must be one of default, rehearsal".
    pub problem: String,
    pub suggestion: Option<String>,
}

impl InvalidValue {
    pub fn new(flag: impl Into<String>, value: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { flag: flag.into(), value: value.into(), problem: problem.into(), suggestion: None }
    }

    /// The answer to a `value` that is none of `names`; suggests the nearest.
    pub fn none_of<N: AsRef<str>>(flag: &str, value: &str, names: &[N]) -> Self {
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        Self {
            flag: flag.to_owned(),
            value: value.to_owned(),
            problem: format!("must be one of {}", names.join(", ")),
            suggestion: closest(value, names.iter().copied()),
        }
    }

    /// What is possible beside the names: ", or any release".
    pub fn also(mut self, more: &str) -> Self {
        self.problem.push_str(more);
        self
    }
}
