//! From schema 1 to the formats that have a config.

use serde::Serialize;

use super::raw_members::RawMembers;
use super::step::History;
use super::{ManifestError, SchemaOne};
use crate::json::{self, JsonError};
use crate::{Digest, media_type};

/// Members of the newest layer's document that are about the layer, not the image.
const OF_THE_LAYER: [&str; 6] = ["id", "parent", "parent_id", "layer_id", "throwaway", "Size"];

#[derive(Serialize)]
struct RootFs<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    diff_ids: &'a [&'a str],
}

impl SchemaOne {
    /// The config of the same image in Docker's schema 2, which is an OCI config as well (MC-05, MC-07).
    ///
    /// `diff_ids` are the uncompressed layers, base first, without the empty ones. Who only wants to look at the image
    /// does not know them and gives none: then each is empty, as skopeo prints it.
    ///
    /// # Errors
    /// If there is not one of `diff_ids` for each layer that is not empty.
    pub fn config(&self, diff_ids: Option<&[Digest]>) -> Result<Vec<u8>, ManifestError> {
        let count = self.layers.iter().filter(|layer| !layer.is_empty()).count();
        let diff_ids: Vec<&str> = match diff_ids {
            Some(given) => given.iter().map(Digest::as_str).collect(),
            None => vec![""; count],
        };
        if diff_ids.len() != count {
            return Err(ManifestError::SchemaOneContent {
                reason: format!("{} DiffIDs for {count} layers", diff_ids.len()),
            });
        }
        let top = self.top()?;
        let write = || -> Result<Vec<u8>, JsonError> {
            let history: Vec<History<'_>> = self.layers.iter().map(|layer| layer.step.as_history()).collect();
            let mut members = RawMembers::of(&top, &OF_THE_LAYER)?;
            members.set("history", &history)?;
            members.set(
                "rootfs",
                &RootFs {
                    kind: "layers",
                    diff_ids: &diff_ids,
                },
            )?;
            json::to_vec(&members)
        };
        write().map_err(|source| ManifestError::Json {
            media_type: media_type::DOCKER_CONFIG,
            source,
        })
    }
}
