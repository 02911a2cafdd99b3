//! The choice of what compresses.

use std::io;
use std::num::NonZeroUsize;

use longshore_types::Compression;

use crate::chunk::ChunkSink;
use crate::gzip::{GzipLevel, GzipSink};
use crate::zstandard::{ZstdLevel, ZstdSink};

/// What compresses blobs, and how hard it tries. The formats are those that a layer's media type can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compressor {
    /// RFC 1952.
    Gzip(GzipLevel),
    /// RFC 8878.
    Zstd(ZstdLevel),
}

impl Default for Compressor {
    fn default() -> Self {
        Self::Gzip(GzipLevel::default())
    }
}

impl Compressor {
    /// How its output is compressed.
    pub fn format(self) -> Compression {
        match self {
            Self::Gzip(_) => Compression::Gzip,
            Self::Zstd(_) => Compression::Zstd,
        }
    }

    /// Compresses into `inner` with up to `threads` threads.
    pub(crate) fn sink<'a>(
        self,
        inner: &'a mut dyn ChunkSink,
        threads: NonZeroUsize,
    ) -> io::Result<Box<dyn ChunkSink + 'a>> {
        Ok(match self {
            Self::Gzip(level) => Box::new(GzipSink::new(inner, level, threads)),
            Self::Zstd(level) => Box::new(ZstdSink::new(inner, level, threads)?),
        })
    }
}

/// What happens to one blob's compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The bytes stay.
    Keep,
    /// Uncompressed bytes are compressed.
    Compress,
    /// Compressed bytes are decompressed.
    Decompress,
    /// Bytes compressed in one format are compressed in another.
    Recompress,
}
