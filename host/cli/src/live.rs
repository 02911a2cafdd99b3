//! Lines at the end of a terminal that are written over.
//!
//! Each line ends in a newline and never reaches the last column, so that a terminal which gets another size breaks or joins
//! no two of them, and the cursor waits below them at the start of a line for whatever is printed next.

/// The width and height of a terminal that tells none.
const USUAL: Size = Size { columns: 80, rows: 24 };

/// A terminal's size in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

impl Size {
    /// The size of the terminal that standard error is.
    pub(crate) fn of_stderr() -> Self {
        match rustix::termios::tcgetwinsize(rustix::stdio::stderr()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Self {
                columns: usize::from(size.ws_col),
                rows: usize::from(size.ws_row),
            },
            _ => USUAL,
        }
    }
}

/// The lines that stand on the terminal now.
#[derive(Debug, Default)]
pub(crate) struct LiveLines {
    lines: Vec<String>,
}

impl LiveLines {
    /// Other lines from now on.
    pub(crate) fn set(&mut self, lines: Vec<String>) {
        self.lines = lines;
    }

    /// What draws the lines: as many as there is room for, each cut before the last column.
    pub(crate) fn draw(&mut self, size: Size) -> String {
        self.lines.truncate(size.rows.saturating_sub(1));
        let mut text = String::new();
        for line in &mut self.lines {
            *line = line.chars().take(size.columns.saturating_sub(1)).collect();
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// What takes the lines off the terminal again, which may have become narrower and then shows them on more rows.
    pub(crate) fn erase(&self, size: Size) -> String {
        let rows = |line: &String| line.chars().count().div_ceil(size.columns.max(1)).max(1);
        match self.lines.iter().map(rows).sum::<usize>() {
            0 => String::new(),
            // Up to the first row, to its start, and clear to the end of the screen.
            rows => format!("\x1b[{rows}A\r\x1b[J"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> LiveLines {
        LiveLines {
            lines: lines.iter().map(|&line| line.to_owned()).collect(),
        }
    }

    #[test]
    fn lines_are_cut_to_the_terminal() {
        for (columns, rows, expected) in [
            (80, 24, "one line\ntwo\n"),
            (8, 24, "one lin\ntwo\n"),
            (80, 2, "one line\n"),
            (1, 1, ""),
        ] {
            let drawn = lines(&["one line", "two"]).draw(Size { columns, rows });
            assert_eq!(drawn, expected, "{columns} x {rows}");
        }
    }

    #[test]
    fn every_row_is_erased_also_of_a_terminal_that_became_narrower() {
        for (columns, expected) in [(80, "\x1b[2A\r\x1b[J"), (8, "\x1b[2A\r\x1b[J"), (3, "\x1b[4A\r\x1b[J")] {
            let erased = lines(&["one line", "two"]).erase(Size { columns, rows: 24 });
            assert_eq!(erased, expected, "{columns}");
        }
        assert_eq!(lines(&[]).erase(USUAL), "");
    }
}
