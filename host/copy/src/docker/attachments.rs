//! Sigstore signatures that lie in the registry itself: the layers of a manifest whose tag is made of the digest that
//! they are about (RD-10, SS-12; formats, section 11.4).

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use longshore_registry::{RegistryError, Repository};
use longshore_sign::SigstoreSignature;
use longshore_types::{Descriptor, Digest, ErrorKind, ImageManifest, Kind, Parsed, json, media_type};
use serde_json::{Value, json};

use super::failed;
use super::location::manifest;
use crate::error::TransportError;
use crate::image::MAX_CONFIG_SIZE;

/// Most attachments of one manifest: each costs a request, and a manifest of 4 MiB can name thousands.
const MAX_ATTACHMENTS: usize = 128;

/// Most bytes that the attachments of one manifest may have together.
const MAX_BYTES: u64 = 4 << 20;

/// The attachments in a repository.
#[derive(Clone, Debug)]
pub(super) struct Attachments {
    repository: Repository,
}

impl Attachments {
    pub(super) fn new(repository: Repository) -> Self {
        Self { repository }
    }

    /// The attachments of a manifest in the stored form of signatures, whatever they are: who uses them goes by their
    /// types.
    pub(super) async fn read(&self, digest: &Digest) -> Result<Vec<Vec<u8>>, TransportError> {
        let Some(manifest) = self.manifest(digest).await? else {
            return Ok(Vec::new());
        };
        let total = manifest
            .layers
            .iter()
            .try_fold(0_u64, |sum, layer| sum.checked_add(layer.size));
        if total.is_none_or(|total| total > MAX_BYTES) {
            let text = format!("they have more than {MAX_BYTES} bytes together");
            return Err(self.invalid(digest, &text));
        }
        let mut stored = Vec::new();
        for layer in manifest.layers {
            let payload = self.blob(digest, &layer).await?;
            let signature = SigstoreSignature {
                media_type: layer.media_type,
                payload,
                annotations: layer.annotations,
            };
            stored.push(signature.to_stored().map_err(internal)?);
        }
        Ok(stored)
    }

    /// Adds signatures to those that a manifest has, without those that are there already. The manifest of the
    /// attachments, its other layers and what its config says stay.
    pub(super) async fn add(&self, digest: &Digest, signatures: &[SigstoreSignature]) -> Result<(), TransportError> {
        let found = self.manifest(digest).await?;
        let mut layers = found.as_ref().map(|found| found.layers.clone()).unwrap_or_default();
        let mut added = Vec::new();
        for signature in signatures {
            let layer = descriptor(signature);
            if !layers.iter().any(|other| is_same(other, &layer)) {
                added.push((layer.digest.clone(), &signature.payload));
                layers.push(layer);
            }
        }
        if added.is_empty() {
            return Ok(());
        }
        if layers.len() > MAX_ATTACHMENTS {
            return Err(self.invalid(digest, &format!("they would be more than {MAX_ATTACHMENTS}")));
        }
        let mut config = match &found {
            Some(found) => self.config(digest, found).await?,
            None => json!({"architecture": "", "os": ""}),
        };
        let Some(ids) = diff_ids(&mut config) else {
            return Err(self.invalid(digest, "their config has diff_ids that are no list"));
        };
        for (blob, payload) in added {
            ids.push(blob.to_string().into());
            self.put_blob(&blob, payload).await?;
        }
        let config = json::to_vec(&config).map_err(internal)?;
        let config_digest = Digest::sha256(&config);
        self.put_blob(&config_digest, &config).await?;
        let config = Descriptor::new(media_type::OCI_CONFIG, config_digest, config.len() as u64);
        let manifest = match found {
            Some(found) => found.with_config(config).with_layers(layers),
            None => ImageManifest::new(Kind::Oci, config, layers),
        };
        let manifest = manifest.to_raw().map_err(internal)?;
        let bytes = Bytes::from_owner(manifest.shared_bytes());
        let put = self
            .repository
            .put_manifest(&tag(digest), bytes, manifest.media_type())
            .await;
        put.map_err(failed)
    }

