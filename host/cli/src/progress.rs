//! What a copy reports while it runs: skopeo's lines, and bars on a terminal.

mod json;

use std::collections::HashMap;

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};
use longshore_copy::{BlobKind, CopyReport, Event, Events, SkipReason};
use longshore_types::Digest;

use crate::printer::{Printer, Report};

/// Length of a bar's name: "Copying blob " and twelve digits of a digest.
const NAME_LENGTH: usize = 25;
/// A bar in motion, in bytes of the source.
const MOVING: &str = "{prefix} [{bar:38}] {bytes} / {total_bytes} | {bytes_per_sec}, {eta} left";
/// A bar that stands still.
const ENDED: &str = "{prefix} {msg}";

/// How progress is shown (`--progress`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Style {
    /// Bars on a terminal, nothing elsewhere.
    #[default]
    Auto,
    /// A JSON object on a line of standard error for every event.
    Json,
}

/// Prints the events of one copy.
pub(crate) struct Progress<'a> {
    printer: &'a Printer,
    report: Report,
    style: Style,
    bars: Option<Bars>,
    /// Whether there were bars: then the end is told below them.
    had_bars: bool,
}

impl<'a> Progress<'a> {
    /// Prints lines to `report`, and on standard error either JSON or, if that is a terminal and anything is wanted at all,
    /// bars.
    pub(crate) fn new(printer: &'a Printer, report: Report, style: Style) -> Self {
        let wanted = report != Report::Nowhere && style == Style::Auto;
        let bars = wanted.then(|| printer.bars()).flatten().map(Bars::new);
        let had_bars = bars.is_some();
        Self {
            printer,
            report,
            style,
            bars,
            had_bars,
        }
    }

    /// Says what a finished copy did: to programs always, to people where they saw bars. Elsewhere there is none, since
    /// scripts know the last line of a report.
    pub(crate) fn finished(printer: &Printer, style: Style, had_bars: bool, done: &CopyReport) {
        if style == Style::Json {
            if let Some(line) = json::done(done) {
                printer.explain(&(line + "\n"));
            }
        } else if had_bars {
            printer.explain(&(summary(done) + "\n"));
        }
    }

    /// Prints events until the last one.
    ///
    /// Says whether there were bars.
    pub(crate) async fn follow(mut self, mut events: Events) -> bool {
        while let Some(event) = events.next().await {
            self.show(&event);
        }
        self.had_bars
    }

    /// Prints one event.
    fn show(&mut self, event: &Event) {
        if let (Style::Json, Some(line)) = (self.style, json::line(event)) {
            self.printer.explain(&(line + "\n"));
        }
        if let Some(bars) = &mut self.bars {
            bars.show(event);
        }
        // The bars are finished; what follows stands below them.
        if matches!(
            event,
            Event::WritingManifest | Event::StoringSignatures | Event::AlreadyPresent
        ) {
            self.end_bars();
        }
        // The next image of a list has bars of its own.
        if matches!(event, Event::CopyingImage { .. }) && self.bars.is_none() && self.had_bars {
            self.bars = self.printer.bars().map(Bars::new);
        }
        if let Some(line) = line(event)
            && !self.is_shown_as_bar(event)
        {
            self.printer.report(self.report, &line);
        }
    }

    /// A terminal that shows a bar needs no line; a file that gets the report
    /// is written whether somebody watches bars or not.
    fn is_shown_as_bar(&self, event: &Event) -> bool {
        matches!(event, Event::BlobStarted { .. }) && self.bars.is_some() && self.printer.is_terminal(self.report)
    }

    fn end_bars(&mut self) {
        if self.bars.take().is_some() {
            self.printer.forget_bars();
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.end_bars();
    }
}

/// `Copied 3 blobs (1.20 MiB), reused 2 (10.00 KiB): sha256:...`
fn summary(done: &CopyReport) -> String {
    format!(
        "Copied {} blobs ({}), reused {} ({}): {}",
        done.blobs_copied,
        HumanBytes(done.bytes_copied),
        done.blobs_reused,
        HumanBytes(done.bytes_reused),
        done.manifest_digest
    )
}

/// The report's line for an event (CO-01 to CO-08).
fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::SourceSignatures => "Getting image source signatures".to_owned(),
        Event::CheckingSignatureSupport => "Checking if image destination supports signatures".to_owned(),
        Event::BlobStarted { kind, digest, .. } => format!("{} {digest}", verb(*kind)),
        Event::WritingManifest => "Writing manifest to image destination".to_owned(),
        Event::StoringSignatures => "Storing signatures".to_owned(),
        Event::AlreadyPresent => "Skipping: image already present at destination".to_owned(),
        Event::ListSignatures => "Getting image list signatures".to_owned(),
        Event::CopyingImages { copied, listed } => {
            format!("Copying {copied} images generated from {listed} images in list")
        }
        Event::CopyingImage { digest, number, of } => format!("Copying image {digest} ({number}/{of})"),
        Event::WritingList => "Writing manifest list to image destination".to_owned(),
        Event::StoringListSignatures => "Storing list signatures".to_owned(),
        _ => return None,
    })
}

