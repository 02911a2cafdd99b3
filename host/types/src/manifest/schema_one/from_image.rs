//! From schema 2 to schema 1.

use super::raw_members::RawMembers;
use super::step::Step;
use super::{EMPTY_LAYER, SchemaOne, SchemaOneLayer};
use crate::json::{self, JsonError, Object};
use crate::manifest::{ImageManifest, Kind, MAX_MANIFEST_SIZE, ManifestError};
use crate::{Digest, ImageConfig, Reference, media_type};

impl SchemaOne {
    /// The same image in schema 1, named as `reference` says (MC-06). OCI images go by way of schema 2 (MC-07).
    ///
    /// Each entry of the config's history becomes a layer; those that changed no file get [`EMPTY_LAYER`], which the
    /// caller brings to the destination. Ids are made up of the content as Docker does it, nobody relies on them.
    ///
    /// # Errors
    /// If the config has no history, or one that names another number of layers than there are; for an artifact, and
    /// for a layer that schema 2 cannot hold.
    pub fn from_image(
        image: &ImageManifest,
        config: &[u8],
        reference: Option<&Reference>,
    ) -> Result<Self, ManifestError> {
        let layers = image.convert(Kind::Docker)?.layers;
        let config = ImageConfig::parse(config)?;
        let history = config.history();
        if history.is_empty() {
            return Err(ManifestError::NoHistory {
                media_type: media_type::DOCKER_V1_SIGNED,
            });
        }
        let miscounted = || ManifestError::HistoryLayers {
            distributed: layers.len(),
            needed: history.iter().filter(|entry| entry.empty_layer() != Some(true)).count(),
        };

        let empty = Digest::sha256(&EMPTY_LAYER);
        let mut blobs = layers.iter().map(|layer| &layer.digest);
        let mut output: Vec<SchemaOneLayer> = Vec::new();
        let (mut id, mut size) = (String::new(), 0);
        for (entry, created) in history.iter().zip(config.history_created()) {
            let throwaway = entry.empty_layer().unwrap_or_default();
            let blob = if throwaway {
                &empty
            } else {
                blobs.next().ok_or_else(miscounted)?
            };
            let text = |member: &Option<String>| member.clone().unwrap_or_default();
            let step = Step {
                id: v1_id(&[blob.hex(), &id]),
                parent: std::mem::take(&mut id),
                comment: text(entry.comment()),
                created: created.clone(),
                author: text(entry.author()),
                throwaway,
                command: vec![text(entry.created_by())],
            };
            let compatibility = json::to_string(&step.as_compatibility()).map_err(unwritable)?;
            size += compatibility.len();
            // A short history can make a long manifest.
            if size > MAX_MANIFEST_SIZE {
                return Err(ManifestError::TooLarge { size });
            }
            id.clone_from(&step.id);
            output.push(SchemaOneLayer {
                blob: blob.clone(),
                compatibility,
                step,
            });
        }
        if blobs.next().is_some() {
            return Err(miscounted());
        }
        if let Some(top) = output.last_mut() {
            describe_image(top, config.raw()).map_err(unwritable)?;
        }
        let bare = Self {
            name: String::new(),
            tag: String::new(),
            architecture: config.architecture().to_owned(),
            layers: output,
            extra: Object::default(),
        };
        Ok(bare.with_reference(reference))
    }
}

/// Gives the newest layer the image's config and an id that depends on it.
fn describe_image(top: &mut SchemaOneLayer, config: &[u8]) -> Result<(), JsonError> {
    let parent = top.step.parent.clone();
    top.step.id = v1_id(&[top.blob.hex(), &parent, &String::from_utf8_lossy(config)]);
    let mut members = RawMembers::of(&Object::parse(config)?, &["rootfs", "history"])?;
    members.set("id", &top.step.id)?;
    if !parent.is_empty() {
        members.set("parent", &parent)?;
    }
    if top.step.throwaway {
        members.set("throwaway", &true)?;
    }
    top.compatibility = json::to_string(&members)?;
    Ok(())
}

fn v1_id(parts: &[&str]) -> String {
    Digest::sha256(parts.join(" ").as_bytes()).hex().to_owned()
}

fn unwritable(source: JsonError) -> ManifestError {
    ManifestError::Json {
        media_type: media_type::DOCKER_CONFIG,
        source,
    }
}
