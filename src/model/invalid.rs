/// A value that people chose and that is none of the possible ones. `error` makes a usage error
/// of it; modules that don't know `error` return this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidValue {
    /// The flag or variable: `--db-version`.
    pub flag: String,
    pub value: String,
    /// What is possible: "one of default, rehearsal".
    pub allowed: String,
    pub suggestion: Option<String>,
}
