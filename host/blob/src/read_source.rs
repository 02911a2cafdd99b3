//! Any reader as a source.

use std::fmt;
use std::io::{self, Read};

use bytes::Bytes;

use crate::chunk::{CHUNK_SIZE, ChunkSource};
use crate::pool::PooledBuffer;

/// Reads a [`Read`] to its end in chunks of [`CHUNK_SIZE`] bytes.
pub struct ReadSource<R> {
    reader: R,
    ended: bool,
}

impl<R: Read + Send> ReadSource<R> {
    /// Reads `reader` from where it stands. The reader's errors should name what it reads.
    pub fn new(reader: R) -> Self {
        Self { reader, ended: false }
    }
}

impl<R> fmt::Debug for ReadSource<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadSource").finish_non_exhaustive()
    }
}

impl<R: Read + Send> ChunkSource for ReadSource<R> {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        // Whole buffers, because a chunk keeps its buffer whatever it holds of it.
        let mut buffer = PooledBuffer::take(CHUNK_SIZE);
        let space = buffer.space();
        let mut filled = 0;
        while filled < space.len() {
            match self.reader.read(&mut space[filled..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok((filled > 0).then(|| buffer.freeze(filled)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Gives one byte a call, every other call is interrupted.
    struct Dribble(u32, u32);

    impl Read for Dribble {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            if self.0.is_multiple_of(2) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if self.0 / 2 >= self.1 {
                return Ok(0);
            }
            buffer[0] = 7;
            Ok(1)
        }
    }

    #[test]
    fn small_reads_fill_whole_chunks() {
        let mut source = ReadSource::new(Dribble(0, 300_000));
        assert_eq!(source.next_chunk().unwrap().unwrap().len(), CHUNK_SIZE);
        assert_eq!(source.next_chunk().unwrap().unwrap().len(), 300_000 - CHUNK_SIZE);
        assert!(source.next_chunk().unwrap().is_none());
        assert!(source.next_chunk().unwrap().is_none());
    }
}
