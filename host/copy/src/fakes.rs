//! Images and destinations in memory, honest and hostile.

#![allow(clippy::unwrap_used)]

mod image;
mod judge;
mod store;

use std::sync::Arc;

use async_trait::async_trait;
use longshore_types::{ErrorKind, ImageName};

pub(crate) use image::{FakeImage, Fault};
pub(crate) use judge::{Answer, FakeEvaluators, anything};
pub(crate) use store::FakeStore;

use crate::access::Access;
use crate::destination::ImageDestination;
use crate::error::TransportError;
use crate::source::ImageSource;
use crate::transport::{Identity, Location, Purpose, Transport};
use crate::transports::{Endpoint, Transports};
use image::FakeSource;
use store::FakeDestination;

/// `fake:source` and `fake:destination`.
pub(crate) struct FakeTransport {
    pub(crate) image: Arc<FakeImage>,
    pub(crate) store: Arc<FakeStore>,
}

/// A transport with both, and how to name them.
pub(crate) fn transports(image: FakeImage, store: &Arc<FakeStore>) -> (Transports, Endpoint, Endpoint) {
    let transport: Arc<dyn Transport> = Arc::new(FakeTransport {
        image: Arc::new(image),
        store: Arc::clone(store),
    });
    let transports = Transports::new([transport]);
    let named = |text: &str| Endpoint {
        name: ImageName::parse(text, ["fake"]).unwrap(),
        access: Access::default(),
    };
    (transports, named("fake:source"), named("fake:destination"))
}

fn identity(reference: &str) -> Identity {
    Identity {
        transport: "fake".into(),
        canonical: reference.into(),
        docker_reference: None,
        policy_identity: reference.into(),
        policy_scopes: Vec::new(),
    }
}

#[async_trait]
impl Transport for FakeTransport {
    fn name(&self) -> &str {
        "fake"
    }

    async fn parse(&self, reference: &str, _: Purpose, _: &Access) -> Result<Box<dyn Location>, TransportError> {
        match reference {
            "source" | "destination" => Ok(Box::new(FakeLocation {
                identity: identity(reference),
                image: Arc::clone(&self.image),
                store: Arc::clone(&self.store),
            })),
            other => Err(TransportError::new(
                ErrorKind::InvalidReference,
                format!("no such reference {other:?}"),
            )),
        }
    }
}

struct FakeLocation {
    identity: Identity,
    image: Arc<FakeImage>,
    store: Arc<FakeStore>,
}

#[async_trait]
impl Location for FakeLocation {
    fn display(&self) -> String {
        self.identity.display()
    }

    async fn open_source(self: Box<Self>) -> Result<Box<dyn ImageSource>, TransportError> {
        Ok(Box::new(FakeSource {
            identity: self.identity.clone(),
            image: Arc::clone(&self.image),
        }))
    }

    async fn open_destination(self: Box<Self>, _: &Identity) -> Result<Box<dyn ImageDestination>, TransportError> {
        self.store.happened.lock().unwrap().opened += 1;
        let identity = Identity {
            docker_reference: self.store.reference.clone(),
            ..self.identity.clone()
        };
        Ok(Box::new(FakeDestination {
            identity,
            store: Arc::clone(&self.store),
        }))
    }

    async fn delete(self: Box<Self>) -> Result<(), TransportError> {
        Err(TransportError::unsupported("fake", "deletion"))
    }

    async fn list(self: Box<Self>) -> Result<Vec<String>, TransportError> {
        Ok(vec!["source".into()])
    }
}
