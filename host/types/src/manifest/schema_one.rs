//! Docker's schema 1: the view of a manifest and its writer.

mod config;
mod from_image;
mod raw_members;
mod step;

use std::collections::HashSet;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::ManifestError;
use crate::descriptor::write_extra;
use crate::json::{self, JsonError, Object};
use crate::{Digest, Reference, media_type};
use step::Step;

/// The layer that stands for "nothing changed": an empty tar archive in gzip, as Docker has always written it (MC-06).
pub const EMPTY_LAYER: [u8; 32] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x09, 0x6e, 0x88, 0x00, 0xff, 0x62, 0x18, 0x05, 0xa3, 0x60, 0x14, 0x8c, 0x58, 0x00,
    0x08, 0x00, 0x00, 0xff, 0xff, 0x2e, 0xaf, 0xb5, 0xef, 0x00, 0x04, 0x00, 0x00,
];

/// A Docker schema 1 manifest, signed or not. Signatures are not part of the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaOne {
    /// The repository's path, without a host; empty if the image was written to a place without names.
    pub name: String,
    /// Empty if the image was written without one.
    pub tag: String,
    /// What the image is made for; empty if missing.
    pub architecture: String,
    layers: Vec<SchemaOneLayer>,
    extra: Object,
}

/// One layer of a schema 1 image, and the step of its history that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaOneLayer {
    blob: Digest,
    /// The text of `v1Compatibility`, a JSON document in a string.
    compatibility: String,
    step: Step,
}

impl SchemaOneLayer {
    /// The layer's blob, compressed or not: the manifest does not say, nor how long it is.
    pub fn blob(&self) -> &Digest {
        &self.blob
    }

    /// Whether the step changed no file, so that formats with a config have no layer for it.
    pub fn is_empty(&self) -> bool {
        self.step.throwaway
    }
}

impl SchemaOne {
    /// Reads a manifest of schema 1.
    ///
    /// Of steps with the same id that follow each other only the oldest is kept, as Docker does.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let failure = |source| ManifestError::Json {
            media_type: media_type::DOCKER_V1,
            source,
        };
        let mut object = Object::parse(bytes).map_err(failure)?;
        let version: i64 = object.take_required("schemaVersion").map_err(failure)?;
        if version != 1 {
            return Err(ManifestError::SchemaVersion {
                media_type: media_type::DOCKER_V1,
                version,
            });
        }
        let blobs = blobs(&mut object).map_err(failure)?;
        let history = compatibilities(&mut object).map_err(failure)?;
        let layers = paired(blobs, history)?;
        let mut text = |key: &str| object.take::<String>(key).map(Option::unwrap_or_default);
        let (name, tag) = (text("name").map_err(failure)?, text("tag").map_err(failure)?);
        let architecture = text("architecture").map_err(failure)?;
        object.take::<Vec<Object>>("signatures").map_err(failure)?;
        Ok(Self {
            name,
            tag,
            architecture,
            layers,
            extra: object,
        })
    }

    /// The layers, base first, empty ones included. There is at least one.
    pub fn layers(&self) -> &[SchemaOneLayer] {
        &self.layers
    }

    /// Whether the manifest names itself otherwise than `reference` does (TD-09). Only path and tag can be compared.
    pub fn conflicts_with(&self, reference: &Reference) -> bool {
        self.name != reference.path() || self.tag != reference.tag().unwrap_or_default()
    }

    /// The same image under the path and tag of `reference`; under none if there is no reference.
    #[must_use]
    pub fn with_reference(&self, reference: Option<&Reference>) -> Self {
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        Self {
            name: text(reference.map(Reference::path)),
            tag: text(reference.and_then(Reference::tag)),
            ..self.clone()
        }
    }

    /// The same image with other blobs, base first, one for each layer; ids and history stay. Excess blobs are ignored.
    #[must_use]
    pub fn with_blobs(&self, blobs: impl IntoIterator<Item = Digest>) -> Self {
        let mut output = self.clone();
        for (layer, blob) in output.layers.iter_mut().zip(blobs) {
            layer.blob = blob;
        }
        output
    }

    /// Writes the manifest without signatures.
    pub fn to_unsigned(&self) -> Result<Vec<u8>, ManifestError> {
        json::to_vec(self).map_err(|source| ManifestError::Json {
            media_type: media_type::DOCKER_V1,
            source,
        })
    }

    /// The newest layer's document, which describes the image.
    fn top(&self) -> Result<Object, ManifestError> {
        let text = self.layers.last().map(|layer| layer.compatibility.as_str());
        Object::parse(text.unwrap_or_default().as_bytes()).map_err(|source| ManifestError::Json {
            media_type: media_type::DOCKER_V1,
            source,
        })
    }
}

