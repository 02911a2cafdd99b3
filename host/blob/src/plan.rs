//! What a transfer is asked to do, and what it did.

use std::num::NonZeroUsize;
use std::sync::LazyLock;
use std::thread;

use longshore_types::{Algorithm, Compression, Digest};

use crate::compressor::{Change, Compressor};

/// What a destination wishes to happen to a layer's compression (LC-02 to LC-04).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LayerWish {
    /// The bytes stay as they are.
    #[default]
    Preserve,
    /// An uncompressed layer is compressed; a compressed one stays as it is unless another format is demanded.
    Compress,
    /// A compressed layer is decompressed.
    Decompress,
}

/// How one blob is to be moved.
///
/// The default verifies nothing, changes nothing and hashes with sha256.
#[derive(Clone, Debug)]
pub struct TransferPlan {
    /// The digest that named the blob. Another one is an error.
    pub expected_digest: Option<Digest>,
    /// The size in bytes that was announced for the blob. More or fewer are an error.
    pub expected_size: Option<u64>,
    /// What shall happen to the compression.
    pub wish: LayerWish,
    /// The algorithm of a digest that no `expected_digest` fixes, and always that of a transformed blob.
    pub algorithm: Algorithm,
    /// What compresses a blob that is to be compressed.
    pub compressor: Compressor,
    /// With the wish to compress: a blob that is compressed in another format than the compressor's is compressed anew
    /// (LC-05).
    pub recompress: bool,
    /// How many threads may compress one blob.
    pub threads: NonZeroUsize,
}

/// How many threads the machine runs at once; asked for once, because finding out reads files of the control group.
static PROCESSORS: LazyLock<NonZeroUsize> =
    LazyLock::new(|| thread::available_parallelism().unwrap_or(NonZeroUsize::MIN));

impl Default for TransferPlan {
    fn default() -> Self {
        Self {
            expected_digest: None,
            expected_size: None,
            wish: LayerWish::Preserve,
            algorithm: Algorithm::Sha256,
            compressor: Compressor::default(),
            recompress: false,
            threads: *PROCESSORS,
        }
    }
}

impl TransferPlan {
    /// A plan that changes nothing and demands `digest` and, if given, `size`.
    pub fn verify(digest: Digest, size: Option<u64>) -> Self {
        Self {
            expected_digest: Some(digest),
            expected_size: size,
            ..Self::default()
        }
    }

    /// The same plan with another wish.
    #[must_use]
    pub fn with_wish(self, wish: LayerWish) -> Self {
        Self { wish, ..self }
    }

    /// What will become of a blob with this compression (LC-02 to LC-05).
    pub fn change(&self, found: Compression) -> Change {
        match (self.wish, found) {
            (LayerWish::Preserve, _) | (LayerWish::Decompress, Compression::None) => Change::Keep,
            (LayerWish::Decompress, _) => Change::Decompress,
            (LayerWish::Compress, Compression::None) => Change::Compress,
            (LayerWish::Compress, found) if self.recompress && found != self.compressor.format() => Change::Recompress,
            (LayerWish::Compress, _) => Change::Keep,
        }
    }
}

/// What a finished transfer saw and wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transferred {
    /// The digest of what came from the source.
    pub source_digest: Digest,
    /// How many bytes came from the source.
    pub source_size: u64,
    /// How the source's bytes were compressed, by their magic bytes.
    pub source_compression: Compression,
    /// The digest of what the sink took.
    pub digest: Digest,
    /// How many bytes the sink took.
    pub size: u64,
    /// How the sink's bytes are compressed.
    pub compression: Compression,
    /// The digest of the uncompressed bytes, if they were seen.
    pub diff_id: Option<Digest>,
}
