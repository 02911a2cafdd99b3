//! The tool's one printer. Everything goes to stderr, so that stdout belongs to what it starts.

/// Prints one line.
#[expect(clippy::print_stderr, reason = "the one place of this tool that prints")]
pub(crate) fn line(text: &str) {
    eprintln!("{text}");
}

/// Prints the heading of a step.
pub(crate) fn heading(text: &str) {
    line(&format!("\n== {text}"));
}