fn verb(kind: BlobKind) -> &'static str {
    match kind {
        BlobKind::Layer => "Copying blob",
        BlobKind::Config => "Copying config",
    }
}

/// A bar's name, of the same length for layers and config.
fn name(kind: BlobKind, digest: &Digest) -> String {
    let name = format!("{} {}", verb(kind), digest.hex());
    name.chars().take(NAME_LENGTH).collect()
}

/// The bars of the blobs of one copy.
struct Bars {
    all: MultiProgress,
    of_blob: HashMap<usize, ProgressBar>,
}

impl Bars {
    fn new(all: MultiProgress) -> Self {
        Self {
            all,
            of_blob: HashMap::new(),
        }
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::BlobStarted {
                blob,
                kind,
                digest,
                size,
            } => {
                let bar = self.all.add(ProgressBar::new(*size));
                bar.set_style(style(MOVING).progress_chars("=>-"));
                bar.set_prefix(name(*kind, digest));
                self.of_blob.insert(*blob, bar);
            }
            Event::BlobProgress { blob, bytes } => {
                if let Some(bar) = self.of_blob.get(blob) {
                    bar.set_position(*bytes);
                }
            }
            Event::BlobDone { blob, .. } => self.end(*blob, "done"),
            Event::BlobSkipped { blob, reason } => self.end(
                *blob,
                match reason {
                    SkipReason::AlreadyExists => "skipped: already exists",
                    SkipReason::Mounted => "skipped: mounted from another repository",
                    SkipReason::Foreign => "skipped: foreign layer",
                },
            ),
            _ => {}
        }
    }

    fn end(&mut self, blob: usize, outcome: &'static str) {
        if let Some(bar) = self.of_blob.remove(&blob) {
            bar.set_style(style(ENDED));
            bar.finish_with_message(outcome);
        }
    }
}

/// A style from one of the templates above, which a test checks.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::testing::Captured;

    fn digest(byte: u8) -> Digest {
        Digest::sha256(&[byte])
    }

    fn started(kind: BlobKind) -> Event {
        Event::BlobStarted {
            blob: 1,
            kind,
            digest: digest(1),
            size: 10,
        }
    }

    fn events() -> Vec<Event> {
        vec![
            Event::SourceSignatures,
            started(BlobKind::Layer),
            Event::BlobProgress { blob: 1, bytes: 5 },
            Event::BlobDone {
                blob: 1,
                digest: digest(1),
                size: 10,
            },
            Event::BlobStarted {
                blob: 2,
                kind: BlobKind::Config,
                digest: digest(2),
                size: 3,
            },
            Event::BlobSkipped {
                blob: 2,
                reason: SkipReason::AlreadyExists,
            },
            Event::WritingManifest,
        ]
    }

    fn shown(report: Report, stdout_is_terminal: bool, stderr_is_terminal: bool) -> (String, String) {
        let captured = Captured::new(stdout_is_terminal, stderr_is_terminal);
        let printer = captured.printer();
        let mut progress = Progress::new(&printer, report, Style::Auto);
        for event in events() {
            progress.show(&event);
        }
        (captured.stdout(), captured.stderr())
    }

    fn all_lines() -> String {
        format!(
            "Getting image source signatures\nCopying blob {}\nCopying config {}\n\
             Writing manifest to image destination\n",
            digest(1),
            digest(2)
        )
    }

    #[test]
    fn lines_go_where_the_report_goes() {
        assert_eq!(shown(Report::Stdout, false, false), (all_lines(), String::new()));
        assert_eq!(shown(Report::Stderr, false, false), (String::new(), all_lines()));
        assert_eq!(shown(Report::Nowhere, false, false), (String::new(), String::new()));
    }

    #[test]
    fn bars_replace_blob_lines_on_a_terminal_only() {
        let without_blobs = "Getting image source signatures\nWriting manifest to image destination\n";
        assert_eq!(shown(Report::Stdout, true, true).0, without_blobs);
        assert_eq!(shown(Report::Stdout, false, true).0, all_lines());
        assert_eq!(shown(Report::Stdout, true, false).0, all_lines());
    }

    #[test]
    fn names_are_cut_to_one_length() {
        assert_eq!(
            name(BlobKind::Layer, &digest(1)),
            format!("Copying blob {}", &digest(1).hex()[..12])
        );
        assert_eq!(
            name(BlobKind::Config, &digest(1)),
            format!("Copying config {}", &digest(1).hex()[..10])
        );
    }

    #[test]
    fn templates_parse() {
        for template in [MOVING, ENDED] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
