use async_trait::async_trait;
use longshore_registry::OpenShift;
use longshore_types::ErrorKind;

use super::NAME;
use super::destination::AtomicDestination;
use super::reference::StreamTag;
use super::source::AtomicSource;
use crate::access::Access;
use crate::destination::ImageDestination;
use crate::docker::{DockerTransport, failed};
use crate::error::TransportError;
use crate::source::ImageSource;
use crate::transport::{Identity, Location, Purpose, Transport as _};

/// A tag of an image stream; nobody has been asked anything yet.
pub(super) struct AtomicLocation {
    target: StreamTag,
    api: OpenShift,
    registry: DockerTransport,
    access: Access,
}

impl AtomicLocation {
    pub(super) fn new(target: StreamTag, api: OpenShift, registry: DockerTransport, access: Access) -> Self {
        Self {
            target,
            api,
            registry,
            access,
        }
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

    /// An image of this name in the registry.
    async fn in_registry(&self, name: &str, purpose: Purpose) -> Result<Box<dyn Location>, TransportError> {
        self.registry.parse(&format!("//{name}"), purpose, &self.access).await
    }
}

#[async_trait]
impl Location for AtomicLocation {
    fn display(&self) -> String {
        format!("{NAME}:{}", self.target.canonical())
    }

    async fn open_source(self: Box<Self>) -> Result<Box<dyn ImageSource>, TransportError> {
        let tagged = self.api.tagged(self.target.tag()).await.map_err(failed)?;
        let missing = || TransportError::new(ErrorKind::ImageNotFound, "No matching tag found");
        let tagged = tagged.ok_or_else(missing)?;
        let name = self.target.seen_from_here(&tagged.docker_reference)?;
        let inner = self.in_registry(&name, Purpose::Source).await?.open_source().await?;
        let identity = self.identity();
        Ok(Box::new(AtomicSource::new(inner, identity, self.api, tagged.image)))
    }

    async fn open_destination(self: Box<Self>, source: &Identity) -> Result<Box<dyn ImageDestination>, TransportError> {
        let name = self.target.reference().to_string();
        let location = self.in_registry(&name, Purpose::Destination).await?;
        let inner = location.open_destination(source).await?;
        let identity = self.identity();
        Ok(Box::new(AtomicDestination::new(inner, identity, self.api)))
    }

    async fn delete(self: Box<Self>) -> Result<(), TransportError> {
        Err(TransportError::unsupported(NAME, "deleting images"))
    }

    async fn list(self: Box<Self>) -> Result<Vec<String>, TransportError> {
        Err(TransportError::unsupported(NAME, "listing images"))
    }
}
