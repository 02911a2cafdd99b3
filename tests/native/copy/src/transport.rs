use std::collections::BTreeMap;

use async_trait::async_trait;
use longshore_blob::Durability;
use longshore_copy::{Access, Identity, ImageDestination, ImageSource, Location, Purpose, Transport, TransportError};
use longshore_native_guest::export::{DestinationOpener, Reference, SourceOpener};
use longshore_native_guest::{Needs, Plan, Session};

use crate::destination::Destination;
use crate::source::Source;
use crate::thread::refused;

/// A plugin that is part of this program.
pub(crate) struct Plugin {
    name: &'static str,
    reference: Reference,
    source: SourceOpener,
    destination: DestinationOpener,
}

pub(crate) static DIR: Plugin = Plugin {
    name: "dir",
    reference: longshore_native_dir::REFERENCE,
    source: longshore_native_dir::SOURCE,
    destination: longshore_native_dir::DESTINATION,
};

pub(crate) static OCI: Plugin = Plugin {
    name: "oci",
    reference: longshore_native_oci::REFERENCE,
    source: longshore_native_oci::SOURCE,
    destination: longshore_native_oci::DESTINATION,
};

pub(crate) struct NativeTransport {
    pub(crate) plugin: &'static Plugin,
    pub(crate) durability: Durability,
}

#[async_trait]
impl Transport for NativeTransport {
    fn name(&self) -> &str {
        self.plugin.name
    }

    async fn parse(
        &self,
        reference: &str,
        purpose: Purpose,
        _access: &Access,
    ) -> Result<Box<dyn Location>, TransportError> {
        let purpose = match purpose {
            Purpose::Source => longshore_native_guest::Purpose::Source,
            Purpose::Destination => longshore_native_guest::Purpose::Destination,
            Purpose::Delete => longshore_native_guest::Purpose::Delete,
            Purpose::Enumerate => longshore_native_guest::Purpose::Enumerate,
        };
        let plan = Plan::default();
        (self.plugin.reference.parse)(reference, purpose, &plan).map_err(refused)?;
        Ok(Box::new(NativeLocation {
            plugin: self.plugin,
            reference: reference.to_owned(),
            needs: plan.into_needs(),
            durability: self.durability,
        }))
    }
}

/// A parsed reference; nothing is opened yet.
pub(crate) struct NativeLocation {
    plugin: &'static Plugin,
    reference: String,
    needs: Needs,
    durability: Durability,
}

impl NativeLocation {
    /// Begins the operation, on the thread that will own it.
    fn begin(self) -> Result<(Session, Identity), TransportError> {
        let session = Session::begin(self.reference, self.needs, self.durability);
        let identity = (self.plugin.reference.identify)(&session).map_err(refused)?;
        let identity = Identity {
            transport: self.plugin.name.to_owned(),
            canonical: identity.canonical,
            docker_reference: None,
            policy_identity: identity.policy_identity,
            policy_scopes: identity.policy_scopes,
        };
        Ok((session, identity))
    }
}

#[async_trait]
impl Location for NativeLocation {
    fn display(&self) -> String {
        format!("{}:{}", self.plugin.name, self.reference)
    }

    async fn open_source(self: Box<Self>) -> Result<Box<dyn ImageSource>, TransportError> {
        let open = self.plugin.source;
        Ok(Box::new(Source::open(move || self.begin(), open).await?))
    }

    async fn open_destination(
        self: Box<Self>,
        _source: &Identity,
    ) -> Result<Box<dyn ImageDestination>, TransportError> {
        let (open, durability) = (self.plugin.destination, self.durability);
        Ok(Box::new(
            Destination::open(move || self.begin(), open, durability).await?,
        ))
    }

    async fn delete(self: Box<Self>) -> Result<(), TransportError> {
        Err(TransportError::unsupported(self.plugin.name, "anything but a copy"))
    }

    async fn list(self: Box<Self>) -> Result<Vec<String>, TransportError> {
        Err(TransportError::unsupported(self.plugin.name, "anything but a copy"))
    }
}

/// A blob's description as plugins get it.
pub(crate) fn to_guest(info: &longshore_types::BlobInfo) -> longshore_native_guest::BlobInfo {
    let pairs = |map: &BTreeMap<String, String>| map.clone().into_iter().collect();
    longshore_native_guest::BlobInfo {
        digest: info.digest.as_ref().map(ToString::to_string),
        size: info.size,
        media_type: info.media_type.clone(),
        annotations: pairs(&info.annotations),
        urls: info.urls.clone(),
        extras: pairs(&info.extras),
    }
}
