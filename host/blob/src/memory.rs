//! Blobs that are small enough for memory.

use std::io;

use bytes::Bytes;

use crate::chunk::{CHUNK_SIZE, ChunkSink, ChunkSource};

/// Hands out bytes that are in memory already.
#[derive(Clone, Debug)]
pub struct SliceSource {
    rest: Bytes,
}

impl SliceSource {
    /// Hands out `bytes`, which are shared and not copied.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { rest: bytes.into() }
    }
}

impl ChunkSource for SliceSource {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let length = self.rest.len().min(CHUNK_SIZE);
        Ok((length > 0).then(|| self.rest.split_to(length)))
    }
}

/// Keeps a blob in memory, up to a limit.
#[derive(Clone, Debug, Default)]
pub struct MemorySink {
    bytes: Vec<u8>,
    limit: usize,
}

impl MemorySink {
    /// Takes at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
        }
    }

    /// What was written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl ChunkSink for MemorySink {
    fn write_chunk(&mut self, chunk: Bytes) -> io::Result<()> {
        if chunk.len() > self.limit - self.bytes.len() {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("more than the allowed {} bytes", self.limit),
            ));
        }
        self.bytes.extend_from_slice(&chunk);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn slices_come_in_chunks() {
        let mut source = SliceSource::new(vec![1; CHUNK_SIZE + 1]);
        assert_eq!(source.next_chunk().unwrap().unwrap().len(), CHUNK_SIZE);
        assert_eq!(source.next_chunk().unwrap().unwrap().len(), 1);
        assert!(source.next_chunk().unwrap().is_none());
    }

    #[test]
    fn memory_is_limited() {
        let mut sink = MemorySink::new(3);
        sink.write_chunk(Bytes::from_static(b"abc")).unwrap();
        let error = sink.write_chunk(Bytes::from_static(b"d")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(sink.into_bytes(), b"abc");
    }
}
