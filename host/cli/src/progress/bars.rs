//! Bars on a terminal: a line for each blob on its way, which ends as a line that stays.

use std::collections::BTreeMap;

use indicatif::{HumanBytes, HumanDuration, ProgressBar};
use longshore_copy::{BlobKind, Event, SkipReason};
use longshore_types::Digest;

use super::verb;

/// Length of a bar's name: "Copying blob " and twelve digits of a digest.
const NAME_LENGTH: usize = 25;
/// Digits of a digest where there is no room for a name.
const DIGITS: usize = 12;
/// Longest and shortest bar, in characters.
const BAR: (usize, usize) = (38, 10);

/// The blobs of a copy that are on their way, in the order in which they started.
#[derive(Default)]
pub(super) struct Bars {
    of_blob: BTreeMap<usize, Bar>,
}

struct Bar {
    kind: BlobKind,
    digest: Digest,
    /// Knows position, rate and time left, and draws nothing.
    progress: ProgressBar,
}

impl Bars {
    /// Takes an event in; returns the line that stays if it is a blob's last one.
    pub(super) fn take(&mut self, event: &Event) -> Option<String> {
        let (blob, outcome) = match event {
            Event::BlobStarted {
                blob,
                kind,
                digest,
                size,
            } => {
                let bar = Bar {
                    kind: *kind,
                    digest: digest.clone(),
                    progress: ProgressBar::with_draw_target(Some(*size), indicatif::ProgressDrawTarget::hidden()),
                };
                self.of_blob.insert(*blob, bar);
                return None;
            }
            Event::BlobProgress { blob, bytes } => {
                if let Some(bar) = self.of_blob.get(blob) {
                    bar.progress.set_position(*bytes);
                }
                return None;
            }
            Event::BlobDone { blob, .. } => (blob, "done"),
            Event::BlobSkipped { blob, reason } => {
                let why = match reason {
                    SkipReason::AlreadyExists => "skipped: already exists",
                    SkipReason::Mounted => "skipped: mounted from another repository",
                    SkipReason::Foreign => "skipped: foreign layer",
                };
                (blob, why)
            }
            _ => return None,
        };
        let bar = self.of_blob.remove(blob)?;
        Some(format!("{} {outcome}", name(bar.kind, &bar.digest)))
    }

    /// The bars as lines shorter than this many columns.
    pub(super) fn lines(&self, columns: usize) -> Vec<String> {
        let line = |bar: &Bar| {
            let progress = Numbers {
                moved: bar.progress.position(),
                total: bar.progress.length().unwrap_or_default(),
                rate: bar.progress.per_sec() as u64,
                left: HumanDuration(bar.progress.eta()),
            };
            progress.line(&name(bar.kind, &bar.digest), bar.digest.hex(), columns)
        };
        self.of_blob.values().map(line).collect()
    }
}

/// What a bar tells, in bytes and bytes per second.
struct Numbers {
    moved: u64,
    total: u64,
    rate: u64,
    left: HumanDuration,
}

impl Numbers {
    /// The line that tells as much as fits; rate and time left are what goes last.
    fn line(&self, name: &str, hex: &str, columns: usize) -> String {
        let pace = format!("{}/s, {:#} left", HumanBytes(self.rate), self.left);
        let sizes = format!("{} / {}", HumanBytes(self.moved), HumanBytes(self.total));
        let percent = self.part_of(100);
        let digits = hex.get(..DIGITS).unwrap_or(hex);
        let with_bar = |bar: &str| format!("{name} [{bar}] {sizes} | {pace}");
        let room = columns.saturating_sub(with_bar("").len() + 1);
        let mut forms = vec![
            format!("{name} {sizes} | {pace}"),
            format!("{digits} {percent:>3}% {pace}"),
            format!("{digits} {pace}"),
        ];
        if room >= BAR.1 {
            forms.insert(0, with_bar(&self.bar(room.min(BAR.0))));
        }
        let last = forms.pop().unwrap_or_default();
        forms.into_iter().find(|form| form.len() < columns).unwrap_or(last)
    }