fn blobs(object: &mut Object) -> Result<Vec<Digest>, JsonError> {
    let entries = object.take::<Vec<Object>>("fsLayers")?.unwrap_or_default();
    entries
        .into_iter()
        .map(|mut entry| entry.take_required("blobSum"))
        .collect()
}

fn compatibilities(object: &mut Object) -> Result<Vec<String>, JsonError> {
    let entries = object.take::<Vec<Object>>("history")?.unwrap_or_default();
    entries
        .into_iter()
        .map(|mut entry| entry.take_required("v1Compatibility"))
        .collect()
}

/// Puts both lists, which are newest first, together base first, and checks the chain of ids.
fn paired(blobs: Vec<Digest>, history: Vec<String>) -> Result<Vec<SchemaOneLayer>, ManifestError> {
    let invalid = |reason: String| ManifestError::SchemaOneContent { reason };
    if blobs.len() != history.len() {
        return Err(invalid("length of history not equal to number of layers".into()));
    }
    if blobs.is_empty() {
        return Err(invalid("no FSLayers in manifest".into()));
    }
    let mut layers: Vec<SchemaOneLayer> = Vec::with_capacity(blobs.len());
    let mut seen = HashSet::new();
    for (index, (blob, compatibility)) in blobs.into_iter().zip(history).enumerate().rev() {
        let step = Step::parse(&compatibility)
            .map_err(|source| invalid(format!("parsing v2s1 history entry {index}: {source}")))?;
        if !is_v1_id(&step.id) {
            return Err(invalid(format!("image ID {:?} is invalid", shown(&step.id))));
        }
        let below = layers.last().map_or("", |layer| layer.step.id.as_str());
        if below == step.id {
            continue;
        }
        if step.parent != below {
            return Err(invalid(match below {
                "" => "Invalid parent ID in the base layer of the image".into(),
                _ => format!("Invalid parent ID. Expected {below}, got {}", shown(&step.parent)),
            }));
        }
        if !seen.insert(step.id.clone()) {
            return Err(invalid(format!("ID {} appears multiple times in manifest", step.id)));
        }
        layers.push(SchemaOneLayer {
            blob,
            compatibility,
            step,
        });
    }
    Ok(layers)
}

/// Enough of a text that somebody else wrote to recognise it in an error.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

fn is_v1_id(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Serialize for SchemaOne {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct FsLayer<'a> {
            blob_sum: &'a Digest,
        }

        #[derive(Serialize)]
        struct History<'a> {
            #[serde(rename = "v1Compatibility")]
            compatibility: &'a str,
        }

        let newest_first = || self.layers.iter().rev();
        let layers: Vec<_> = newest_first().map(|layer| FsLayer { blob_sum: &layer.blob }).collect();
        let history: Vec<_> = newest_first()
            .map(|layer| History {
                compatibility: &layer.compatibility,
            })
            .collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("tag", &self.tag)?;
        map.serialize_entry("architecture", &self.architecture)?;
        map.serialize_entry("fsLayers", &layers)?;
        map.serialize_entry("history", &history)?;
        map.serialize_entry("schemaVersion", &1)?;
        write_extra(&mut map, &self.extra)?;
        map.end()
    }
}
