//! Images in memory: blobs, configs, manifests and lists, the same bytes on every run.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::layer::{Layer, Packing};
use crate::sha256;

/// Which family of media types an image uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// OCI manifests and indexes.
    Oci,
    /// Docker schema 2 manifests and lists.
    Docker,
}

impl Kind {
    fn manifest_type(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.manifest.v1+json",
            Self::Docker => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }

    fn list_type(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.index.v1+json",
            Self::Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
        }
    }

    fn config_type(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.config.v1+json",
            Self::Docker => "application/vnd.docker.container.image.v1+json",
        }
    }

    fn layer_type(self, packing: Packing) -> Result<&'static str> {
        Ok(match (self, packing) {
            (Self::Oci, Packing::Plain) => "application/vnd.oci.image.layer.v1.tar",
            (Self::Oci, Packing::Gzip) => "application/vnd.oci.image.layer.v1.tar+gzip",
            (Self::Oci, Packing::Zstd) => "application/vnd.oci.image.layer.v1.tar+zstd",
            (Self::Docker, Packing::Plain) => "application/vnd.docker.image.rootfs.diff.tar",
            (Self::Docker, Packing::Gzip) => "application/vnd.docker.image.rootfs.diff.tar.gzip",
            (Self::Docker, Packing::Zstd) => bail!("a Docker schema 2 image has no zstd layers"),
        })
    }
}

/// An image to make.
#[derive(Clone, Debug)]
pub struct ImageSpec {
    kind: Kind,
    layers: Vec<Layer>,
    platforms: Vec<(String, String)>,
}

impl ImageSpec {
    /// An OCI image of the given layers for linux on this machine's architecture.
    #[must_use]
    pub fn new(layers: impl IntoIterator<Item = Layer>) -> Self {
        let platforms = vec![("linux".to_owned(), running_architecture().to_owned())];
        Self {
            kind: Kind::Oci,
            layers: layers.into_iter().collect(),
            platforms,
        }
    }

    /// The same image in another family of media types.
    #[must_use]
    pub fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// The same image for one more platform: a list whose instances hold the common layers and
    /// one of their own.
    #[must_use]
    pub fn and_platform(mut self, os: &str, architecture: &str) -> Self {
        self.platforms.push((os.to_owned(), architecture.to_owned()));
        self
    }

    /// Makes the image.
    ///
    /// # Errors
    /// A Docker image with a zstd layer, or no platform.
    pub fn make(&self) -> Result<MadeImage> {
        let mut blobs = BTreeMap::new();
        let mut instances = Vec::new();
        for (index, platform) in self.platforms.iter().enumerate() {
            let mut layers = self.layers.clone();
            if self.platforms.len() > 1 {
                layers.push(Layer::new(1_000_000 + index as u64, 3_000));
            }
            instances.push(self.instance(&layers, platform, &mut blobs)?);
        }
        let top = match instances.as_slice() {
            [] => bail!("an image needs a platform"),
            [only] => only.clone(),
            several => self.list(several),
        };
        Ok(MadeImage { top, instances, blobs })
    }

    fn instance(
        &self,
        layers: &[Layer],
        (os, architecture): &(String, String),
        blobs: &mut BTreeMap<String, Bytes>,
    ) -> Result<Document> {
        let mut descriptors = Vec::new();
        let mut diff_ids = Vec::new();
        let mut history = Vec::new();
        for (index, layer) in layers.iter().enumerate() {
            let blob = layer.blob()?;
            diff_ids.push(sha256(&layer.tar()?));
            history.push(json!({
                "created": "2026-01-02T03:04:05Z",
                "created_by": format!("layer {index}"),
            }));
            descriptors.push(descriptor(self.kind.layer_type(layer.packing())?, &blob));
            blobs.insert(sha256(&blob), blob);
        }
        let config = json!({
            "created": "2026-01-02T03:04:05Z",
            "architecture": architecture,
            "os": os,
            "config": {
                "Env": ["PATH=/usr/bin:/bin", "GREETING=a < b & c > d"],
                "Cmd": ["/bin/true"],
                "Labels": { "title": "test image", "maker": "longshore" },
            },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
            "history": history,
        });
        let config = Bytes::from(config.to_string());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": self.kind.manifest_type(),
            "config": descriptor(self.kind.config_type(), &config),
            "layers": descriptors,
        });
        blobs.insert(sha256(&config), config);
        let mut document = Document::new(self.kind.manifest_type(), &manifest);
        document.platform = Some((os.clone(), architecture.clone()));
        Ok(document)
    }

    fn list(&self, instances: &[Document]) -> Document {
        let manifests: Vec<Value> = instances
            .iter()
            .map(|instance| {
                let mut entry = descriptor(&instance.media_type, &instance.bytes);
                if let Some((os, architecture)) = &instance.platform {
                    entry["platform"] = json!({ "architecture": architecture, "os": os });
                }
                entry
            })
            .collect();
        let list = json!({
            "schemaVersion": 2,
            "mediaType": self.kind.list_type(),
            "manifests": manifests,
        });
        Document::new(self.kind.list_type(), &list)
    }
}

/// A manifest or a list.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    pub digest: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// The `(os, architecture)` it is for; a list has none.
    pub platform: Option<(String, String)>,
}

impl Document {
    /// A document from JSON, written compactly.
    #[must_use]
    pub fn new(media_type: &str, json: &Value) -> Self {
        let bytes = Bytes::from(json.to_string());
        Self {
            media_type: media_type.to_owned(),
            digest: sha256(&bytes),
            bytes,
            platform: None,
        }
    }

    /// The document as JSON; `null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }
}

/// A made image.
#[derive(Clone, Debug)]
pub struct MadeImage {
    /// What a name points to: the list if there is one, else the only instance.
    pub top: Document,
    /// The manifest of each platform.
    pub instances: Vec<Document>,
    /// Configs and layers by digest.
    pub blobs: BTreeMap<String, Bytes>,
}

impl MadeImage {
    /// The digests of an instance's layers, in order.
    #[must_use]
    pub fn layers(&self, instance: usize) -> Vec<String> {
        let manifest = self.instances[instance].json();
        let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
        layers
            .iter()
            .filter_map(|layer| layer["digest"].as_str())
            .map(str::to_owned)
            .collect()
    }

    /// The digest of an instance's config.
    #[must_use]
    pub fn config(&self, instance: usize) -> String {
        let manifest = self.instances[instance].json();
        manifest["config"]["digest"].as_str().unwrap_or_default().to_owned()
    }

    /// The same image, with the first instance's manifest replaced by an edited copy: for images
    /// that lie about themselves. Only for images without a list.
    #[must_use]
    pub fn with_manifest(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        let mut manifest = self.top.json();
        edit(&mut manifest);
        self.top = Document {
            platform: self.top.platform,
            ..Document::new(&self.top.media_type, &manifest)
        };
        self.instances = vec![self.top.clone()];
        self
    }
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": sha256(bytes), "size": bytes.len() })
}

/// This machine's architecture by its name in image configs.
#[must_use]
pub fn running_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
