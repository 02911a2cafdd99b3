//! `--progress json`: one JSON object for each event, one on each line.
//!
//! Every object has `event`. What else it has is written at the variants; members and events may be added, none is renamed.

use longshore_copy::{BlobKind, CopyReport, Event, SkipReason};
use longshore_types::Digest;
use serde::Serialize;

/// A line's object.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Line<'a> {
    /// The copy enters a stage, such as `writing-manifest`.
    Step { step: &'static str },
    /// How many images of a list are copied.
    Images { copied: usize, listed: usize },
    /// What follows is about this image of a list; `number` counts from 1.
    Image {
        digest: &'a Digest,
        number: usize,
        of: usize,
    },
    /// A layer's or config's turn; `size` in bytes, as the source's manifest says.
    BlobStarted {
        blob: usize,
        kind: &'static str,
        digest: &'a Digest,
        size: u64,
    },
    /// Bytes that came from the source so far; they may start again from the front.
    BlobProgress { blob: usize, bytes: u64 },
    /// The blob is at the destination, under this digest and size.
    BlobDone { blob: usize, digest: &'a Digest, size: u64 },
    /// No bytes had to be moved.
    BlobSkipped { blob: usize, reason: &'static str },
    /// The image is there.
    Done {
        source: &'a str,
        destination: &'a str,
        manifest_digest: &'a Digest,
        manifest_type: &'a str,
        images: usize,
        blobs_copied: usize,
        bytes_copied: u64,
        blobs_reused: usize,
        bytes_reused: u64,
    },
}

impl Line<'_> {
    fn to_text(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }
}

/// The line for an event; none for one that has no line yet.
pub(super) fn line(event: &Event) -> Option<String> {
    let step = |step| Line::Step { step };
    let line = match event {
        Event::SourceSignatures => step("reading-signatures"),
        Event::CheckingSignatureSupport => step("checking-signature-support"),
        Event::ListSignatures => step("reading-list-signatures"),
        Event::AlreadyPresent => step("already-present"),
        Event::WritingManifest => step("writing-manifest"),
        Event::CreatingSignature { .. } => step("creating-signature"),
        Event::StoringSignatures => step("storing-signatures"),
        Event::WritingList => step("writing-list"),
        Event::StoringListSignatures => step("storing-list-signatures"),
        Event::CopyingImages { copied, listed } => Line::Images {
            copied: *copied,
            listed: *listed,
        },
        Event::CopyingImage { digest, number, of } => Line::Image {
            digest,
            number: *number,
            of: *of,
        },
        Event::BlobStarted {
            blob,
            kind,
            digest,
            size,
        } => Line::BlobStarted {
            blob: *blob,
            kind: match kind {
                BlobKind::Layer => "layer",
                BlobKind::Config => "config",
            },
            digest,
            size: *size,
        },
        Event::BlobProgress { blob, bytes } => Line::BlobProgress {
            blob: *blob,
            bytes: *bytes,
        },
        Event::BlobDone { blob, digest, size } => Line::BlobDone {
            blob: *blob,
            digest,
            size: *size,
        },
        Event::BlobSkipped { blob, reason } => Line::BlobSkipped {
            blob: *blob,
            reason: match reason {
                SkipReason::AlreadyExists => "already-exists",
                SkipReason::Mounted => "mounted",
                SkipReason::Foreign => "foreign",
            },
        },
        _ => return None,
    };
    line.to_text()
}

/// The last line of a copy that succeeded.
pub(super) fn done(report: &CopyReport) -> Option<String> {
    let line = Line::Done {
        source: &report.source,
        destination: &report.destination,
        manifest_digest: &report.manifest_digest,
        manifest_type: &report.manifest_type,
        images: report.images,
        blobs_copied: report.blobs_copied,
        bytes_copied: report.bytes_copied,
        blobs_reused: report.blobs_reused,
        bytes_reused: report.bytes_reused,
    };
    line.to_text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_stable_names() {
        let digest = Digest::sha256(b"x");
        let rows = [
            (
                Event::WritingManifest,
                r#"{"event":"step","step":"writing-manifest"}"#.to_owned(),
            ),
            (
                Event::CopyingImages { copied: 1, listed: 2 },
                r#"{"event":"images","copied":1,"listed":2}"#.to_owned(),
            ),
            (
                Event::BlobStarted {
                    blob: 3,
                    kind: BlobKind::Layer,
                    digest: digest.clone(),
                    size: 9,
                },
                format!(r#"{{"event":"blob-started","blob":3,"kind":"layer","digest":"{digest}","size":9}}"#),
            ),
            (
                Event::BlobProgress { blob: 3, bytes: 5 },
                r#"{"event":"blob-progress","blob":3,"bytes":5}"#.to_owned(),
            ),
            (
                Event::BlobSkipped {
                    blob: 3,
                    reason: SkipReason::Mounted,
                },
                r#"{"event":"blob-skipped","blob":3,"reason":"mounted"}"#.to_owned(),
            ),
        ];
        for (event, expected) in rows {
            assert_eq!(line(&event), Some(expected));
        }
    }
}
