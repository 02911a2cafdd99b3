use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use longshore_registry::OpenShift;
use longshore_types::{Algorithm, BlobInfo, Digest, ErrorKind, RawManifest};

use crate::destination::{DestinationTraits, ImageDestination, PendingBlob, Reused};
use crate::docker::extension;
use crate::error::TransportError;
use crate::transport::Identity;

/// An image to be in the registry of a cluster, whose API server keeps its signatures.
pub(super) struct AtomicDestination {
    inner: Box<dyn ImageDestination>,
    identity: Identity,
    traits: DestinationTraits,
    api: OpenShift,
    /// The digest of the manifest that was written.
    written: Mutex<Option<Digest>>,
}

impl AtomicDestination {
    pub(super) fn new(inner: Box<dyn ImageDestination>, identity: Identity, api: OpenShift) -> Self {
        let mut traits = inner.traits().clone();
        traits.abilities.insert("signatures".to_owned());
        Self {
            inner,
            identity,
            traits,
            api,
            written: Mutex::default(),
        }
    }
}

#[async_trait]
impl ImageDestination for AtomicDestination {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn traits(&self) -> &DestinationTraits {
        &self.traits
    }

    async fn reuse(&self, info: &BlobInfo, substitute: bool) -> Result<Option<Reused>, TransportError> {
        self.inner.reuse(info, substitute).await
    }

    async fn mount(&self, info: &BlobInfo, from: &str) -> Result<Option<Reused>, TransportError> {
        self.inner.mount(info, from).await
    }

    async fn has_manifest(&self, manifest: &RawManifest) -> bool {
        self.inner.has_manifest(manifest).await
    }

    async fn begin_blob(&self, info: &BlobInfo) -> Result<Option<PendingBlob>, TransportError> {
        self.inner.begin_blob(info).await
    }

    async fn put_manifest(&self, manifest: &RawManifest, instance: Option<&Digest>) -> Result<(), TransportError> {
        self.inner.put_manifest(manifest, instance).await?;
        if instance.is_none() {
            let digest = manifest.digest(Algorithm::Sha256);
            *self.written.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
        }
        Ok(())
    }

    fn sigstore_refused(&self) -> Option<String> {
        Some(extension::NO_SIGSTORE.to_owned())
    }

    async fn put_signatures(&self, signatures: &[Vec<u8>], instance: Option<&Digest>) -> Result<(), TransportError> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match instance.cloned().or(written) {
            Some(digest) => extension::add(&self.api, &digest, signatures).await,
            None => {
                let text = "Unknown manifest digest, can't add signatures";
                Err(TransportError::new(ErrorKind::Other, text))
            }
        }
    }

    async fn commit(self: Box<Self>, top: &RawManifest) -> Result<(), TransportError> {
        self.inner.commit(top).await
    }

    async fn settle(&self) {
        self.inner.settle().await;
    }
}
