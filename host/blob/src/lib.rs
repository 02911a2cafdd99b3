//! Moves blobs: reads, verifies, transforms, hashes and writes them with bounded memory.
//!
//! Vocabulary: a *chunk* is a cheaply cloned piece of a blob ([`bytes::Bytes`], at most [`CHUNK_SIZE`] from the
//! sources of this crate). A [`ChunkSource`] hands chunks out, a [`ChunkSink`] takes them, and [`transfer`] moves one
//! whole blob between the two: it checks what comes in against the digest and size that named it, compresses or
//! decompresses where a [`LayerWish`] asks for it, and says what went out.
//!
//! Everything here is synchronous and meant for a thread that may block. No asynchronous runtime is needed.

mod chunk;
mod compressor;
mod decompress;
mod detect;
mod durability;
mod error;
mod file_sink;
mod file_source;
#[cfg(test)]
mod fixtures;
mod gzip;
mod inlet;
mod lane;
mod memory;
mod observer;
mod outlet;
mod plan;
mod pool;
mod positional;
mod read_source;
mod tapped;
mod transfer;
mod zstandard;

pub use chunk::{CHUNK_SIZE, ChunkReader, ChunkSink, ChunkSource};
pub use compressor::{Change, Compressor};
pub use decompress::{DecompressionBomb, decompress};
pub use detect::{DETECT_LENGTH, detect};
pub use durability::Durability;
pub use error::BlobError;
pub use file_sink::FileSink;
pub use file_source::FileSource;
pub use gzip::{GzipLevel, GzipSink};
pub use memory::{MemorySink, SliceSource};
pub use observer::Observer;
pub use plan::{LayerWish, TransferPlan, Transferred};
pub use read_source::ReadSource;
pub use transfer::transfer;
pub use zstandard::{ZstdLevel, ZstdSink};
