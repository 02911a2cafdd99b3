use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_blob::ChunkSource;
use longshore_types::{Algorithm, BlobInfo, Digest, ErrorKind, PlatformWish, RawManifest, media_type};
use tokio::sync::Barrier;

use crate::error::TransportError;
use crate::source::{Body, ImageSource};
use crate::transport::Identity;

/// How a source treats one of its blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Missing,
    Cut,
    Longer,
    Altered,
    ClaimsOtherSize,
    /// Never ends.
    Endless,
}

/// A source's image.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeImage {
    pub(crate) top: Option<RawManifest>,
    pub(crate) instances: HashMap<Digest, RawManifest>,
    pub(crate) blobs: HashMap<Digest, Bytes>,
    pub(crate) faults: HashMap<Digest, Fault>,
    pub(crate) signatures: Vec<Vec<u8>>,
    /// What the source has in the place of the layers that the manifest names.
    pub(crate) other_layers: Option<Vec<BlobInfo>>,
    /// No layer comes before so many are asked for.
    pub(crate) meeting: Option<Arc<Barrier>>,
}

/// A layer as the tests describe one: its bytes and media type.
pub(crate) type FakeLayer<'a> = (&'a [u8], &'a str);

impl FakeImage {
    /// An OCI image of these layers, with a config that lists `diff_ids`.
    pub(crate) fn oci(layers: &[FakeLayer<'_>], diff_ids: &[Digest]) -> Self {
        Self::new(media_type::OCI_MANIFEST, media_type::OCI_CONFIG, layers, diff_ids)
    }

    /// A docker schema 2 image of these layers.
    pub(crate) fn docker(layers: &[FakeLayer<'_>]) -> Self {
        Self::new(media_type::DOCKER_MANIFEST, media_type::DOCKER_CONFIG, layers, &[])
    }

    fn new(manifest_type: &str, config_type: &str, layers: &[FakeLayer<'_>], diff_ids: &[Digest]) -> Self {
        let diff_ids: Vec<String> = diff_ids.iter().map(|digest| format!("\"{digest}\"")).collect();
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
            diff_ids.join(",")
        );
        let mut image = Self::default();
        let config = image.add(config.as_bytes(), config_type);
        let layers: Vec<String> = layers
            .iter()
            .map(|(bytes, media_type)| image.add(bytes, media_type))
            .collect();
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{manifest_type}","config":{config},"layers":[{}]}}"#,
            layers.join(",")
        );
        image.top = Some(RawManifest::new(manifest, Some(manifest_type)).unwrap());
        image
    }

    fn add(&mut self, bytes: &[u8], media_type: &str) -> String {
        let digest = Digest::sha256(bytes);
        self.blobs.insert(digest.clone(), Bytes::copy_from_slice(bytes));
        format!(
            r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{}}}"#,
            bytes.len()
        )
    }

    /// The same image behind an index with one entry for the running platform; `edit` may make the index lie.
    pub(crate) fn listed(mut self, edit: impl FnOnce(String) -> String) -> Self {
        let manifest = self.top.take().unwrap();
        let digest = manifest.digest(Algorithm::Sha256);
        let wish = PlatformWish::running();
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{digest}","size":{},"platform":{{"architecture":"{}","os":"{}"}}}}]}}"#,
            media_type::OCI_INDEX,
            manifest.media_type(),
            manifest.size(),
            wish.architecture,
            wish.os,
        );
        self.instances.insert(digest, manifest);
        self.top = Some(RawManifest::new(edit(index), Some(media_type::OCI_INDEX)).unwrap());
        self
    }

    /// An image whose one layer has no end that anybody lives to see.
    pub(crate) fn endless() -> Self {
        let image = Self::oci(&[(b"endless", "application/vnd.oci.image.layer.v1.tar")], &[])
            .with_fault(b"endless", Fault::Endless);
        image.edited(|text| text.replace("\"size\":7}", "\"size\":1152921504606846976}"))
    }

    /// One more layer on top.
    pub(crate) fn and_layer(mut self, bytes: &[u8]) -> Self {
        let layer = self.add(bytes, "application/vnd.oci.image.layer.v1.tar");
        self.edited(|text| text.replace("}]}", &format!("}},{layer}]}}")))
    }

    /// One more blob, which no manifest needs to name.
    pub(crate) fn and_blob(mut self, bytes: &[u8]) -> Self {
        self.add(bytes, "");
        self
    }

    fn edited(mut self, edit: impl FnOnce(&str) -> String) -> Self {
        let manifest = self.top.take().unwrap();
        let text = std::str::from_utf8(manifest.bytes()).unwrap();
        let edited = edit(text);
        assert_ne!(text, edited);
        self.top = Some(RawManifest::new(edited, Some(manifest.media_type())).unwrap());
        self
    }

    pub(crate) fn with_fault(mut self, blob: &[u8], fault: Fault) -> Self {
        self.faults.insert(Digest::sha256(blob), fault);
        self
    }

    pub(crate) fn manifest_digest(&self) -> Digest {
        self.top.as_ref().unwrap().digest(Algorithm::Sha256)
    }
}

