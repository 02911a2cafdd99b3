//! Manifests: raw bytes with their type, and the views derived from them.

mod choose;
mod convert;
mod error;
mod format;
mod guess;
mod image;
mod list;
mod schema_one;
mod signed_v1;
#[cfg(test)]
mod vectors;

use std::fmt;
use std::sync::Arc;

pub use error::ManifestError;
pub use format::ImageFormat;
pub use image::ImageManifest;
pub use list::ManifestList;
pub use schema_one::{EMPTY_LAYER, SchemaOne, SchemaOneLayer};
pub use signed_v1::SchemaOneDraft;

use crate::json::Object;
use crate::{Algorithm, Digest, media_type};

/// The most bytes that a manifest may have. A larger one would let a source fill the memory of everybody who only wants
/// to look at it.
pub const MAX_MANIFEST_SIZE: usize = 4 * 1024 * 1024;

/// Whose format a document has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Docker's schema 2 manifest or manifest list.
    Docker,
    /// The OCI image manifest or index.
    Oci,
}

impl Kind {
    /// The media type of a manifest of one image.
    pub const fn image_type(self) -> &'static str {
        match self {
            Self::Docker => media_type::DOCKER_MANIFEST,
            Self::Oci => media_type::OCI_MANIFEST,
        }
    }

    /// The media type of a list of images.
    pub const fn list_type(self) -> &'static str {
        match self {
            Self::Docker => media_type::DOCKER_LIST,
            Self::Oci => media_type::OCI_INDEX,
        }
    }

    /// The kind of a manifest or list; `None` for schema 1 and for anything else.
    pub fn of(media_type: &str) -> Option<Self> {
        [Self::Docker, Self::Oci]
            .into_iter()
            .find(|kind| kind.image_type() == media_type || kind.list_type() == media_type)
    }
}

/// A manifest as it travels: exact bytes and the media type they are taken for.
///
/// Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct RawManifest {
    bytes: Arc<[u8]>,
    media_type: String,
    /// What a signed schema 1 manifest is digested over; `None` for all others.
    signed_payload: Option<Arc<[u8]>>,
}

impl RawManifest {
    /// Takes bytes and the type that their source declared. Parameters of the type are stripped; without one it is
    /// guessed from the content (formats 0.2) and stays empty if the content is no manifest.
    ///
    /// # Errors
    /// If there are more than [`MAX_MANIFEST_SIZE`] bytes, if the document could also be read as another kind of
    /// manifest (MC-12), or if it is a signed schema 1 manifest without a payload that can be cut out.
    pub fn new(bytes: impl Into<Vec<u8>>, declared: Option<&str>) -> Result<Self, ManifestError> {
        let bytes: Vec<u8> = bytes.into();
        if bytes.len() > MAX_MANIFEST_SIZE {
            return Err(ManifestError::TooLarge { size: bytes.len() });
        }
        let object = Object::parse(&bytes);
        let guessed = object.as_ref().map_or("", guess::media_type);
        let declared = media_type::without_parameters(declared.unwrap_or_default());
        let media_type = if declared.is_empty() {
            guessed.to_owned()
        } else {
            declared
        };
        if let Ok(object) = &object {
            guess::refuse_ambiguous(object, &media_type)?;
        }
        // Whatever was declared: other tools look only at the content here, and all must agree about a digest.
        let signed_payload = match guessed {
            media_type::DOCKER_V1_SIGNED => Some(signed_v1::payload(&bytes)?.into()),
            _ => None,
        };
        Ok(Self {
            bytes: bytes.into(),
            media_type,
            signed_payload,
        })
    }

    /// The exact bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The exact bytes, shared.
    pub fn shared_bytes(&self) -> Arc<[u8]> {
        Arc::clone(&self.bytes)
    }

    /// The media type, without parameters; empty if nothing is known.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// How many bytes there are.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Whether the type is a list of images.
    pub fn is_list(&self) -> bool {
        media_type::is_list(&self.media_type)
    }

    /// The digest that names this manifest: of the bytes, or for a signed schema 1 manifest of its payload (MC-13).
    pub fn digest(&self, algorithm: Algorithm) -> Digest {
        Digest::of(algorithm, self.signed_payload.as_deref().unwrap_or(&self.bytes))
    }

    /// Whether the type is that of schema 1, whose view [`RawManifest::parse_schema_one`] gives.
    pub fn is_schema_one(&self) -> bool {
        ImageFormat::of(&self.media_type) == Some(ImageFormat::SchemaOne)
    }

    /// The view of the document as schema 1, whatever its type is.
    ///
    /// # Errors
    /// If the bytes do not have that form, or layers and history contradict each other.
    pub fn parse_schema_one(&self) -> Result<SchemaOne, ManifestError> {
        SchemaOne::parse(&self.bytes)
    }

    /// The view of the document.
    ///
    /// # Errors
    /// If the bytes do not have the form of the type, or the type has no such view: schema 1, which has one of its
    /// own, and everything unknown.
    pub fn parse(&self) -> Result<Parsed, ManifestError> {
        match self.media_type.as_str() {
            media_type::DOCKER_MANIFEST => ImageManifest::parse(&self.bytes, Kind::Docker).map(Parsed::Image),
            media_type::OCI_MANIFEST => ImageManifest::parse(&self.bytes, Kind::Oci).map(Parsed::Image),
            media_type::DOCKER_LIST => ManifestList::parse(&self.bytes, Kind::Docker).map(Parsed::List),
            media_type::OCI_INDEX => ManifestList::parse(&self.bytes, Kind::Oci).map(Parsed::List),
            media_type::DOCKER_V1 | media_type::DOCKER_V1_SIGNED => Err(ManifestError::SchemaOne {
                media_type: self.media_type.clone(),
            }),
            other => Err(ManifestError::UnknownType {
                media_type: other.to_owned(),
            }),
        }
    }
}

impl fmt::Debug for RawManifest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut output = formatter.debug_struct("RawManifest");
        output
            .field("media_type", &self.media_type)
            .field("size", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// A manifest that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one per image, and it is taken apart at once"
)]
pub enum Parsed {
    /// One image, or an OCI artifact.
    Image(ImageManifest),
    /// A list of images.
    List(ManifestList),
}

#[cfg(test)]
mod tests;
