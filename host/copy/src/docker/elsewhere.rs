//! Blobs that a storage does not have but that their descriptors say where to find (OC-08).

use longshore_registry::Client;
use longshore_types::{BlobInfo, Digest};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::failed;
use super::stream::ChannelSource;
use crate::access::Access;
use crate::error::TransportError;
use crate::source::Body;

/// Who fetches them. The hosts are whoever an image's author chose: they see neither credentials nor certificates.
pub(crate) struct Elsewhere {
    verify: bool,
    user_agent: Option<String>,
    /// Ends the downloads when their reader goes.
    _open: DropGuard,
    closed: CancellationToken,
}

impl Elsewhere {
    pub(crate) fn new(access: &Access) -> Self {
        let closed = CancellationToken::new();
        Self {
            verify: access.tls_verify.unwrap_or(true),
            user_agent: access.user_agent.clone(),
            _open: closed.clone().drop_guard(),
            closed,
        }
    }

    /// Starts reading a blob at the first of its URLs that gives it; none if there is no URL that can be asked.
    pub(crate) async fn fetch(&self, digest: &Digest, info: &BlobInfo) -> Result<Option<Body>, TransportError> {
        if info.urls.is_empty() {
            return Ok(None);
        }
        // No registry is asked: the name is nobody's.
        let mut client = Client::builder("localhost").tls_verify(self.verify);
        if let Some(user_agent) = &self.user_agent {
            client = client.user_agent(user_agent);
        }
        let client = client.build().map_err(failed)?;
        let body = client.external_blob(digest, &info.urls).await.map_err(failed)?;
        Ok(body.map(|body| Body {
            size: body.size(),
            source: Box::new(ChannelSource::start(body, self.closed.clone())),
        }))
    }
}
