//! Blobs: read, asked about, mounted from another repository (formats, section 10.4).

use longshore_types::{Digest, ErrorKind};
use reqwest::{Method, StatusCode};

use crate::error::{RegistryError, Subject};
use crate::fault::Fault;
use crate::reply::Reply;
use crate::repository::Repository;
use crate::request::Call;
use crate::resume::BlobBody;
use crate::scope::Access;
use crate::upload::Upload;

impl Repository {
    /// Starts reading a blob (OP-02).
    ///
    /// Fails with [`ErrorKind::BlobNotFound`] if the registry does not have it.
    pub async fn blob(&self, digest: &Digest) -> Result<BlobBody, RegistryError> {
        let operation = format!("fetching blob {digest} from {}", self.name());
        match self.get_blob(digest).await {
            Ok(reply) => Ok(BlobBody::of_repository(reply, operation, self.clone(), digest.clone())),
            Err(fault) => Err(fault.during(Subject::Blob, operation)),
        }
    }

    async fn get_blob(&self, digest: &Digest) -> Result<Reply, Fault> {
        let scopes = self.scopes(Access::Read);
        let url = self.url(["blobs", digest.as_str()]).await?;
        let reply = self.client.send(Call::new(Method::GET, url, &scopes)).await?;
        match reply.status() {
            StatusCode::OK => Ok(reply),
            _ => Err(reply.refused().await),
        }
    }

    /// The size in bytes of a blob that the repository has; none if it has not (OP-04).
    ///
    /// A registry that does not tell the size counts as not having it: sending it again is right
    /// in any case.
    pub async fn blob_exists(&self, digest: &Digest) -> Result<Option<u64>, RegistryError> {
        self.head_blob(digest).await.map_err(|fault| {
            let operation = format!("checking whether a blob {digest} exists in {}", self.name());
            fault.during(Subject::Blob, operation)
        })
    }

    async fn head_blob(&self, digest: &Digest) -> Result<Option<u64>, Fault> {
        let scopes = self.scopes(Access::Read);
        let url = self.url(["blobs", digest.as_str()]).await?;
        let reply = self.client.send(Call::new(Method::HEAD, url, &scopes)).await?;
        match reply.status() {
            StatusCode::OK => Ok(reply.content_length()),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(reply.refused().await),
        }
    }

    /// Makes a blob of the repository `from` on the same registry appear in this one, without
    /// moving its bytes; `false` if the registry does not do it, and then the blob must be
    /// uploaded.
    ///
    /// A registry that answers by opening an upload session gets that session cancelled.
    pub async fn mount(&self, digest: &Digest, from: &str) -> Result<bool, RegistryError> {
        let mounted = self.post_mount(digest, from).await.map_err(|fault| {
            let target = self.name();
            let operation = format!("mounting blob {digest} from {from} into {target}");
            fault.during(Subject::Blob, operation)
        });
        match mounted {
            Err(error) if is_plain_refusal(&error) => {
                tracing::debug!("{error}");
                Ok(false)
            }
            mounted => mounted,
        }
    }

    async fn post_mount(&self, digest: &Digest, from: &str) -> Result<bool, Fault> {
        let scopes = self.scopes(Access::Write).and(from, Access::Read);
        let mut url = self.url(["blobs", "uploads", ""]).await?;
        url.query_pairs_mut()
            .append_pair("mount", digest.as_str())
            .append_pair("from", from);
        let reply = self.client.send(Call::new(Method::POST, url, &scopes)).await?;
        match reply.status() {
            StatusCode::CREATED => {
                reply.drain().await;
                Ok(true)
            }
            StatusCode::ACCEPTED => {
                Upload::opened(self.clone(), reply).await?.cancel().await;
                Ok(false)
            }
            _ => Err(reply.refused().await),
        }
    }
}

/// Whether the registry just does not want to mount, as against being out of order.
fn is_plain_refusal(error: &RegistryError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::AccessDenied | ErrorKind::BlobNotFound | ErrorKind::Unsupported
    ) || matches!(error.status(), Some(400 | 404))
}
