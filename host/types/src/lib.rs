//! The vocabulary of the project: names, digests, media types, manifests, platforms.
//!
//! Everything here is pure. Nothing reads a file, a clock or the network, so that the same code serves the host and the
//! components it runs. Raw bytes are the truth: a manifest travels as [`RawManifest`], views such as [`ImageManifest`]
//! and [`ManifestList`] are derived from it, and what is written comes from own writers with a fixed order of members.

mod blob_info;
mod compression;
mod config;
mod descriptor;
mod digest;
mod error;
mod image_name;
pub mod json;
mod layout_reference;
mod manifest;
pub mod media_type;
mod platform;
pub mod reference;
mod timestamp;

pub use blob_info::BlobInfo;
pub use compression::Compression;
pub use config::{ConfigError, ImageConfig};
pub use descriptor::Descriptor;
pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use error::ErrorKind;
pub use image_name::{ImageName, ImageNameError};
pub use layout_reference::{LayoutReference, LayoutReferenceError, Selector};
pub use manifest::{
    EMPTY_LAYER, ImageFormat, ImageManifest, Kind, MAX_MANIFEST_SIZE, ManifestError, ManifestList, Parsed, RawManifest,
    SchemaOne, SchemaOneDraft, SchemaOneLayer,
};
pub use platform::{Platform, PlatformError, PlatformWish};
pub use reference::{Reference, ReferenceError};
pub use timestamp::normalise as normalise_timestamp;
