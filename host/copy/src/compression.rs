use std::path::PathBuf;

use longshore_blob::{Compressor, LayerWish, TransferPlan};
use longshore_types::{Compression, Descriptor};

use crate::destination::DestinationTraits;

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
    /// Where layers are changed for a destination that has to know their sizes first (`size-first`); none: the system's
    /// folder for temporary files.
    pub temporary_folder: Option<PathBuf>,
}

impl CompressionOptions {
    /// Whether only OCI manifests can name the layers (MC-04).
    pub(crate) fn needs_oci(&self) -> bool {
        self.recompress && self.compressor.format() == Compression::Zstd
    }

    /// Where a layer is to be changed before the destination is told of it; none: while it is sent.
    pub(crate) fn folder_for(&self, destination: &DestinationTraits) -> Option<PathBuf> {
        let needed = || {
            destination
                .has("size-first")
                .then(|| self.temporary_folder.clone().unwrap_or_else(std::env::temp_dir))
        };
        self.precompute_in.clone().or_else(needed)
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
