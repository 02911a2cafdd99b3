//! A range of a file as a sink.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;

use crate::chunk::ChunkSink;
use crate::durability::Durability;
use crate::error::name_io;
use crate::positional::{write_all_chunks, write_full};

/// How many written bytes may wait before the kernel is told to start writing them to the disk.
///
/// Without it a big file reaches the disk only in the final sync, and the copy waits for all of it there.
const WRITE_BACK_STEP: u64 = 2 * 1024 * 1024;

/// Writes a range of a file, without moving the file's cursor.
#[derive(Debug)]
pub struct FileSink {
    file: File,
    name: Option<PathBuf>,
    start: u64,
    written: u64,
    limit: Option<u64>,
    durability: Durability,
    write_back_from: u64,
}

impl FileSink {
    /// Writes `file` from `offset` on, at most `limit` bytes.
    ///
    /// With [`Durability::Sync`] finishing syncs the file's data; its directory entry is the caller's business.
    pub fn new(file: File, offset: u64, limit: Option<u64>, durability: Durability) -> Self {
        Self {
            file,
            name: None,
            start: offset,
            written: 0,
            limit,
            durability,
            write_back_from: offset,
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

    /// The position of the next byte, and that it may be written.
    fn reserve(&self, length: u64) -> io::Result<u64> {
        let total = self.written.checked_add(length);
        let end = total.and_then(|total| self.start.checked_add(total));
        match (total, end, self.limit) {
            (Some(total), Some(_), Some(limit)) if total > limit => Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("more than the allowed {limit} bytes"),
            )),
            (Some(_), Some(_), _) => Ok(self.start + self.written),
            _ => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    fn wrote(&mut self, length: u64) {
        self.written += length;
        let end = self.start + self.written;
        if self.durability == Durability::Sync && end - self.write_back_from >= WRITE_BACK_STEP {
            start_write_back(&self.file, self.write_back_from, end);
            self.write_back_from = end;
        }
    }

    fn write(&mut self, length: u64, write: impl FnOnce(&File, u64) -> io::Result<()>) -> io::Result<()> {
        self.reserve(length)
            .and_then(|offset| write(&self.file, offset))
            .map_err(|error| name_io(self.name.as_deref(), error))?;
        self.wrote(length);
        Ok(())
    }
}

impl ChunkSink for FileSink {
    fn write_chunk(&mut self, chunk: Bytes) -> io::Result<()> {
        self.write(chunk.len() as u64, |file, offset| write_full(file, &chunk, offset))
    }

    fn write_chunks(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        let length = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        self.write(length, |file, offset| write_all_chunks(file, chunks, offset))
    }

    fn finish(&mut self) -> io::Result<()> {
        match self.durability {
            Durability::Sync => self
                .file
                .sync_data()
                .map_err(|error| name_io(self.name.as_deref(), error)),
            Durability::NoSync => Ok(()),
        }
    }
}

/// Asks the kernel to begin writing a range to the disk, without waiting for it.
///
/// Linux starts the write-back of what is dirty in a range that is declared as not needed any more, which is what
/// `sync_file_range` would do and no safe interface offers. Failure means only that the final sync takes longer.
#[cfg(target_os = "linux")]
fn start_write_back(file: &File, from: u64, to: u64) {
    let length = std::num::NonZeroU64::new(to - from);
    let _ = rustix::fs::fadvise(file, from, length, rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn start_write_back(_: &File, _: u64, _: u64) {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Read;

    use super::*;

    fn sink(file: &File, offset: u64, limit: Option<u64>, durability: Durability) -> FileSink {
        FileSink::new(file.try_clone().unwrap(), offset, limit, durability).named("a/file")
    }

    fn content(file: &mut File) -> Vec<u8> {
        let mut all = Vec::new();
        file.read_to_end(&mut all).unwrap();
        all
    }

    #[test]
    fn writes_at_its_offset() {
        for durability in [Durability::Sync, Durability::NoSync] {
            let mut file = tempfile::tempfile().unwrap();
            let mut sink = sink(&file, 2, Some(6), durability);
            sink.write_chunk(Bytes::from_static(b"ab")).unwrap();
            sink.write_chunks(&[Bytes::from_static(b"c"), Bytes::from_static(b"def")])
                .unwrap();
            sink.finish().unwrap();
            assert_eq!(content(&mut file), b"\0\0abcdef");
        }
    }

    #[test]
    fn more_than_the_limit_is_refused_before_it_is_written() {
        let mut file = tempfile::tempfile().unwrap();
        let mut sink = sink(&file, 0, Some(3), Durability::NoSync);
        sink.write_chunk(Bytes::from_static(b"ab")).unwrap();
        let error = sink.write_chunk(Bytes::from_static(b"cd")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(error.to_string(), "a/file: more than the allowed 3 bytes");
        let many = [Bytes::from_static(b"c"), Bytes::from_static(b"d")];
        assert!(sink.write_chunks(&many).is_err());
        assert_eq!(content(&mut file), b"ab");
    }

    #[test]
    fn offsets_beyond_any_file_are_refused() {
        let file = tempfile::tempfile().unwrap();
        let mut sink = sink(&file, u64::MAX, None, Durability::NoSync);
        let error = sink.write_chunk(Bytes::from_static(b"ab")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_told_by_its_kind() {
        // Every write to it ends with ENOSPC.
        let file = File::options().write(true).open("/dev/full").unwrap();
        let mut sink = FileSink::new(file, 0, None, Durability::NoSync).named("/dev/full");
        let error = sink.write_chunk(Bytes::from_static(b"ab")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let error = sink.write_chunks(&[Bytes::from_static(b"ab")]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn early_write_back_leaves_the_content_alone() {
        let mut file = tempfile::tempfile().unwrap();
        let mut sink = sink(&file, 1, None, Durability::Sync);
        let chunk = Bytes::from(vec![7; 3 << 20]);
        for _ in 0..6 {
            sink.write_chunk(chunk.clone()).unwrap();
        }
        sink.finish().unwrap();
        let all = content(&mut file);
        assert_eq!(all.len(), 1 + (18 << 20));
        assert!(all[1..].iter().all(|byte| *byte == 7));
    }
}
