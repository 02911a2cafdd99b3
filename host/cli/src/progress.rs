//! What a copy reports while it runs: skopeo's lines, and bars on a terminal.

mod bars;
mod json;

use std::time::Duration;

use indicatif::HumanBytes;
use longshore_copy::{BlobKind, CopyReport, Event, Events};
use tokio::time::{MissedTickBehavior, interval};

use self::bars::Bars;
use crate::printer::{Printer, Report};

/// Time between two pictures of the bars.
const PICTURE: Duration = Duration::from_millis(100);

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
}

impl<'a> Progress<'a> {
    /// Prints lines to `report`, and on standard error either JSON or, if that is a terminal and anything is wanted at all,
    /// bars.
    pub(crate) fn new(printer: &'a Printer, report: Report, style: Style) -> Self {
        let wanted = report != Report::Nowhere && style == Style::Auto && printer.live_columns().is_some();
        Self {
            printer,
            report,
            style,
            bars: wanted.then(Bars::default),
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
        let mut pictures = interval(PICTURE);
        pictures.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.show(&event),
                    None => return self.bars.is_some(),
                },
                // Also when nothing comes: that is what rate and time left tell then.
                _ = pictures.tick(), if self.bars.is_some() => self.draw(None),
            }
        }
    }

    /// Prints one event.
    fn show(&mut self, event: &Event) {
        if let (Style::Json, Some(line)) = (self.style, json::line(event)) {
            self.printer.explain(&(line + "\n"));
        }
        if let Some(last) = self.bars.as_mut().and_then(|bars| bars.take(event)) {
            self.draw(Some(&last));
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

    /// Draws the bars, below a line that stays.
    fn draw(&self, lasting: Option<&str>) {
        if let (Some(bars), Some(columns)) = (&self.bars, self.printer.live_columns()) {
            self.printer.live(lasting, bars.lines(columns));
        }
    }
}

impl Drop for Progress<'_> {
    /// What was on its way when the copy ended, ended without success.
    fn drop(&mut self) {
        if self.bars.is_some() {
            self.printer.live(None, Vec::new());
        }
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
        Event::CreatingSignature { number: None, message } => format!("Creating signature: {message}"),
        Event::CreatingSignature {
            number: Some(number),
            message,
        } => format!("Creating signature {number}: {message}"),
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

#[cfg(test)]
mod tests {
    use longshore_copy::SkipReason;
    use longshore_types::Digest;

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
}
