//! The only place that writes to standard output and standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;

use crate::live::{LiveLines, Size};
use crate::quote::quoted;

/// The reader of standard output went away, which is no failure of ours.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("standard output was closed")]
pub(crate) struct OutputClosed;

/// Severity of a message on standard error, named as logrus names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Debug,
    Info,
    Warning,
    Error,
    Fatal,
}

impl Level {
    /// The word in a line that is not for a terminal.
    fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }

    /// The four letters and their colour on a terminal.
    fn badge(self) -> (&'static str, u8) {
        match self {
            Self::Debug => ("DEBU", 37),
            Self::Info => ("INFO", 36),
            Self::Warning => ("WARN", 33),
            Self::Error => ("ERRO", 31),
            Self::Fatal => ("FATA", 31),
        }
    }
}

/// What a terminal can do.
#[derive(Clone, Copy, Debug)]
struct Terminal {
    /// Colours, unless `NO_COLOR` says otherwise (no-color.org).
    colours: bool,
    /// Lines that are written over, which a dumb terminal has not.
    moves: bool,
    /// Its size, which may change at any time.
    size: fn() -> Size,
}

impl Terminal {
    fn of_process() -> Self {
        let moves = std::env::var_os("TERM").is_none_or(|name| name != "dumb");
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            colours: moves && wanted,
            moves,
            size: Size::of_stderr,
        }
    }
}

/// Where the lines of a report go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Stdout,
    Stderr,
    Nowhere,
}

/// Writes results, reports and messages; clones share one output.
#[derive(Clone)]
pub(crate) struct Printer {
    inner: Arc<Inner>,
}

struct Inner {
    started: Instant,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
    /// What the terminal and its user let us do with it.
    terminal: Terminal,
    stdout: Mutex<Box<dyn Write + Send>>,
    stderr: Mutex<Box<dyn Write + Send>>,
    /// The last lines on the terminal, which a message must not tear.
    live: Mutex<LiveLines>,
}

impl Printer {
    /// A printer to the process's own streams.
    pub(crate) fn to_process() -> Self {
        Self::new(
            (Box::new(io::stdout()), io::stdout().is_terminal()),
            (Box::new(io::stderr()), io::stderr().is_terminal()),
            Terminal::of_process(),
        )
    }

