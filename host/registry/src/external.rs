//! Blobs that lie elsewhere, at the URLs of a descriptor (OP-03).

use bytes::Bytes;
use longshore_types::Digest;
use reqwest::{Method, Request, StatusCode};
use url::Url;

use crate::client::Client;
use crate::error::{Problem, RegistryError, Subject};
use crate::fault::{Fault, shown};
use crate::limits::MAX_EXTERNAL_URLS;
use crate::reply::Reply;
use crate::resume::BlobBody;

impl Client {
    /// Starts reading a blob at the first of its own URLs that gives it; none if none of them is of a kind that can be
    /// asked. Those are https, and http for a client that does not insist on TLS.
    ///
    /// The hosts are whoever the image's author chose: they see neither credentials nor certificates of ours. Fails with
    /// what the last host said if all fail.
    pub async fn external_blob(&self, digest: &Digest, urls: &[String]) -> Result<Option<BlobBody>, RegistryError> {
        let mut failure = None;
        let usable = urls.iter().filter_map(|text| self.usable(text));
        for url in usable.take(MAX_EXTERNAL_URLS) {
            let operation = format!("fetching blob {digest} from {}", shown(&url));
            match self.get_external(url).await {
                Ok(reply) => return Ok(Some(BlobBody::of_elsewhere(reply, operation))),
                Err(fault) => {
                    let error = fault.during(Subject::Blob, operation);
                    tracing::info!("{error}");
                    failure = Some(error);
                }
            }
        }
        failure.map_or(Ok(None), Err)
    }

    fn usable(&self, text: &str) -> Option<Url> {
        let mut url = Url::parse(text).ok()?;
        let allowed = match url.scheme() {
            "https" => true,
            "http" => !self.inner.tls_verify,
            _ => false,
        };
        if !allowed {
            tracing::warn!("passing over {}: only https is taken", shown(&url));
            return None;
        }
        // Neither fails for a URL with a host. What an author wrote there is nobody's credentials.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Some(url)
    }

    /// A small document of another server than the registry, at most `limit` bytes, asked for without credentials of
    /// ours; none if the server has none there.
    pub async fn external_document(&self, url: &Url, limit: usize) -> Result<Option<Bytes>, RegistryError> {
        let read = async {
            let http = self.outside_http().await?;
            let reply = self
                .send_once_by(http, Request::new(Method::GET, url.clone()), 1)
                .await?;
            match reply.status() {
                StatusCode::OK => reply.body(limit).await.map(Some),
                StatusCode::NOT_FOUND => Ok(None),
                status => {
                    let text = format!("the server answered {status}");
                    Err(Fault::new(Problem::Network(text), reply.line()))
                }
            }
        };
        let read = read.await;
        read.map_err(|fault: Fault| fault.during(Subject::Other, format!("fetching {}", shown(url))))
    }

    async fn get_external(&self, url: Url) -> Result<Reply, Fault> {
        let http = self.outside_http().await?;
        let request = Request::new(Method::GET, url);
        let reply = self.send_once_by(http, request, 1).await?;
        match reply.status() {
            StatusCode::OK => Ok(reply),
            status => {
                let text = format!("the server answered {status} instead of the blob");
                Err(Fault::new(Problem::Network(text), reply.line()))
            }
        }
    }
}
