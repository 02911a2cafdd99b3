use async_trait::async_trait;
use longshore_registry::{Access, Client, Repository};
use longshore_types::{Algorithm, Digest, ErrorKind, RawManifest, media_type};

use super::destination::DockerDestination;
use super::reference::Target;
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
}

impl DockerLocation {
    pub(super) fn new(client: Client, target: Target) -> Self {
        Self { client, target }
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

    async fn open_source(self: Box<Self>) -> Result<Box<dyn ImageSource>, TransportError> {
        let key = self
            .target
            .key()
            .ok_or_else(|| TransportError::unsupported(NAME, "reading a whole repository"))?;
        Ok(Box::new(DockerSource::new(
            self.repository(Access::Read),
            self.identity(),
            key,
        )))
    }

    async fn open_destination(self: Box<Self>, source: &Identity) -> Result<Box<dyn ImageDestination>, TransportError> {
        let own = self.target.reference();
        let other = source.docker_reference.as_ref().filter(|_| source.transport == NAME);
        let neighbour = other.filter(|other| other.domain() == own.domain() && other.path() != own.path());
        let mount_from = neighbour.map(|other| other.path().to_owned());
        Ok(Box::new(DockerDestination::new(
            self.repository(Access::Write),
            self.identity(),
            self.target.key(),
            mount_from,
        )))
    }

    async fn delete(self: Box<Self>) -> Result<(), TransportError> {
        let key = self
            .target
            .key()
            .ok_or_else(|| TransportError::unsupported(NAME, "deleting a whole repository"))?;
        let repository = self.repository(Access::Delete);
        let digest = self.digest(&repository, &key).await?;
        repository.delete_manifest(&digest).await.map_err(failed)
    }

    async fn list(self: Box<Self>) -> Result<Vec<String>, TransportError> {
        self.repository(Access::Read).tags().await.map_err(failed)
    }
}
