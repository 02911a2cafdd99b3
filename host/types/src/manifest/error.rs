//! What can be wrong with a manifest.

use crate::json::JsonError;
use crate::media_type::MediaTypeError;
use crate::{ConfigError, Digest, ErrorKind};

/// Why a manifest was refused or cannot be converted.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// More bytes than anything may hand over as a manifest.
    #[error(
        "manifest is {size} bytes long, more than the limit of {} bytes",
        super::MAX_MANIFEST_SIZE
    )]
    TooLarge {
        /// How many bytes there are.
        size: usize,
    },
    /// The document is not JSON or a member is missing or malformed.
    #[error("parsing manifest of type {media_type:?}: {source}")]
    Json {
        /// What the document was taken for.
        media_type: &'static str,
        /// What is wrong with it.
        source: JsonError,
    },
    /// `schemaVersion` is not what the type demands.
    #[error("unsupported schema version {version} in manifest of type {media_type:?}")]
    SchemaVersion {
        /// What the document was taken for.
        media_type: &'static str,
        /// What the document says.
        version: i64,
    },
    /// Members of another kind of manifest are there; readers would disagree about what this is (MC-12).
    #[error("rejecting ambiguous manifest, unexpected fields {fields:?} in supposedly {media_type}")]
    Ambiguous {
        /// The members that do not belong there.
        fields: Vec<String>,
        /// What the document was taken for.
        media_type: String,
    },
    /// The document names another type than the one it is taken for.
    #[error("rejecting ambiguous manifest, it says it is {embedded:?} but is supposedly {media_type}")]
    TypeMismatch {
        /// The `mediaType` in the document.
        embedded: String,
        /// What the document was taken for.
        media_type: String,
    },
    /// The signatures of a schema 1 manifest do not say what they cover.
    #[error("invalid signed schema 1 manifest: {reason}")]
    SignedPayload {
        /// What is wrong.
        reason: &'static str,
    },
    /// Schema 1 where only a manifest with a config will do.
    #[error("manifests of type {media_type:?} (Docker schema 1) are not supported")]
    SchemaOne {
        /// The exact type.
        media_type: String,
    },
    /// The layers and the history of a schema 1 manifest do not make an image.
    #[error("invalid schema 1 manifest: {reason}")]
    SchemaOneContent {
        /// What is wrong.
        reason: String,
    },
    /// Schema 1 is made of the history in the config (MC-06).
    #[error("Cannot convert an image with 0 history entries to {media_type}")]
    NoHistory {
        /// What the image was to be written as.
        media_type: &'static str,
    },
    /// The history in the config and the manifest do not speak of the same layers.
    #[error("Invalid image configuration, {}", miscounted(*.distributed, *.needed))]
    HistoryLayers {
        /// Layers in the manifest.
        distributed: usize,
        /// Entries of the history that are not empty.
        needed: usize,
    },
    /// The config that a conversion is made from cannot be read.
    #[error("during manifest conversion: {0}")]
    Config(#[from] ConfigError),
    /// The type is not one of a manifest.
    #[error("unsupported manifest type {media_type:?}")]
    UnknownType {
        /// The type; empty if nothing is known.
        media_type: String,
    },
    /// Something that only images have was asked of an artifact (IB-05, MC-09).
    #[error("unsupported image-specific operation on artifact with type {artifact_type:?}")]
    Artifact {
        /// The artifact's type, or that of its config.
        artifact_type: String,
    },
    /// A layer's type has no counterpart in the other format (MC-08, MC-15).
    #[error("during manifest conversion: {0}")]
    Layer(#[from] MediaTypeError),
    /// A list in a list cannot be converted or copied (MC-10).
    #[error("manifest list entry {digest} is itself a list ({media_type:?}), which is not supported")]
    NestedList {
        /// The entry.
        digest: Digest,
        /// Its type.
        media_type: String,
    },
    /// No entry of a list is made for the wanted platform (PS-04).
    #[error("no image found in {} for architecture {architecture:?}, variant {variant:?}, OS {os:?}", list_name(.list_type))]
    NoMatch {
        /// The list's type.
        list_type: &'static str,
        /// The wanted architecture.
        architecture: String,
        /// The wanted variant; empty for none.
        variant: String,
        /// The wanted OS.
        os: String,
    },
}

fn miscounted(distributed: usize, needed: usize) -> String {
    if needed > distributed {
        format!("needs more than the {distributed} distributed layers")
    } else {
        format!("needs only {needed} of the {distributed} distributed layers")
    }
}

fn list_name(list_type: &str) -> &'static str {
    if list_type == crate::media_type::DOCKER_LIST {
        "manifest list"
    } else {
        "image index"
    }
}

impl ManifestError {
    /// The class of this failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::TooLarge { .. }
            | Self::Json { .. }
            | Self::SchemaVersion { .. }
            | Self::Ambiguous { .. }
            | Self::TypeMismatch { .. }
            | Self::SignedPayload { .. }
            | Self::SchemaOneContent { .. }
            | Self::HistoryLayers { .. } => ErrorKind::InvalidData,
            Self::Config(source) => source.kind(),
            Self::SchemaOne { .. }
            | Self::UnknownType { .. }
            | Self::Artifact { .. }
            | Self::NoHistory { .. }
            | Self::Layer(_)
            | Self::NestedList { .. } => ErrorKind::Unsupported,
            Self::NoMatch { .. } => ErrorKind::ImageNotFound,
        }
    }
}
