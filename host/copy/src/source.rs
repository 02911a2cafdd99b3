use async_trait::async_trait;
use longshore_blob::ChunkSource;
use longshore_types::{BlobInfo, Digest, RawManifest};

use crate::error::TransportError;
use crate::transport::Identity;

/// An opened image that can be read.
///
/// Everything it answers is untrusted: the copy checks manifests and blobs against the digests and sizes that named them. Methods may be called at the
/// same time; dropping a future ends that call, dropping the source ends the session.
#[async_trait]
pub trait ImageSource: Send + Sync {
    /// Who this image is.
    fn identity(&self) -> &Identity;

    /// The manifest that the reference names (none), or the one of a list's instance.
    async fn manifest(&self, instance: Option<&Digest>) -> Result<RawManifest, TransportError>;

    /// The bytes of a blob that a manifest of this image names.
    async fn blob(&self, info: &BlobInfo) -> Result<Body, TransportError>;

    /// The length of a blob in bytes, for manifests that do not say it; none if the place that stores it does not say it either.
    async fn blob_size(&self, info: &BlobInfo) -> Result<Option<u64>, TransportError> {
        Ok(self.blob(info).await?.size)
    }

    /// The layers of the image, or of a list's instance, that can be read, if the place that stores them has others than the manifest names: as many,
    /// in the same order.
    async fn layers(&self, _instance: Option<&Digest>) -> Result<Option<Vec<BlobInfo>>, TransportError> {
        Ok(None)
    }

    /// The signatures of the top-level manifest (none) or of an instance, each in its stored form (formats.md 0.6); empty if there are none.
    async fn signatures(&self, instance: Option<&Digest>) -> Result<Vec<Vec<u8>>, TransportError>;

    /// All tags of the repository that the image is in; none if the transport has no such thing (IJ-04).
    async fn repository_tags(&self) -> Result<Option<RepositoryTags>, TransportError> {
        Ok(None)
    }
}

/// The bytes of a blob, to be read on a thread that may block.
pub struct Body {
    /// The bytes.
    pub source: Box<dyn ChunkSource>,
    /// Their number as the place that stores them says, if it does.
    pub size: Option<u64>,
}

/// The answer to a tag listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositoryTags {
    /// The tags, in the registry's order.
    Listed(Vec<String>),
    /// The registry lets nobody list them, or not us (IB-02).
    Refused,
}
