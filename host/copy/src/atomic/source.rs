use async_trait::async_trait;
use longshore_registry::OpenShift;
use longshore_types::{BlobInfo, Digest, RawManifest};

use crate::docker::extension;
use crate::error::TransportError;
use crate::source::{Body, ImageSource};
use crate::transport::Identity;

/// An image that a tag of an image stream names: in a registry, with signatures at the API server.
pub(super) struct AtomicSource {
    inner: Box<dyn ImageSource>,
    identity: Identity,
    api: OpenShift,
    /// The digest under which the API server knows the image.
    image: Digest,
}

impl AtomicSource {
    pub(super) fn new(inner: Box<dyn ImageSource>, identity: Identity, api: OpenShift, image: Digest) -> Self {
        Self {
            inner,
            identity,
            api,
            image,
        }
    }
}

#[async_trait]
impl ImageSource for AtomicSource {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    async fn manifest(&self, instance: Option<&Digest>) -> Result<RawManifest, TransportError> {
        self.inner.manifest(instance).await
    }

    async fn blob(&self, info: &BlobInfo) -> Result<Body, TransportError> {
        self.inner.blob(info).await
    }

    async fn blob_size(&self, info: &BlobInfo) -> Result<Option<u64>, TransportError> {
        self.inner.blob_size(info).await
    }

    async fn signatures(&self, instance: Option<&Digest>) -> Result<Vec<Vec<u8>>, TransportError> {
        extension::read(&self.api, instance.unwrap_or(&self.image)).await
    }
}
