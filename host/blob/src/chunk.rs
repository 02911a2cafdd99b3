//! The two ends of every transfer.

use std::io::{self, Read};

use bytes::{Buf, Bytes};

/// The size in bytes of the chunks that this crate's own sources hand out, the last one of a blob excepted.
///
/// Five of them may be in flight per blob, so this bounds what a copy of many blobs at once holds in memory.
pub const CHUNK_SIZE: usize = 256 * 1024;

/// Hands out the bytes of one blob from front to back.
pub trait ChunkSource: Send {
    /// The next piece, or `None` at the end of the blob.
    ///
    /// A piece should not be longer than [`CHUNK_SIZE`]; short pieces are gathered by [`transfer`](crate::transfer).
    /// An empty piece has no meaning and is skipped. After an error or the end the source is not asked again.
    ///
    /// # Errors
    ///
    /// What kept the source from reading. The error's text names the file or URL.
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>>;
}

/// Takes the bytes of one blob from front to back.
///
/// A sink that is dropped before [`finish`](ChunkSink::finish) succeeded was aborted: whoever made it removes what it
/// holds.
pub trait ChunkSink: Send {
    /// Takes the next piece whole.
    ///
    /// # Errors
    ///
    /// What kept the sink from writing. The error's text names the file or URL. Nothing is written after an error.
    fn write_chunk(&mut self, chunk: Bytes) -> io::Result<()>;

    /// Takes several pieces at once, which a file can write with one system call.
    ///
    /// # Errors
    ///
    /// As [`write_chunk`](ChunkSink::write_chunk).
    fn write_chunks(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        chunks.iter().try_for_each(|chunk| self.write_chunk(chunk.clone()))
    }

    /// Ends the blob: everything taken so far is written out, and synced where the sink promises that.
    ///
    /// # Errors
    ///
    /// As [`write_chunk`](ChunkSink::write_chunk); the blob must then be treated as not written.
    fn finish(&mut self) -> io::Result<()>;
}

impl<S: ChunkSource + ?Sized> ChunkSource for &mut S {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        (**self).next_chunk()
    }
}

impl<S: ChunkSource + ?Sized> ChunkSource for Box<S> {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        (**self).next_chunk()
    }
}

impl<S: ChunkSink + ?Sized> ChunkSink for &mut S {
    fn write_chunk(&mut self, chunk: Bytes) -> io::Result<()> {
        (**self).write_chunk(chunk)
    }

    fn write_chunks(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        (**self).write_chunks(chunks)
    }

    fn finish(&mut self) -> io::Result<()> {
        (**self).finish()
    }
}

impl<S: ChunkSink + ?Sized> ChunkSink for Box<S> {
    fn write_chunk(&mut self, chunk: Bytes) -> io::Result<()> {
        (**self).write_chunk(chunk)
    }

    fn write_chunks(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        (**self).write_chunks(chunks)
    }

    fn finish(&mut self) -> io::Result<()> {
        (**self).finish()
    }
}

/// Reads a [`ChunkSource`] through [`Read`].
#[derive(Debug)]
pub struct ChunkReader<S> {
    source: S,
    current: Bytes,
}

impl<S: ChunkSource> ChunkReader<S> {
    /// Reads `source` from where it stands.
    pub fn new(source: S) -> Self {
        Self {
            source,
            current: Bytes::new(),
        }
    }
}

impl<S: ChunkSource> Read for ChunkReader<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.source.next_chunk()? {
                Some(chunk) => self.current = chunk,
                None => return Ok(0),
            }
        }
        let count = self.current.len().min(buffer.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

impl<S: ChunkSource> io::BufRead for ChunkReader<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() {
            match self.source.next_chunk()? {
                Some(chunk) => self.current = chunk,
                None => break,
            }
        }
        Ok(&self.current)
    }

    fn consume(&mut self, count: usize) {
        self.current.advance(count);
    }
}