    fn new(
        (stdout, stdout_is_terminal): (Box<dyn Write + Send>, bool),
        (stderr, stderr_is_terminal): (Box<dyn Write + Send>, bool),
        terminal: Terminal,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                started: Instant::now(),
                stdout_is_terminal,
                stderr_is_terminal,
                terminal,
                stdout: Mutex::new(stdout),
                stderr: Mutex::new(stderr),
                live: Mutex::default(),
            }),
        }
    }

    /// Writes what the command was asked for to standard output.
    pub(crate) fn result(&self, bytes: impl AsRef<[u8]>) -> anyhow::Result<()> {
        match write_to(&self.inner.stdout, bytes.as_ref()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(OutputClosed.into()),
            Err(error) => Err(anyhow::Error::new(error).context("writing to standard output")),
            Ok(()) => Ok(()),
        }
    }

    /// Writes an object as JSON, indented as skopeo indents it, and a newline.
    pub(crate) fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        let mut text = longshore_types::json::to_vec_pretty(value)?;
        text.push(b'\n');
        self.result(text)
    }

    /// Writes one line of a report.
    ///
    /// A report is a courtesy: that nobody reads it any more, or that its disk
    /// is full, does not stop the work.
    pub(crate) fn report(&self, report: Report, line: &str) {
        let line = format!("{line}\n");
        let _ = match report {
            Report::Stdout => self.around_live(|| write_to(&self.inner.stdout, line.as_bytes())),
            Report::Stderr => self.around_live(|| write_to(&self.inner.stderr, line.as_bytes())),
            Report::Nowhere => Ok(()),
        };
    }

    /// Writes text that belongs to an error, such as a command's usage.
    pub(crate) fn explain(&self, text: &str) {
        let _ = self.around_live(|| write_to(&self.inner.stderr, text.as_bytes()));
    }

    /// Writes a message in the form of skopeo's log lines.
    pub(crate) fn message(&self, level: Level, message: impl Display) {
        let message = message.to_string();
        let line = if self.inner.stderr_is_terminal {
            let (badge, colour) = level.badge();
            let seconds = self.inner.started.elapsed().as_secs();
            let badge = if self.inner.terminal.colours {
                format!("\x1b[{colour}m{badge}\x1b[0m")
            } else {
                badge.to_owned()
            };
            format!("{badge}[{seconds:04}] {}\n", printable(&message))
        } else {
            format!(
                "time={} level={} msg={}\n",
                quoted(&now()),
                level.word(),
                quoted_if_needed(&message)
            )
        };
        let _ = self.around_live(|| write_to(&self.inner.stderr, line.as_bytes()));
    }

    /// Whether `report` ends on a terminal.
    pub(crate) fn is_terminal(&self, report: Report) -> bool {
        match report {
            Report::Stdout => self.inner.stdout_is_terminal,
            Report::Stderr => self.inner.stderr_is_terminal,
            Report::Nowhere => false,
        }
    }

    /// How many columns lines have that are written over on standard error; none if it is no terminal that can do that.
    pub(crate) fn live_columns(&self) -> Option<usize> {
        let able = self.inner.stderr_is_terminal && self.inner.terminal.moves;
        able.then(|| (self.inner.terminal.size)().columns)
    }

    /// Replaces the lines that are written over, on a terminal that [can do that](Self::live_columns), and leaves `lasting`
    /// above them.
    pub(crate) fn live(&self, lasting: Option<&str>, lines: Vec<String>) {
        let lasting = lasting.map(|line| format!("{line}\n")).unwrap_or_default();
        let mut live = self.inner.live.lock().unwrap_or_else(PoisonError::into_inner);
        let size = (self.inner.terminal.size)();
        let erased = live.erase(size);
        live.set(lines);
        let text = format!("{erased}{lasting}{}", live.draw(size));
        if !text.is_empty() {
            let _ = write_to(&self.inner.stderr, text.as_bytes());
        }
    }

    /// Runs `write` while the lines that are written over are off the terminal.
    fn around_live<T>(&self, write: impl FnOnce() -> T) -> T {
        let mut live = self.inner.live.lock().unwrap_or_else(PoisonError::into_inner);
        let size = (self.inner.terminal.size)();
        let erased = live.erase(size);
        if erased.is_empty() {
            return write();
        }
        let _ = write_to(&self.inner.stderr, erased.as_bytes());
        let written = write();
        let _ = write_to(&self.inner.stderr, live.draw(size).as_bytes());
        written
    }
}

/// Writes all of `bytes` and makes sure that they leave the process.
fn write_to(stream: &Mutex<Box<dyn Write + Send>>, bytes: &[u8]) -> io::Result<()> {
    let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
    stream.write_all(bytes)?;
    stream.flush()
}

/// The local time in RFC 3339.
fn now() -> String {
    let time = jiff::ZonedDateTime::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    match time.strip_suffix("+00:00") {
        Some(utc) => format!("{utc}Z"),
        None => time,
    }
}

