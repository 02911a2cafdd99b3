//! `docker://`: images in registries.

mod attachments;
mod certificates;
mod destination;
mod elsewhere;
pub(crate) mod extension;
mod location;
mod lookaside;
mod reference;
mod signatures;
mod source;
mod stream;

use std::sync::Arc;

use async_trait::async_trait;
use longshore_config::{AuthStore, Credentials, Environment};
use longshore_registry::{Auth, Client, Problem, RegistryError};
use longshore_types::{ErrorKind, Reference};

use crate::access::{Access, CredentialChoice};
use crate::error::TransportError;
use crate::transport::{Location, Purpose, Transport};
pub(crate) use elsewhere::Elsewhere;
use location::DockerLocation;
use reference::Target;

/// The transport's name.
pub(crate) const NAME: &str = "docker";

/// Registries, reached by the host itself: no plugin ever sees their network or credentials.
pub struct DockerTransport {
    environment: Arc<Environment>,
}

impl DockerTransport {
    /// `environment` says where files with credentials and certificates are.
    pub fn new(environment: Arc<Environment>) -> Self {
        Self { environment }
    }

    async fn client(&self, reference: &Reference, access: &Access) -> Result<Client, TransportError> {
        let auth = self.auth(reference, access).await?;
        let mut builder = Client::builder(reference.domain()).auth(auth);
        if let Some(verify) = access.tls_verify {
            builder = builder.tls_verify(verify);
        }
        if let Some(user_agent) = &access.user_agent {
            builder = builder.user_agent(user_agent);
        }
        let certificates = certificates::load(reference.domain(), access, &self.environment)?;
        builder.certificates(certificates).build().map_err(failed)
    }

    async fn auth(&self, reference: &Reference, access: &Access) -> Result<Auth, TransportError> {
        let credentials = match &access.credentials {
            CredentialChoice::Anonymous => return Ok(Auth::Anonymous),
            CredentialChoice::RegistryToken(token) => return Ok(Auth::RegistryToken(token.expose().to_owned())),
            CredentialChoice::Given(credentials) => Some(credentials.clone()),
            CredentialChoice::Stored => self.stored(reference, access).await?,
        };
        Ok(match credentials {
            None => Auth::Anonymous,
            Some(Credentials::Basic { username, password }) => Auth::Basic { username, password },
            Some(Credentials::IdentityToken { token, .. }) => Auth::IdentityToken(token),
        })
    }

    async fn stored(&self, reference: &Reference, access: &Access) -> Result<Option<Credentials>, TransportError> {
        let store = AuthStore::load(access.authfile.as_deref(), &self.environment);
        let reference = reference.clone();
        // A credential helper may take its time.
        let found = tokio::task::spawn_blocking(move || store.lookup_reference(&reference)).await;
        let found = found.map_err(|error| TransportError::wrap(ErrorKind::Other, error))?;
        found.map_err(|error| TransportError::wrap(error.kind(), error))
    }
}

#[async_trait]
impl Transport for DockerTransport {
    fn name(&self) -> &str {
        NAME
    }

    async fn parse(&self, text: &str, purpose: Purpose, access: &Access) -> Result<Box<dyn Location>, TransportError> {
        let target = Target::parse(text, purpose)?;
        let client = self.client(target.reference(), access).await?;
        let environment = Arc::clone(&self.environment);
        Ok(Box::new(DockerLocation::new(client, target, environment)))
    }
}

/// The full name, `domain/path`, of the repository that a reference such as `//busybox` names (LT-02).
pub(crate) fn repository_name(text: &str) -> Result<String, TransportError> {
    Ok(Target::parse(text, Purpose::Enumerate)?.reference().name())
}

pub(crate) fn failed(error: RegistryError) -> TransportError {
    let (kind, repeat) = (error.kind(), matches!(error.problem(), Problem::PiecesOnly(_)));
    let error = TransportError::wrap(kind, error);
    if repeat { error.wanting_repeat() } else { error }
}
