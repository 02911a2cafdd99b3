use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use longshore_config::{Environment, StorageUse};
use longshore_registry::{Access, Client, Repository};
use longshore_types::{Algorithm, Digest, ErrorKind, RawManifest, media_type};

use super::destination::{self, DockerDestination};
use super::reference::Target;
use super::signatures::Signatures;
use super::source::DockerSource;
use super::{NAME, failed};
use crate::destination::ImageDestination;
use crate::error::TransportError;
use crate::source::ImageSource;
use crate::transport::{Identity, Location};

/// A place in a registry; nothing has been asked of the registry yet.
pub(super) struct DockerLocation {
    client: Client,
    target: Target,
    environment: Arc<Environment>,
    named: OnceLock<Option<Digest>>,
}

impl DockerLocation {
    pub(super) fn new(client: Client, target: Target, environment: Arc<Environment>) -> Self {
        Self {
            client,
            target,
            environment,
            named: OnceLock::new(),
        }
    }

    fn signatures(&self, purpose: StorageUse, repository: &Repository) -> Result<Signatures, TransportError> {
        Signatures::find(self.target.reference(), purpose, &self.environment, repository)
    }

    fn repository(&self, access: Access) -> Repository {
        self.client
            .repository(self.target.reference().path())
            .with_access(access)
    }

    fn identity(&self) -> Identity {
        let reference = self.target.reference();
        Identity {
            transport: NAME.to_owned(),
            canonical: self.target.canonical(),
            docker_reference: Some(reference.clone()),
            policy_identity: reference.policy_identity().unwrap_or_default(),
            policy_scopes: reference.policy_scopes(),
        }
    }

    /// The digest under which a registry removes the image: it does so by digest only (DL-03).
    async fn digest(&self, repository: &Repository, key: &str) -> Result<Digest, TransportError> {
        let fetched = repository.manifest(key).await.map_err(|error| match error.kind() {
            // DL-05.
            ErrorKind::ImageNotFound => {
                let name = self.target.reference();
                let text = "Image may not exist or is not stored with a v2 Schema in a v2 registry";
                TransportError::new(
                    ErrorKind::ImageNotFound,
                    format!("Unable to delete {name}. {text}: {error}"),
                )
            }
            _ => failed(error),
        })?;
        if let Some(digest) = self.target.reference().digest() {
            return Ok(digest.clone());
        }
        let manifest = manifest(fetched)?;
        Ok(manifest.digest(Algorithm::Sha256))
    }
}

/// What a registry sent, as a manifest: its type is the one that the registry says (MC-11).
pub(super) fn manifest(fetched: longshore_registry::Fetched) -> Result<RawManifest, TransportError> {
    let media_type = media_type::of_registry_manifest(fetched.media_type.as_deref());
    let manifest = RawManifest::new(fetched.bytes, Some(media_type));
    manifest.map_err(|error| TransportError::new(error.kind(), format!("manifest from {}: {error}", fetched.url)))
}

#[async_trait]
impl Location for DockerLocation {
    fn display(&self) -> String {
        format!("{NAME}:{}", self.target.canonical())
    }

    async fn prepare(&self, manifest: &RawManifest) -> Result<(), TransportError> {
        self.client.connect().await.map_err(failed)?;
        let named = destination::named(&self.repository(Access::Write), self.target.key(), manifest).await;
        // It is prepared once.
        let _ = self.named.set(named);
        Ok(())
    }

    async fn open_source(self: Box<Self>) -> Result<Box<dyn ImageSource>, TransportError> {
        let key = self
            .target
            .key()
            .ok_or_else(|| TransportError::unsupported(NAME, "reading a whole repository"))?;
        let repository = self.repository(Access::Read);
        let signatures = self.signatures(StorageUse::Read, &repository)?;
        Ok(Box::new(DockerSource::new(
            repository,
            self.identity(),
            key,
            signatures,
        )))
    }

    async fn open_destination(self: Box<Self>, source: &Identity) -> Result<Box<dyn ImageDestination>, TransportError> {
        let own = self.target.reference();
        let other = source.docker_reference.as_ref().filter(|_| source.transport == NAME);
        let neighbour = other.filter(|other| other.domain() == own.domain() && other.path() != own.path());
        let mount_from = neighbour.map(|other| other.path().to_owned());
        let repository = self.repository(Access::Write);
        let signatures = self.signatures(StorageUse::Write, &repository)?;
        let signatures = signatures.announced_by(&repository).await?;
        Ok(Box::new(DockerDestination::new(
            repository,
            self.identity(),
            self.target.key(),
            mount_from,
            signatures,
            self.named.into_inner(),
        )))
    }

    async fn delete(self: Box<Self>) -> Result<(), TransportError> {
        let key = self
            .target
            .key()
            .ok_or_else(|| TransportError::unsupported(NAME, "deleting a whole repository"))?;
        let repository = self.repository(Access::Delete);
        let signatures = self.signatures(StorageUse::Write, &repository)?;
        let digest = self.digest(&repository, &key).await?;
        repository.delete_manifest(&digest).await.map_err(failed)?;
        signatures.remove(&digest).await
    }

    async fn list(self: Box<Self>) -> Result<Vec<String>, TransportError> {
        self.repository(Access::Read).tags().await.map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use longshore_types::MAX_MANIFEST_SIZE;

    use super::*;

    const OCI: &str = media_type::OCI_MANIFEST;

    #[test]
    fn what_a_registry_sends_is_taken_for_what_it_says_or_refused() {
        let oversized = " ".repeat(MAX_MANIFEST_SIZE + 1);
        let rows = [
            (r#"{"schemaVersion":2}"#, Some(OCI), Ok(OCI)),
            (
                r#"{"schemaVersion":2}"#,
                Some("application/json"),
                Ok(media_type::DOCKER_V1_SIGNED),
            ),
            (r#"{"schemaVersion":2}"#, None, Ok(media_type::DOCKER_V1_SIGNED)),
            (
                r#"{"schemaVersion":2,"layers":[],"manifests":[]}"#,
                Some(OCI),
                Err(ErrorKind::InvalidData),
            ),
            (oversized.as_str(), Some(OCI), Err(ErrorKind::InvalidData)),
        ];
        for (text, declared, expected) in rows {
            let fetched = longshore_registry::Fetched {
                bytes: text.to_owned().into(),
                media_type: declared.map(str::to_owned),
                url: "https://h/v2/a/manifests/1".into(),
            };
            let read = manifest(fetched);
            if let Err(error) = &read {
                assert!(error.to_string().contains("https://h/v2/a/manifests/1"), "{error}");
            }
            let found = read
                .map(|manifest| manifest.media_type().to_owned())
                .map_err(|error| error.kind());
            assert_eq!(found, expected.map(str::to_owned), "{declared:?}");
        }
    }
}
