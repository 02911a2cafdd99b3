//! Manifests: read, asked about, written, deleted (formats, section 10.3).

use bytes::Bytes;
use longshore_types::{Digest, MAX_MANIFEST_SIZE};
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};

use crate::error::{Problem, RegistryError, Subject};
use crate::fault::{Fault, shown};
use crate::limits::COMMIT_STALLS;
use crate::reply::Reply;
use crate::repository::Repository;
use crate::request::Call;
use crate::scope::Access;

/// The manifest types that are asked for, one header line each, in skopeo's order (TD-07).
const ACCEPTED: [&str; 6] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    SIGNED_SCHEMA1,
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
];

/// Its digest is not that of all its bytes.
const SIGNED_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// A manifest as the registry sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The bytes, at most [`MAX_MANIFEST_SIZE`].
    pub bytes: Bytes,
    /// The Content-Type without parameters, if there was one.
    pub media_type: Option<String>,
    /// The URL that answered, fit to be shown.
    pub url: String,
}

/// What a registry says about a manifest without sending it. Nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestHead {
    /// Docker-Content-Digest, if it is a digest.
    pub digest: Option<Digest>,
    /// Content-Length, in bytes.
    pub size: Option<u64>,
    /// The Content-Type without parameters.
    pub media_type: Option<String>,
}

impl Repository {
    /// Reads a manifest by tag or digest (OP-01). One that was asked for by digest has that
    /// digest; only a signed schema 1 manifest is for the caller to check.
    ///
    /// Fails with [`ErrorKind::ImageNotFound`](longshore_types::ErrorKind::ImageNotFound) if the
    /// registry does not have it.
    pub async fn manifest(&self, reference: &str) -> Result<Fetched, RegistryError> {
        self.fetch(reference).await.map_err(|fault| {
            let operation = format!("reading manifest {reference} in {}", self.name());
            fault.during(Subject::Manifest, operation)
        })
    }

    async fn fetch(&self, reference: &str) -> Result<Fetched, Fault> {
        let reply = found(self.get(["manifests", reference], accept()).await?).await?;
        let (line, url) = (reply.line(), shown(reply.url()));
        let media_type = media_type(&reply);
        let bytes = reply.body(MAX_MANIFEST_SIZE).await?;
        if let Ok(digest) = Digest::parse(reference)
            && media_type.as_deref() != Some(SIGNED_SCHEMA1)
            && Digest::of(digest.algorithm(), &bytes) != digest
        {
            let text = format!("manifest does not match provided manifest digest {digest}");
            return Err(Fault::new(Problem::Malformed(text), line));
        }
        Ok(Fetched { bytes, media_type, url })
    }

    /// Asks whether a manifest is there and what it is, by tag or digest.
    pub async fn manifest_head(&self, reference: &str) -> Result<ManifestHead, RegistryError> {
        let reply = self.head(reference).await;
        let reply = reply.map_err(|fault| {
            let operation = format!("reading digest {reference} in {}", self.name());
            fault.during(Subject::Manifest, operation)
        })?;
        let digest = reply.header(CONTENT_DIGEST);
        Ok(ManifestHead {
            digest: digest.and_then(|text| Digest::parse(text).ok()),
            size: reply.content_length(),
            media_type: media_type(&reply),
        })
    }

    async fn head(&self, reference: &str) -> Result<Reply, Fault> {
        let scopes = self.scopes(Access::Read);
        let url = self.url(["manifests", reference]).await?;
        let mut call = Call::new(Method::HEAD, url, &scopes);
        call.headers = accept();
        found(self.client.send(call).await?).await
    }

    /// Writes a manifest under a tag or its digest (OP-07).
    ///
    /// Fails with [`ErrorKind::ManifestTypeRejected`](longshore_types::ErrorKind) if another
    /// manifest type may do.
    pub async fn put_manifest(&self, reference: &str, bytes: Bytes, media_type: &str) -> Result<(), RegistryError> {
        let operation = || format!("uploading manifest {reference} to {}", self.name());
        let content_type = HeaderValue::from_str(media_type)
            .map_err(|_| RegistryError::setup(operation(), "the media type is no header value"))?;
        self.put(reference, bytes, content_type)
            .await
            .map_err(|fault| fault.during(Subject::NewManifest, operation()))
    }

    async fn put(&self, reference: &str, bytes: Bytes, kind: HeaderValue) -> Result<(), Fault> {
        let scopes = self.scopes(Access::Write);
        let url = self.url(["manifests", reference]).await?;
        let mut call = Call::new(Method::PUT, url, &scopes);
        call.headers.insert(CONTENT_TYPE, kind);
        call.headers.insert(CONTENT_LENGTH, bytes.len().into());
        call.body = Some(bytes);
        call.stalls = COMMIT_STALLS;
        let reply = self.client.send(call).await?;
        if !reply.status().is_success() {
            return Err(reply.refused().await);
        }
        reply.drain().await;
        Ok(())
    }

    /// Deletes a manifest, and with it every tag that names it (DL-03).
    pub async fn delete_manifest(&self, digest: &Digest) -> Result<(), RegistryError> {
        self.delete(digest).await.map_err(|fault| {
            let operation = format!("deleting {}@{digest}", self.name());
            fault.during(Subject::Manifest, operation)
        })
    }

    async fn delete(&self, digest: &Digest) -> Result<(), Fault> {
        let scopes = self.scopes(Access::Delete);
        let url = self.url(["manifests", digest.as_str()]).await?;
        let mut call = Call::new(Method::DELETE, url, &scopes);
        call.headers = accept();
        let reply = self.client.send(call).await?;
        if reply.status() != StatusCode::ACCEPTED {
            return Err(reply.refused().await);
        }
        reply.drain().await;
        Ok(())
    }
}

fn accept() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for media_type in ACCEPTED {
        headers.append(ACCEPT, HeaderValue::from_static(media_type));
    }
    headers
}

async fn found(reply: Reply) -> Result<Reply, Fault> {
    match reply.status() {
        StatusCode::OK => Ok(reply),
        _ => Err(reply.refused().await),
    }
}

fn media_type(reply: &Reply) -> Option<String> {
    let value = reply.header(CONTENT_TYPE)?;
    let essence = value.split(';').next().unwrap_or_default().trim();
    (!essence.is_empty()).then(|| essence.to_owned())
}
