//! The default view of an image.

use std::collections::BTreeMap;

use longshore_types::{Descriptor, Digest, ImageConfig, ImageManifest, Kind, SchemaOne, SchemaOneLayer};
use serde::Serialize;

/// Go's zero time, which it prints for a time that cannot be absent.
const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// What `inspect` prints, in skopeo's order of keys (IJ-01 to IJ-12).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The name that a schema 1 manifest gives itself (IJ-02).
    #[serde(skip_serializing_if = "str::is_empty")]
    tag: &'a str,
    digest: Digest,
    repo_tags: Vec<String>,
    created: Option<&'a str>,
    docker_version: &'a str,
    labels: Option<BTreeMap<&'a str, &'a str>>,
    architecture: &'a str,
    os: &'a str,
    layers: Vec<&'a Digest>,
    layers_data: Vec<LayerData<'a>>,
    env: Option<&'a [String]>,
}

/// One layer (IJ-11).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LayerData<'a> {
    #[serde(rename = "MIMEType")]
    mime_type: &'a str,
    digest: &'a Digest,
    /// -1 if the manifest does not say.
    size: i64,
    annotations: Option<&'a BTreeMap<String, String>>,
}

impl<'a> Output<'a> {
    /// The view of an image whose top-level manifest has `digest`.
    pub(super) fn new(
        name: Option<String>,
        digest: Digest,
        repo_tags: Vec<String>,
        image: &'a ImageManifest,
        config: &'a ImageConfig,
    ) -> Self {
        // skopeo reads a docker config into a time that cannot be absent.
        let never = (image.kind == Kind::Docker).then_some(ZERO_TIME);
        let layers = image.layers.iter().map(LayerData::of).collect();
        Self::of_config(name, digest, repo_tags, config, layers, never)
    }

    /// The view of a schema 1 image, whose `config` was made of its history. Layers that change nothing are left out
    /// (IJ-10).
    pub(super) fn of_schema_one(
        name: Option<String>,
        digest: Digest,
        repo_tags: Vec<String>,
        image: &'a SchemaOne,
        config: &'a ImageConfig,
    ) -> Self {
        let layers = image.layers().iter().filter(|layer| !layer.is_empty());
        let layers = layers.map(LayerData::of_schema_one).collect();
        Self {
            tag: &image.tag,
            ..Self::of_config(name, digest, repo_tags, config, layers, Some(ZERO_TIME))
        }
    }

    fn of_config(
        name: Option<String>,
        digest: Digest,
        repo_tags: Vec<String>,
        config: &'a ImageConfig,
        layers_data: Vec<LayerData<'a>>,
        never: Option<&'a str>,
    ) -> Self {
        Self {
            name,
            tag: "",
            digest,
            repo_tags,
            created: config.created().or(never),
            docker_version: config.docker_version(),
            labels: config.labels(),
            architecture: config.architecture(),
            os: config.os(),
            layers: layers_data.iter().map(|layer| layer.digest).collect(),
            layers_data,
            env: config.env(),
        }
    }
}

impl Output<'_> {
    /// The same members for a template, to which each of them is there (IB-01).
    pub(super) fn for_templates(&self) -> serde_json::Result<serde_json::Value> {
        let mut object = serde_json::to_value(self)?;
        if let Some(members) = object.as_object_mut() {
            members.entry("Name").or_insert_with(|| "".into());
        }
        Ok(object)
    }
}

impl<'a> LayerData<'a> {
    fn of(layer: &'a Descriptor) -> Self {
        Self {
            mime_type: &layer.media_type,
            digest: &layer.digest,
            size: i64::try_from(layer.size).unwrap_or(i64::MAX),
            annotations: (!layer.annotations.is_empty()).then_some(&layer.annotations),
        }
    }

    fn of_schema_one(layer: &'a SchemaOneLayer) -> Self {
        Self {
            mime_type: "",
            digest: layer.blob(),
            size: -1,
            annotations: None,
        }
    }
}
