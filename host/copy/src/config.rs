//! The config of an image, as far as a copy looks into it.

use bytes::Bytes;
use longshore_types::{Digest, ImageConfig};

/// A config that was read.
pub(crate) struct Config {
    /// As stored, verified against the manifest.
    pub(crate) bytes: Bytes,
    /// The uncompressed layers as it lists them; empty if it lists none.
    pub(crate) diff_ids: Vec<Digest>,
}

impl Config {
    pub(crate) fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        // One that is none of an image, such as an artifact's, lists no layers.
        let diff_ids = ImageConfig::parse(&bytes[..]).and_then(|config| config.diff_ids());
        let diff_ids = diff_ids.unwrap_or_default();
        Self { bytes, diff_ids }
    }
}
