use std::num::NonZeroUsize;

use longshore_blob::LayerWish;
use longshore_types::{Digest, Kind, PlatformWish};

use crate::compression::CompressionOptions;

/// Layers in flight at a time if nobody says otherwise (PI-01).
pub const DEFAULT_PARALLEL: NonZeroUsize = NonZeroUsize::new(6).unwrap();

/// How one image is copied.
#[derive(Clone, Debug)]
pub struct Options {
    /// The platform whose instance is taken from a list.
    pub platform: PlatformWish,
    /// The only manifest type to write (CP-09); none: the source's, or what the destination needs.
    pub format: Option<Kind>,
    /// Leave the source's signatures behind (CP-11).
    pub remove_signatures: bool,
    /// Fail rather than change a byte of the manifest (CP-10).
    pub preserve_digests: bool,
    /// Layers in flight at a time (CP-21).
    pub parallel: NonZeroUsize,
    /// What to do with the compression of layers; none: the destination's wish.
    pub layers: Option<LayerWish>,
    /// How layers are compressed.
    pub compression: CompressionOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            platform: PlatformWish::running(),
            format: None,
            remove_signatures: false,
            preserve_digests: false,
            parallel: DEFAULT_PARALLEL,
            layers: None,
            compression: CompressionOptions::default(),
        }
    }
}

/// What a finished copy did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyReport {
    /// `transport:reference` that was read.
    pub source: String,
    /// `transport:reference` that was written.
    pub destination: String,
    /// Digest of the manifest as written (`--digestfile`).
    pub manifest_digest: Digest,
    /// Media type of the manifest as written.
    pub manifest_type: String,
    /// Blobs whose bytes were moved, the config included.
    pub blobs_copied: usize,
    /// Bytes taken from the source for them.
    pub bytes_copied: u64,
    /// Blobs that needed no transfer.
    pub blobs_reused: usize,
    /// Their bytes, as the source's manifest says.
    pub bytes_reused: u64,
}
