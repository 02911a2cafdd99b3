//! The far end of a transfer: hashes, then writes.

use std::io;

use bytes::Bytes;
use longshore_types::{Algorithm, Digest};

use crate::chunk::ChunkSink;
use crate::lane::{Batch, Lane};

/// Passes what it takes to a sink, hashing ahead of it and gathering short chunks.
pub(crate) struct Outlet<'a> {
    sink: &'a mut dyn ChunkSink,
    lane: Lane,
    batch: Batch,
    written: u64,
}

impl<'a> Outlet<'a> {
    /// Writes to `sink`; `size` is what will come, if that is known.
    pub(crate) fn new(sink: &'a mut dyn ChunkSink, algorithm: Algorithm, size: Option<u64>) -> Self {
        Self {
            sink,
            lane: Lane::new(algorithm, size),
            batch: Batch::default(),
            written: 0,
        }
    }

    fn pass_on(&mut self) -> io::Result<()> {
        let chunks = self.batch.chunks();
        if !chunks.is_empty() {
            self.lane.feed(chunks);
            self.sink.write_chunks(chunks)?;
            self.batch.clear();
        }
        Ok(())
    }

    /// The digest and size of what the sink took. Call it after [`finish`](ChunkSink::finish).
    pub(crate) fn measure(self) -> (Digest, u64) {
        (self.lane.finish(), self.written)
    }
}

impl ChunkSink for Outlet<'_> {
    fn write_chunk(&mut self, chunk: Bytes) -> io::Result<()> {
        self.written += chunk.len() as u64;
        if self.batch.add(chunk) {
            self.pass_on()?;
        }
        Ok(())
    }

    /// Passes on what was gathered; the sink itself is finished only once the blob is known to be right.
    fn finish(&mut self) -> io::Result<()> {
        self.pass_on()
    }
}
