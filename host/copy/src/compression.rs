use std::path::PathBuf;

use longshore_blob::{Compressor, LayerWish, TransferPlan};
use longshore_types::{Compression, Descriptor};

/// How layers are compressed where the destination wishes them compressed.
#[derive(Clone, Debug, Default)]
pub struct CompressionOptions {
    /// What compresses them, and how hard (CP-25, CP-26).
    pub compressor: Compressor,
    /// The compressor's format is demanded: layers that are compressed in another one are compressed anew (LC-05).
    pub recompress: bool,
    /// No layer that the destination has in another format is good enough (CP-27, LC-06).
    pub force: bool,
    /// Compress into a temporary file in this folder first, and ask the destination for the result before sending it
    /// (CP-28); none: compress while sending.
    pub precompute_in: Option<PathBuf>,
}

impl CompressionOptions {
    /// Whether only OCI manifests can name the layers (MC-04).
    pub(crate) fn needs_oci(&self) -> bool {
        self.recompress && self.compressor.format() == Compression::Zstd
    }

    /// The plan for a blob that the manifest names.
    pub(crate) fn plan(&self, blob: &Descriptor, wish: LayerWish) -> TransferPlan {
        TransferPlan {
            compressor: self.compressor,
            recompress: self.recompress,
            ..TransferPlan::verify(blob.digest.clone(), Some(blob.size)).with_wish(wish)
        }
    }
}