    /// Removes the attachments of a manifest, if there are any.
    pub(super) async fn remove(&self, digest: &Digest) -> Result<(), TransportError> {
        match self.repository.manifest(&tag(digest)).await {
            Ok(found) => {
                let digest = Digest::sha256(&found.bytes);
                self.repository.delete_manifest(&digest).await.map_err(failed)
            }
            Err(error) if error.kind() == ErrorKind::ImageNotFound => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    async fn manifest(&self, digest: &Digest) -> Result<Option<ImageManifest>, TransportError> {
        let fetched = match self.repository.manifest(&tag(digest)).await {
            Ok(fetched) => fetched,
            Err(error) if error.kind() == ErrorKind::ImageNotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let manifest = manifest(fetched)?;
        if manifest.media_type() != media_type::OCI_MANIFEST {
            let text = format!("unexpected MIME type of their manifest: {:?}", manifest.media_type());
            return Err(self.invalid(digest, &text));
        }
        match manifest.parse() {
            Ok(Parsed::Image(image)) if image.layers.len() > MAX_ATTACHMENTS => {
                Err(self.invalid(digest, &format!("they are more than {MAX_ATTACHMENTS}")))
            }
            Ok(Parsed::Image(image)) => Ok(Some(image)),
            Ok(Parsed::List(_)) => Err(self.invalid(digest, "their manifest is a list")),
            Err(error) => Err(self.invalid(digest, &error.to_string())),
        }
    }

    async fn config(&self, digest: &Digest, manifest: &ImageManifest) -> Result<Value, TransportError> {
        if manifest.config.size > MAX_CONFIG_SIZE {
            let text = format!("their config has more than {MAX_CONFIG_SIZE} bytes");
            return Err(self.invalid(digest, &text));
        }
        let bytes = self.blob(digest, &manifest.config).await?;
        let config = json::parse(&bytes).map_err(|error| self.invalid(digest, &format!("their config: {error}")))?;
        if config.is_object() {
            Ok(config)
        } else {
            Err(self.invalid(digest, "their config is no JSON object"))
        }
    }

    /// Reads a small blob whole and checks it against what named it.
    async fn blob(&self, digest: &Digest, named: &Descriptor) -> Result<Vec<u8>, TransportError> {
        let mut body = self.repository.blob(&named.digest).await.map_err(failed)?;
        let mut bytes = Vec::new();
        let mut left = named.size;
        while let Some(chunk) = body.next().await.transpose().map_err(failed)? {
            let Some(rest) = left.checked_sub(chunk.len() as u64) else {
                let text = format!("{} has more than the {} bytes it should have", named.digest, named.size);
                return Err(self.invalid(digest, &text));
            };
            left = rest;
            bytes.extend_from_slice(&chunk);
        }
        if left > 0 || Digest::of(named.digest.algorithm(), &bytes) != named.digest {
            let text = format!("what was sent for {} is not what that names", named.digest);
            return Err(self.invalid(digest, &text));
        }
        Ok(bytes)
    }

    async fn put_blob(&self, digest: &Digest, bytes: &[u8]) -> Result<(), TransportError> {
        if self.repository.blob_exists(digest).await.map_err(failed)?.is_some() {
            return Ok(());
        }
        let mut upload = self.repository.start_upload().await.map_err(failed)?;
        let body = stream::iter([Ok::<_, RegistryError>(Bytes::copy_from_slice(bytes))]);
        upload.send(body, Some(bytes.len() as u64)).await.map_err(failed)?;
        upload.finish(digest).await.map_err(failed)
    }

    /// An error about the attachments of a manifest.
    fn invalid(&self, digest: &Digest, reason: &str) -> TransportError {
        let (name, tag) = (self.repository.name(), tag(digest));
        TransportError::new(
            ErrorKind::InvalidData,
            format!("sigstore attachments {name}:{tag}: {reason}"),
        )
    }
}

/// The tag of the manifest that has the attachments of another one.
fn tag(digest: &Digest) -> String {
    format!("{}-{}.sig", digest.algorithm(), digest.hex())
}

/// How a manifest of attachments names a signature.
fn descriptor(signature: &SigstoreSignature) -> Descriptor {
    let digest = Digest::sha256(&signature.payload);
    Descriptor {
        annotations: signature.annotations.clone(),
        ..Descriptor::new(&*signature.media_type, digest, signature.payload.len() as u64)
    }
}

fn is_same(one: &Descriptor, other: &Descriptor) -> bool {
    one.media_type == other.media_type
        && one.digest == other.digest
        && one.size == other.size
        && one.annotations == other.annotations
}

/// The list of uncompressed layers in a config, made if it is not there.
fn diff_ids(config: &mut Value) -> Option<&mut Vec<Value>> {
    let root = config.as_object_mut()?;
    let rootfs = root.entry("rootfs").or_insert_with(|| json!({"type": "layers"}));
    let ids = rootfs.as_object_mut()?.entry("diff_ids").or_insert_with(|| json!([]));
    if ids.is_null() {
        *ids = json!([]);
    }
    ids.as_array_mut()
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> TransportError {
    TransportError::wrap(ErrorKind::Other, error)
}