pub(super) struct FakeSource {
    pub(super) identity: Identity,
    pub(super) image: Arc<FakeImage>,
}

#[async_trait]
impl ImageSource for FakeSource {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    async fn manifest(&self, instance: Option<&Digest>) -> Result<RawManifest, TransportError> {
        let found = match instance {
            None => self.image.top.as_ref(),
            Some(digest) => self
                .image
                .instances
                .get(digest)
                .or(self.image.instances.values().next()),
        };
        found
            .cloned()
            .ok_or_else(|| TransportError::new(ErrorKind::ImageNotFound, "no such image"))
    }

    async fn layers(&self, _instance: Option<&Digest>) -> Result<Option<Vec<BlobInfo>>, TransportError> {
        Ok(self.image.other_layers.clone())
    }

    async fn blob(&self, info: &BlobInfo) -> Result<Body, TransportError> {
        let digest = info.digest.as_ref().unwrap();
        let missing = || TransportError::new(ErrorKind::BlobNotFound, "no such blob");
        let bytes = self.image.blobs.get(digest).ok_or_else(missing)?.clone();
        if let (Some(meeting), Some("layer")) = (&self.image.meeting, info.role()) {
            meeting.wait().await;
        }
        let mut size = None;
        let bytes = match self.image.faults.get(digest) {
            None => bytes,
            Some(Fault::Missing) => return Err(missing()),
            Some(Fault::Cut) => bytes.slice(..bytes.len() - 1),
            Some(Fault::Longer) => [&bytes[..], b"x"].concat().into(),
            Some(Fault::Altered) => bytes.iter().map(|byte| byte ^ 1).collect::<Vec<u8>>().into(),
            Some(Fault::ClaimsOtherSize) => {
                size = Some(bytes.len() as u64 + 1);
                bytes
            }
            Some(Fault::Endless) => {
                return Ok(Body {
                    source: Box::new(Endless),
                    size: None,
                });
            }
        };
        Ok(Body {
            source: Box::new(Pieces(bytes)),
            size,
        })
    }

    async fn blob_size(&self, info: &BlobInfo) -> Result<Option<u64>, TransportError> {
        let digest = info.digest.as_ref().unwrap();
        Ok(self.image.blobs.get(digest).map(|bytes| bytes.len() as u64))
    }

    async fn signatures(&self, _: Option<&Digest>) -> Result<Vec<Vec<u8>>, TransportError> {
        Ok(self.image.signatures.clone())
    }
}

/// Bytes in pieces that no boundary of the blob's own fits.
struct Pieces(Bytes);

impl ChunkSource for Pieces {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let count = self.0.len().min(5);
        Ok((count > 0).then(|| self.0.split_to(count)))
    }
}

struct Endless;

impl ChunkSource for Endless {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        Ok(Some(Bytes::from_static(b"more")))
    }
}
