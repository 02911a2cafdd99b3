use async_trait::async_trait;
use longshore_types::{RawManifest, Reference};

use crate::access::Access;
use crate::destination::ImageDestination;
use crate::error::TransportError;
use crate::source::ImageSource;

/// A kind of place that can hold images, such as `docker` or `oci`.
#[async_trait]
pub trait Transport: Send + Sync {
    /// The word before the colon of an image name.
    fn name(&self) -> &str;

    /// Reads the text after the colon. Nothing is opened, looked up or created.
    async fn parse(
        &self,
        reference: &str,
        purpose: Purpose,
        access: &Access,
    ) -> Result<Box<dyn Location>, TransportError>;
}

/// What a name was given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To read an image.
    Source,
    /// To write an image.
    Destination,
    /// To remove an image.
    Delete,
    /// To list the images or tags there.
    Enumerate,
}

/// A parsed reference of one transport; nothing behind it has been touched yet. It is good for one use.
///
/// Each method is one ability. What a transport lacks answers with [`TransportError::unsupported`].
#[async_trait]
pub trait Location: Send + Sync {
    /// `transport:reference`, for messages.
    fn display(&self) -> String;

    /// Does what takes its time before `manifest` can be written and changes nothing there, such as finding out how a
    /// registry wants to be asked and whether it has that already. It may be left out.
    async fn prepare(&self, _manifest: &RawManifest) -> Result<(), TransportError> {
        Ok(())
    }

    /// Opens the image for reading. An image that is not there may also show up only with the first manifest.
    async fn open_source(self: Box<Self>) -> Result<Box<dyn ImageSource>, TransportError>;

    /// Opens the place for writing. `source` is what will be copied there; a registry mounts blobs from another of its repositories with it.
    async fn open_destination(self: Box<Self>, source: &Identity) -> Result<Box<dyn ImageDestination>, TransportError>;

    /// Removes the image.
    async fn delete(self: Box<Self>) -> Result<(), TransportError>;

    /// The images or tags there, in the order in which they are stored.
    async fn list(self: Box<Self>) -> Result<Vec<String>, TransportError>;
}

/// Who an opened image is, in messages and to the signature policy.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The transport's name.
    pub transport: String,
    /// The reference in the form that the transport prints.
    pub canonical: String,
    /// The docker-style name, if it has one.
    pub docker_reference: Option<Reference>,
    /// What policy.json calls it; empty if the transport has no names there (SC-04).
    pub policy_identity: String,
    /// More general names, the most specific first (SC-01).
    pub policy_scopes: Vec<String>,
}

impl Identity {
    /// `transport:reference`, for messages.
    pub fn display(&self) -> String {
        format!("{}:{}", self.transport, self.canonical)
    }
}
