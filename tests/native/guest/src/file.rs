use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use longshore_blob::{ChunkSink, Durability, FileSink, FileSource};

use crate::{Error, io_error};

/// An open regular file.
#[derive(Debug)]
pub struct File {
    pub(crate) file: fs::File,
    pub(crate) path: PathBuf,
    /// Of a staged file: bytes may have been written that are not on disk.
    pub(crate) dirty: Arc<AtomicBool>,
}

impl File {
    /// Bytes of the file.
    pub fn size(&self) -> Result<u64, Error> {
        let metadata = self.file.metadata().map_err(io_error(&self.path))?;
        Ok(metadata.len())
    }

    /// Writes all of `data`.
    pub fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.dirty.store(true, Ordering::Release);
        self.file.write_all_at(data, offset).map_err(io_error(&self.path))
    }
}

/// Part of a file.
#[derive(Debug)]
pub struct FileRange {
    /// The file.
    pub file: File,
    /// Where it begins.
    pub offset: u64,
    /// To the end of the file if none.
    pub length: Option<u64>,
}

impl FileRange {
    /// The bytes of the range, and their number.
    pub fn into_source(self) -> Result<(FileSource, u64), Error> {
        let length = match self.length {
            Some(length) => length,
            None => self.file.size()?.saturating_sub(self.offset),
        };
        let source = FileSource::new(self.file.file, self.offset, length).named(self.file.path);
        Ok((source, length))
    }

    /// A place to write the range to.
    #[must_use]
    pub fn into_sink(self, durability: Durability) -> RangeSink {
        self.file.dirty.store(true, Ordering::Release);
        RangeSink {
            inner: FileSink::new(self.file.file, self.offset, self.length, durability).named(self.file.path),
            dirty: self.file.dirty,
            synced: durability == Durability::Sync,
        }
    }
}

/// A range being written. When it is finished the file is known to be on disk, so that publishing it need not sync it
/// again.
#[derive(Debug)]
pub struct RangeSink {
    inner: FileSink,
    dirty: Arc<AtomicBool>,
    synced: bool,
}

impl ChunkSink for RangeSink {
    fn write_chunk(&mut self, chunk: Bytes) -> io::Result<()> {
        self.inner.write_chunk(chunk)
    }

    fn write_chunks(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        self.inner.write_chunks(chunks)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.inner.finish()?;
        if self.synced {
            self.dirty.store(false, Ordering::Release);
        }
        Ok(())
    }
}

/// A stream to read: neither `dir` nor `oci` asks for one, so there is none.
#[derive(Debug)]
pub enum Reader {}

impl Reader {
    /// Never called.
    pub fn read(&self, _max: u32) -> Result<Vec<u8>, Error> {
        match *self {}
    }
}

/// A stream to write: neither `dir` nor `oci` asks for one, so there is none.
#[derive(Debug)]
pub enum Writer {}

impl Writer {
    /// Never called.
    pub fn write(&self, _data: &[u8]) -> Result<(), Error> {
        match *self {}
    }
}
