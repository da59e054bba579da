/// The outcome of asking a person for a line.
#[derive(Debug)]
pub enum Input {
    /// Without its end; several lines if they were pasted or recalled together.
    Line(String),
    /// Ctrl-C: whatever was typed so far does not count.
    Cancelled,
    /// Ctrl-D, or nobody is there any more.
    End,
    /// A signal that ends processes.
    Signalled,
    Failed(std::io::Error),
}
