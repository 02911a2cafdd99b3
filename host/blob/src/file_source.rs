//! A range of a file as a source.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;

use crate::chunk::{CHUNK_SIZE, ChunkSource};
use crate::pool::PooledBuffer;
use crate::positional::read_full;

/// Reads a range of a file in chunks of [`CHUNK_SIZE`] bytes, without moving the file's cursor.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    name: Option<PathBuf>,
    offset: u64,
    remaining: u64,
    buffer: usize,
}

impl FileSource {
    /// Reads `length` bytes of `file` from `offset` on. A file that ends earlier is an error when that is reached.
    pub fn new(file: File, offset: u64, length: u64) -> Self {
        let buffer = usize::try_from(length).map_or(CHUNK_SIZE, |length| length.min(CHUNK_SIZE));
        Self {
            file,
            name: None,
            offset,
            remaining: length,
            buffer,
        }
    }

    /// Names the file in errors.
    #[must_use]
    pub fn named(self, path: impl Into<PathBuf>) -> Self {
        Self {
            name: Some(path.into()),
            ..self
        }
    }
}

impl ChunkSource for FileSource {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        if self.remaining == 0 {
            return Ok(None);
        }
        let mut buffer = PooledBuffer::take(self.buffer);
        let space = buffer.space();
        let wanted = usize::try_from(self.remaining).map_or(space.len(), |remaining| remaining.min(space.len()));
        let end = self.offset.checked_add(wanted as u64);
        let read = match end {
            Some(_) => read_full(&self.file, &mut space[..wanted], self.offset),
            None => Err(io::Error::new(io::ErrorKind::InvalidInput, "range exceeds any file")),
        };
        let read = read.map_err(|error| crate::error::name_io(self.name.as_deref(), error))?;
        if read < wanted {
            let missing = self.remaining - read as u64;
            return Err(crate::error::name_io(
                self.name.as_deref(),
                io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("file ends {missing} bytes too early"),
                ),
            ));
        }
        self.offset += read as u64;
        self.remaining -= read as u64;
        Ok(Some(buffer.freeze(read)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use super::*;

    fn file_of(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn collect(mut source: FileSource) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(chunk) = source.next_chunk()? {
            assert!(!chunk.is_empty() && chunk.len() <= CHUNK_SIZE);
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }

    #[test]
    fn reads_exactly_the_range() {
        let content: Vec<u8> = (0..600_000u32).map(|i| (i % 251) as u8).collect();
        for (offset, length) in [(0, 600_000), (0, 0), (5, 262_144), (599_999, 1), (600_000, 0)] {
            let read = collect(FileSource::new(file_of(&content), offset as u64, length as u64)).unwrap();
            assert!(read == content[offset..offset + length], "{offset} {length}");
        }
    }

    #[test]
    fn short_file_and_impossible_range_are_errors() {
        let cases = [
            (0, 11, io::ErrorKind::UnexpectedEof),
            (20, 1, io::ErrorKind::UnexpectedEof),
            (u64::MAX, 5, io::ErrorKind::InvalidInput),
        ];
        for (offset, length, kind) in cases {
            let source = FileSource::new(file_of(b"0123456789"), offset, length).named("a/file");
            let error = collect(source).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().starts_with("a/file: "), "{error}");
        }
    }
}
