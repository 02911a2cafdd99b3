use std::collections::BTreeSet;

use async_trait::async_trait;
use longshore_blob::{ChunkSink, LayerWish};
use longshore_types::{BlobInfo, Digest, RawManifest};

use crate::error::TransportError;
use crate::transport::Identity;

/// An opened place for one image.
///
/// Call order: blobs (many at a time unless `one-at-a-time`), manifest, signatures, commit. Before `commit` nothing that was there is damaged and no
/// reader sees a half image; a destination that is dropped before it leaves no trace but blobs that nothing names.
#[async_trait]
pub trait ImageDestination: Send + Sync {
    /// Who the image will be.
    fn identity(&self) -> &Identity;

    /// What it accepts and wishes.
    fn traits(&self) -> &DestinationTraits;

    /// Whether the blob is there already. `substitute` allows another blob with the same uncompressed content.
    async fn reuse(&self, info: &BlobInfo, substitute: bool) -> Result<Option<Reused>, TransportError>;

    /// Takes the blob over from the repository `from` of the same registry; none if it is not to be had there, or the
    /// destination is no registry.
    async fn mount(&self, _info: &BlobInfo, _from: &str) -> Result<Option<Reused>, TransportError> {
        Ok(None)
    }

    /// Whether the reference names this very manifest already, so that nothing has to be sent. Asked before anything is
    /// written; false also if nobody can tell.
    async fn has_manifest(&self, _manifest: &RawManifest) -> bool {
        false
    }

    /// Announces a blob; none if it turns out to be there already. Digest and size are absent if they are not known beforehand,
    /// which they always are with `size-first`.
    /// One digest is never begun twice at a time.
    async fn begin_blob(&self, info: &BlobInfo) -> Result<Option<PendingBlob>, TransportError>;

    /// Stores a manifest: the image's (none) or that of a list's instance. An error of kind `ManifestTypeRejected` makes the copy try another type.
    async fn put_manifest(&self, manifest: &RawManifest, instance: Option<&Digest>) -> Result<(), TransportError>;

    /// Why signatures of sigstore's tools cannot be stored, though others can.
    fn sigstore_refused(&self) -> Option<String> {
        None
    }

    /// Stores signatures in their stored form, after the manifest they belong to.
    async fn put_signatures(&self, signatures: &[Vec<u8>], instance: Option<&Digest>) -> Result<(), TransportError>;

    /// Makes the image visible, as the last thing that can fail. `top` is the manifest that the reference will name.
    async fn commit(self: Box<Self>, top: &RawManifest) -> Result<(), TransportError>;

    /// Ends what was begun and given up, in place of [`ImageDestination::commit`]. To be awaited after a failure, or it may be cut short by the end
    /// of the program.
    async fn settle(&self) {}
}

/// What a destination accepts and wishes.
#[derive(Clone, Debug)]
pub struct DestinationTraits {
    /// Accepted manifest media types, the preferred first; empty: any.
    pub manifest_types: Vec<String>,
    /// What it wants done with the compression of layers.
    pub layer_compression: LayerWish,
    /// Open set: `signatures`, `lists`, `one-at-a-time`, `foreign-layers`, `size-first`, and what later versions add.
    pub abilities: BTreeSet<String>,
    /// Why signatures cannot be stored, if they cannot and the transport has its own words for it (P-06).
    pub signatures_refused: Option<String>,
}

impl DestinationTraits {
    /// Whether an ability is in the set.
    pub fn has(&self, ability: &str) -> bool {
        self.abilities.contains(ability)
    }
}

/// A blob that a destination has without a transfer.
#[derive(Clone, Debug)]
pub struct Reused {
    /// As the destination stores it; its digest and size are there.
    pub info: BlobInfo,
    /// It was taken over from another repository just now.
    pub mounted: bool,
}

/// A blob on its way into a destination.
pub struct PendingBlob {
    /// Takes the bytes, on a thread that may block. It is dropped before `publish` is asked for anything.
    pub sink: Box<dyn ChunkSink>,
    /// Ends the blob.
    pub publish: Box<dyn Publish>,
}

/// The end of a blob's transfer. Dropped without a call, the blob is given up as by `abort`, as far as that works without waiting.
#[async_trait]
pub trait Publish: Send {
    /// Makes the blob part of the destination, with digest and size as the host computed them from the bytes that the sink got.
    async fn finish(self: Box<Self>, digest: &Digest, size: u64) -> Result<(), TransportError>;

    /// Removes what was staged. Answers with the reason why the sink could not take more, if there is one.
    async fn abort(self: Box<Self>) -> Option<TransportError>;
}
