//! The default view of an image.

use std::collections::BTreeMap;

use longshore_types::{Descriptor, Digest, ImageConfig, ImageManifest, Kind};
use serde::Serialize;

/// Go's zero time, which it prints for a time that cannot be absent.
const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// What `inspect` prints, in skopeo's order of keys (IJ-01 to IJ-12).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
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
    size: u64,
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
        Self {
            name,
            digest,
            repo_tags,
            created: config.created().or(never),
            docker_version: config.docker_version(),
            labels: config.labels(),
            architecture: config.architecture(),
            os: config.os(),
            layers: image.layers.iter().map(|layer| &layer.digest).collect(),
            layers_data: image.layers.iter().map(LayerData::of).collect(),
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
            size: layer.size,
            annotations: (!layer.annotations.is_empty()).then_some(&layer.annotations),
        }
    }
}
