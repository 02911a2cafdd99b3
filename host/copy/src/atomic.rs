//! `atomic:`: images in the registry of an OpenShift cluster, whose API server knows where they are and keeps their
//! signatures (AT-01, AT-02; formats, section 8).

mod certificates;
mod destination;
mod location;
mod reference;
mod source;

use std::sync::Arc;

use async_trait::async_trait;
use longshore_config::{ApiCredentials, ApiServer, Environment};
use longshore_registry::{Auth, OpenShift, OpenShiftAccess};
use longshore_types::ErrorKind;

use crate::access::Access;
use crate::docker::{DockerTransport, failed};
use crate::error::TransportError;
use crate::transport::{Location, Purpose, Transport};
use location::AtomicLocation;
use reference::StreamTag;

pub(crate) use reference::is_scope;

/// The transport's name.
pub(crate) const NAME: &str = "atomic";

/// Image streams of OpenShift, reached by the host itself like the registry behind them, and for the same reason: no
/// plugin ever sees that network or its credentials.
pub struct AtomicTransport {
    environment: Arc<Environment>,
}

impl AtomicTransport {
    /// `environment` says where the kubeconfig files are, and those with credentials and certificates for the registry.
    pub fn new(environment: Arc<Environment>) -> Self {
        Self { environment }
    }

    /// The API server of the current context.
    fn api(&self, target: &StreamTag, access: &Access) -> Result<OpenShift, TransportError> {
        let server = ApiServer::load(&self.environment);
        let server = server.map_err(|error| TransportError::wrap(error.kind(), error))?;
        let access = OpenShiftAccess {
            certificates: certificates::of(&server)?,
            server: server.url,
            auth: match server.credentials {
                None => Auth::Anonymous,
                Some(ApiCredentials::Token(token)) => Auth::RegistryToken(token),
                Some(ApiCredentials::Basic { username, password }) => Auth::Basic { username, password },
            },
            tls_verify: server.tls_verify,
            user_agent: access.user_agent.clone(),
        };
        OpenShift::new(access, target.namespace(), target.stream()).map_err(failed)
    }
}

#[async_trait]
impl Transport for AtomicTransport {
    fn name(&self) -> &str {
        NAME
    }

    async fn parse(&self, text: &str, purpose: Purpose, access: &Access) -> Result<Box<dyn Location>, TransportError> {
        let target = StreamTag::parse(text)?;
        match purpose {
            Purpose::Source | Purpose::Destination => {}
            // The reference implementation's own words.
            Purpose::Delete => {
                let text = "Deleting images not implemented for atomic: images";
                return Err(TransportError::new(ErrorKind::Unsupported, text));
            }
            Purpose::Enumerate => return Err(TransportError::unsupported(NAME, "listing images")),
        }
        let api = self.api(&target, access)?;
        let registry = DockerTransport::new(Arc::clone(&self.environment));
        Ok(Box::new(AtomicLocation::new(target, api, registry, access.clone())))
    }
}
