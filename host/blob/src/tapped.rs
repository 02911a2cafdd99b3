//! Hashing in the middle of a transfer.

use std::io;

use bytes::Bytes;
use longshore_types::{Algorithm, Digest};

use crate::chunk::ChunkSource;
use crate::lane::{Batch, Lane};

/// A source whose bytes are hashed on their way: those between a decoder and an encoder.
pub(crate) struct Tapped<S> {
    source: S,
    lane: Lane,
    batch: Batch,
}

impl<S: ChunkSource> Tapped<S> {
    /// Hashes all of `source`.
    pub(crate) fn new(source: S, algorithm: Algorithm) -> Self {
        Self {
            source,
            lane: Lane::new(algorithm, None),
            batch: Batch::default(),
        }
    }

    /// The digest of what has passed.
    pub(crate) fn digest(mut self) -> Digest {
        self.lane.feed(self.batch.chunks());
        self.batch.clear();
        self.lane.finish()
    }
}

impl<S: ChunkSource> ChunkSource for Tapped<S> {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let chunk = self.source.next_chunk()?;
        if let Some(chunk) = &chunk
            && self.batch.add(chunk.clone())
        {
            self.lane.feed(self.batch.chunks());
            self.batch.clear();
        }
        Ok(chunk)
    }
}