    /// `=====>------`
    fn bar(&self, length: usize) -> String {
        let filled = self.part_of(length);
        let head = if filled < length { ">" } else { "" };
        let rest = length - filled - head.len();
        format!("{}{head}{}", "=".repeat(filled), "-".repeat(rest))
    }

    /// How many of `parts` have been moved; no more than all, even if the source has more bytes than was said.
    fn part_of(&self, parts: usize) -> usize {
        let filled = u128::from(self.moved) * parts as u128;
        let filled = filled.checked_div(u128::from(self.total)).unwrap_or_default();
        usize::try_from(filled).unwrap_or(parts).min(parts)
    }
}

/// A bar's name, of the same length for layers and config.
fn name(kind: BlobKind, digest: &Digest) -> String {
    let name = format!("{} {}", verb(kind), digest.hex());
    name.chars().take(NAME_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NAME: &str = "Copying blob 4bf5122f3445";
    const HEX: &str = "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a";

    fn digest() -> Digest {
        Digest::sha256(&[1])
    }

    fn line(moved: u64, total: u64, columns: usize) -> String {
        let numbers = Numbers {
            moved,
            total,
            rate: 1 << 20,
            left: HumanDuration(Duration::from_secs(70)),
        };
        numbers.line(NAME, HEX, columns)
    }

    #[test]
    fn lines_tell_what_fits() {
        let pace = "1.00 MiB/s, 70s left";
        for (columns, expected) in [
            (
                200,
                format!("{NAME} [{}>{}] 50 B / 100 B | {pace}", "=".repeat(19), "-".repeat(18)),
            ),
            (75, format!("{NAME} [=====>----] 50 B / 100 B | {pace}")),
            (74, format!("{NAME} 50 B / 100 B | {pace}")),
            (62, format!("{NAME} 50 B / 100 B | {pace}")),
            (61, format!("4bf5122f3445  50% {pace}")),
            (40, format!("4bf5122f3445  50% {pace}")),
            (38, format!("4bf5122f3445 {pace}")),
            (0, format!("4bf5122f3445 {pace}")),
        ] {
            assert_eq!(line(50, 100, columns), expected, "{columns}");
        }
    }

    #[test]
    fn a_bar_is_never_longer_than_it_is() {
        for (moved, total, bar) in [
            (0, 100, ">---------"),
            (100, 100, "=========="),
            (u64::MAX, 100, "=========="),
            (7, 0, ">---------"),
            (u64::MAX, u64::MAX, "=========="),
        ] {
            let numbers = Numbers {
                moved,
                total,
                rate: 0,
                left: HumanDuration(Duration::ZERO),
            };
            assert_eq!(numbers.bar(10), bar, "{moved} of {total}");
        }
    }

    #[test]
    fn names_are_cut_to_one_length() {
        assert_eq!(name(BlobKind::Layer, &digest()), NAME);
        assert_eq!(
            name(BlobKind::Config, &digest()),
            format!("Copying config {}", &HEX[..10])
        );
    }

    #[test]
    fn a_blob_has_a_bar_until_its_end() {
        let mut bars = Bars::default();
        let events = [
            Event::BlobStarted {
                blob: 1,
                kind: BlobKind::Layer,
                digest: digest(),
                size: 10,
            },
            Event::BlobProgress { blob: 1, bytes: 5 },
        ];
        assert!(events.iter().all(|event| bars.take(event).is_none()));
        let lines = bars.lines(200);
        assert!(lines.len() == 1 && lines[0].contains("5 B / 10 B"), "{lines:?}");
        let reason = SkipReason::AlreadyExists;
        let last = bars.take(&Event::BlobSkipped { blob: 1, reason });
        assert_eq!(last, Some(format!("{NAME} skipped: already exists")));
        assert!(bars.lines(200).is_empty());
    }
}