/// logrus quotes a value only when it has something to quote.
fn quoted_if_needed(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/@^+".contains(c);
    if text.is_empty() || text.chars().all(plain) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// `text` with control characters shown, not obeyed: parts of a message come
/// from registries and files that others wrote.
fn printable(text: &str) -> String {
    let harmless = |c: char| c == '\n' || c == '\t' || !c.is_control();
    text.chars()
        .map(|c| {
            if harmless(c) {
                c.to_string()
            } else {
                c.escape_default().to_string()
            }
        })
        .collect()
}

/// Printers whose output a test can read.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A terminal that can do everything.
    fn terminal() -> Terminal {
        Terminal {
            colours: true,
            moves: true,
            size: || Size { columns: 80, rows: 24 },
        }
    }

    /// What was written to one stream.
    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Memory {
        fn text(&self) -> String {
            let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            String::from_utf8_lossy(&bytes).into_owned()
        }
    }

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The memory of a printer.
    pub(crate) struct Captured {
        stdout: Memory,
        stderr: Memory,
        printer: Printer,
    }

    impl Captured {
        pub(crate) fn new(stdout_is_terminal: bool, stderr_is_terminal: bool) -> Self {
            let (stdout, stderr) = (Memory::default(), Memory::default());
            let printer = Printer::new(
                (Box::new(stdout.clone()), stdout_is_terminal),
                (Box::new(stderr.clone()), stderr_is_terminal),
                terminal(),
            );
            Self {
                stdout,
                stderr,
                printer,
            }
        }

        pub(crate) fn printer(&self) -> Printer {
            self.printer.clone()
        }

        pub(crate) fn stdout(&self) -> String {
            self.stdout.text()
        }

        pub(crate) fn stderr(&self) -> String {
            self.stderr.text()
        }
    }

    /// A printer whose streams fail with an error of `kind`.
    pub(crate) fn failing(kind: io::ErrorKind) -> Printer {
        struct Failing(io::ErrorKind);
        impl Write for Failing {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        Printer::new(
            (Box::new(Failing(kind)), false),
            (Box::new(Failing(kind)), false),
            terminal(),
        )
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use super::testing::{Captured, failing};
    use super::*;
    use crate::exit::ExitStatus;

    #[test]
    fn messages_have_the_form_of_logrus() {
        for (level, message, expected) in [
            (
                Level::Fatal,
                "Exactly one argument",
                "level=fatal msg=\"Exactly one argument\"\n",
            ),
            (Level::Warning, "plain-word", "level=warning msg=plain-word\n"),
            (Level::Debug, "a\nb \"c\"", "level=debug msg=\"a\\nb \\\"c\\\"\"\n"),
        ] {
            let captured = Captured::new(false, false);
            captured.printer().message(level, message);
            let line = captured.stderr();
            let (time, rest) = line.split_once("\" ").expect("a quoted time");
            assert_eq!(rest, expected);
            assert_eq!(time.chars().nth("time=\"2026-11-25".len()), Some('T'), "{time}");
        }
    }

    #[test]
    fn messages_on_a_terminal_have_a_badge_and_no_foreign_escapes() {
        let captured = Captured::new(false, true);
        captured.printer().message(Level::Fatal, "no \u{1b}[2J such\nimage");
        assert_eq!(
            captured.stderr(),
            "\x1b[31mFATA\x1b[0m[0000] no \\u{1b}[2J such\nimage\n"
        );
    }

    #[test]
    fn what_is_printed_stands_above_the_live_lines() {
        let captured = Captured::new(true, true);
        let printer = captured.printer();
        let erased = "\x1b[1A\r\x1b[J";
        printer.live(None, vec!["a bar".to_owned()]);
        printer.report(Report::Stderr, "a report");
        printer.live(Some("a bar's end"), vec![]);
        printer.report(Report::Stderr, "another");
        let expected = format!("a bar\n{erased}a report\na bar\n{erased}a bar's end\nanother\n");
        assert_eq!(captured.stderr(), expected);
    }

    #[test]
    fn a_closed_pipe_ends_a_result_quietly_and_a_full_disk_does_not() {
        let status = |kind| failing(kind).result("x").map_err(|error| ExitStatus::of(&error));
        assert_eq!(status(io::ErrorKind::BrokenPipe), Err(ExitStatus::Success));
        assert_eq!(status(io::ErrorKind::StorageFull), Err(ExitStatus::Failure));
    }

    #[test]
    fn a_report_that_nobody_reads_stops_nothing() {
        failing(io::ErrorKind::BrokenPipe).report(Report::Stdout, "Copying blob");
    }
}
