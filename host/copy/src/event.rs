use longshore_types::Digest;

/// What a copy is doing, in the order in which skopeo reports it (CO-01 to CO-07).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// CO-01, "Getting image source signatures"; not with removed signatures.
    SourceSignatures,
    /// CO-02, "Checking if image destination supports signatures"; only if there are signatures.
    CheckingSignatureSupport,
    /// CO-03, "Copying blob DIGEST" or "Copying config DIGEST".
    BlobStarted {
        /// Number that the other events of this blob carry; unique in one copy.
        blob: usize,
        /// Layer or config.
        kind: BlobKind,
        /// Digest in the source's manifest.
        digest: Digest,
        /// Size in bytes in the source's manifest.
        size: u64,
    },
    /// Bytes that came from the source so far; at most about ten a second for each blob. They may start again from the front.
    BlobProgress {
        /// As in [`Event::BlobStarted`].
        blob: usize,
        /// Bytes from the start of the blob.
        bytes: u64,
    },
    /// The blob is at the destination ("done").
    BlobDone {
        /// As in [`Event::BlobStarted`].
        blob: usize,
        /// Digest as stored: another one if the compression changed.
        digest: Digest,
        /// Size in bytes as stored.
        size: u64,
    },
    /// No bytes had to be moved ("skipped: already exists").
    BlobSkipped {
        /// As in [`Event::BlobStarted`].
        blob: usize,
        /// Why.
        reason: SkipReason,
    },
    /// CO-08, "Getting image list signatures"; not with removed signatures.
    ListSignatures,
    /// CO-08, "Copying N images generated from M images in list".
    CopyingImages {
        /// How many will be copied.
        copied: usize,
        /// How many the list has.
        listed: usize,
    },
    /// CO-08, "Copying image D (i/n)": the events that follow are about this image.
    CopyingImage {
        /// Digest in the source's list.
        digest: Digest,
        /// Counted from 1.
        number: usize,
        /// How many will be copied.
        of: usize,
    },
    /// CO-08, "Writing manifest list to image destination".
    WritingList,
    /// CO-08, "Storing list signatures"; only if there are signatures.
    StoringListSignatures,
    /// CO-09, "Skipping: image already present at destination"; nothing is written then.
    AlreadyPresent,
    /// CO-05, "Writing manifest to image destination"; once, also if several types are tried.
    WritingManifest,
    /// CO-06, "Creating signature: MESSAGE".
    CreatingSignature {
        /// Which of several, from 1; none for the only one.
        number: Option<usize>,
        /// What the signer says about itself.
        message: String,
    },
    /// CO-07, "Storing signatures"; only if there are signatures.
    StoringSignatures,
}

/// What a blob is in its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobKind {
    /// A layer.
    Layer,
    /// The config.
    Config,
}

/// Why a blob was not transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// The destination has it, or has just got it as another layer of this image (BR-01, BR-07).
    AlreadyExists,
    /// The registry took it over from another of its repositories (BR-03).
    Mounted,
    /// Its content is elsewhere, named by URL, and the destination accepts that (TD-08).
    Foreign,
}

/// Receives the events of one copy; ends when the copy has ended.
#[derive(Debug)]
pub struct Events {
    receiver: tokio::sync::mpsc::UnboundedReceiver<Event>,
}

impl Events {
    /// The next event, or none after the last one.
    pub async fn next(&mut self) -> Option<Event> {
        self.receiver.recv().await
    }
}

/// Sends events; silently into the void once nobody listens.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    sender: tokio::sync::mpsc::UnboundedSender<Event>,
    /// Number of the first blob: each image of a list numbers its own from 0.
    first: usize,
}

impl Reporter {
    pub(crate) fn new() -> (Self, Events) {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        (Self { sender, first: 0 }, Events { receiver })
    }

    /// One to the same listener whose blobs count from `first`.
    pub(crate) fn starting_at(&self, first: usize) -> Self {
        Self {
            sender: self.sender.clone(),
            first,
        }
    }

    pub(crate) fn send(&self, mut event: Event) {
        match &mut event {
            Event::BlobStarted { blob, .. }
            | Event::BlobProgress { blob, .. }
            | Event::BlobDone { blob, .. }
            | Event::BlobSkipped { blob, .. } => *blob += self.first,
            _ => {}
        }
        let _ = self.sender.send(event);
    }
}
