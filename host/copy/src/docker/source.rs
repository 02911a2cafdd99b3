use async_trait::async_trait;
use longshore_registry::{Problem, RegistryError, Repository};
use longshore_types::{Algorithm, BlobInfo, Digest, ErrorKind, RawManifest};
use tokio::sync::OnceCell;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::failed;
use super::location::manifest;
use super::signatures::Signatures;
use super::stream::ChannelSource;
use crate::error::TransportError;
use crate::source::{Body, ImageSource, RepositoryTags};
use crate::transport::Identity;

/// An image in a registry.
pub(super) struct DockerSource {
    repository: Repository,
    identity: Identity,
    key: String,
    signatures: Signatures,
    /// The digest of what the key names, once it was read.
    top: OnceCell<Digest>,
    /// Ends the downloads when the source goes.
    _open: DropGuard,
    closed: CancellationToken,
}

impl DockerSource {
    pub(super) fn new(repository: Repository, identity: Identity, key: String, signatures: Signatures) -> Self {
        let closed = CancellationToken::new();
        Self {
            repository,
            identity,
            key,
            signatures,
            top: OnceCell::new(),
            _open: closed.clone().drop_guard(),
            closed,
        }
    }
}

#[async_trait]
impl ImageSource for DockerSource {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    async fn manifest(&self, instance: Option<&Digest>) -> Result<RawManifest, TransportError> {
        let key = instance.map_or_else(|| self.key.clone(), Digest::to_string);
        let manifest = manifest(self.repository.manifest(&key).await.map_err(failed)?)?;
        let named = Digest::parse(&key).ok();
        let digest = manifest.digest(named.as_ref().map_or(Algorithm::Sha256, Digest::algorithm));
        if let Some(named) = named.filter(|named| *named != digest) {
            let text = format!("Digest did not match, expected {named}, got {digest}");
            return Err(TransportError::new(ErrorKind::InvalidData, text));
        }
        if instance.is_none() {
            // A tag that was moved meanwhile changes nothing: the first answer is what is copied.
            let _ = self.top.set(digest);
        }
        Ok(manifest)
    }

    async fn blob(&self, info: &BlobInfo) -> Result<Body, TransportError> {
        let missing = || {
            TransportError::new(
                ErrorKind::InvalidData,
                "a registry keeps blobs by digest, and none was given",
            )
        };
        let digest = info.digest.as_ref().ok_or_else(missing)?;
        let client = self.repository.client();
        let body = match client.external_blob(digest, &info.urls).await.map_err(failed)? {
            Some(body) => body,
            None => self.repository.blob(digest).await.map_err(failed)?,
        };
        let size = body.size();
        Ok(Body {
            source: Box::new(ChannelSource::start(body, self.closed.clone())),
            size,
        })
    }

    async fn blob_size(&self, info: &BlobInfo) -> Result<Option<u64>, TransportError> {
        let asked = match &info.digest {
            Some(digest) => self.repository.blob_exists(digest).await.map_err(failed)?,
            None => None,
        };
        match asked {
            Some(size) => Ok(Some(size)),
            // The download says what is wrong.
            None => Ok(self.blob(info).await?.size),
        }
    }

    async fn signatures(&self, instance: Option<&Digest>) -> Result<Vec<Vec<u8>>, TransportError> {
        let digest = match (instance, self.top.get()) {
            (Some(digest), _) | (None, Some(digest)) => digest.clone(),
            (None, None) => self.manifest(None).await?.digest(Algorithm::Sha256),
        };
        let signatures = self.signatures.clone().announced_by(&self.repository).await?;
        signatures.read(self.repository.client(), &digest).await
    }

    async fn repository_tags(&self) -> Result<Option<RepositoryTags>, TransportError> {
        match self.repository.tags().await {
            Ok(tags) => Ok(Some(RepositoryTags::Listed(tags))),
            Err(error) if refuses_listing(&error) => Ok(Some(RepositoryTags::Refused)),
            Err(error) => Err(failed(error)),
        }
    }
}

/// IB-02: some registries let nobody list tags, some not us.
fn refuses_listing(error: &RegistryError) -> bool {
    let Problem::Refused(refusal) = error.problem() else {
        return false;
    };
    refusal.has_code("DENIED") || (refusal.has_code("UNKNOWN") && refusal.to_string().contains("404 page not found"))
}
