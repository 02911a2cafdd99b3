use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use longshore_blob::{ChunkSink, Durability, FileSink, FileSource};

use super::{GuestResult, guest_error, io_error};

/// An open regular file that a guest or the host reads or writes.
#[derive(Clone)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenFile {
    file: Arc<File>,
    path: PathBuf,
    access: Access,
}

#[derive(Clone)]
enum Access {
    Read,
    /// In place, of a file that has a name already.
    Write,
    Staged(Arc<StagedState>),
}

/// What the handles of a staged file share with it.
#[derive(Default)]
pub(super) struct StagedState {
    /// Set once the file is published or given up: its handles are dead.
    pub(super) ended: AtomicBool,
    /// Bytes may have been written that are not on disk.
    pub(super) dirty: AtomicBool,
}

impl OpenFile {
    pub(super) fn new(file: File, path: PathBuf, writable: bool) -> Self {
        Self {
            file: Arc::new(file),
            path,
            access: if writable { Access::Write } else { Access::Read },
        }
    }

    pub(super) fn staged(file: File, path: PathBuf, state: Arc<StagedState>) -> Self {
        Self {
            file: Arc::new(file),
            path,
            access: Access::Staged(state),
        }
    }

    fn check(&self, write: bool) -> GuestResult<()> {
        match &self.access {
            Access::Read if write => Err(guest_error(
                "access-denied",
                format!("{}: not open for writing", self.path.display()),
            )),
            Access::Staged(state) if state.ended.load(Ordering::Acquire) => Err(guest_error(
                "other",
                format!("{}: the staged file is published already", self.path.display()),
            )),
            Access::Staged(state) => {
                if write {
                    state.dirty.store(true, Ordering::Release);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn size(&self) -> GuestResult<u64> {
        self.check(false)?;
        self.file
            .metadata()
            .map(|metadata| metadata.len())
            .map_err(|error| io_error(&self.path, &error))
    }

    /// Up to `max` bytes; fewer only at the end.
    pub(crate) fn read_at(&self, offset: u64, max: usize) -> GuestResult<Vec<u8>> {
        self.check(false)?;
        let mut data = vec![0; max];
        let mut filled = 0;
        while filled < max {
            match self
                .file
                .read_at(&mut data[filled..], offset.saturating_add(filled as u64))
            {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(io_error(&self.path, &error)),
            }
        }
        data.truncate(filled);
        Ok(data)
    }

    pub(crate) fn write_at(&self, offset: u64, data: &[u8]) -> GuestResult<()> {
        self.check(true)?;
        self.file
            .write_all_at(data, offset)
            .map_err(|error| io_error(&self.path, &error))
    }

    /// The bytes of a range, for the host to move, and their number.
    pub(crate) fn source(&self, offset: u64, length: Option<u64>) -> GuestResult<(FileSource, u64)> {
        let size = self.size()?;
        let rest = size.checked_sub(offset);
        let length = match (length, rest) {
            (Some(length), _) => length,
            (None, Some(rest)) => rest,
            (None, None) => {
                return Err(guest_error(
                    "invalid-data",
                    format!("{}: offset {offset} lies beyond the end at {size}", self.path.display()),
                ));
            }
        };
        Ok((
            FileSource::new(self.duplicate()?, offset, length).named(&self.path),
            length,
        ))
    }

    /// A place to write a range to, for the host.
    pub(crate) fn sink(&self, offset: u64, limit: Option<u64>, durability: Durability) -> GuestResult<RangeSink> {
        self.check(true)?;
        let inner = FileSink::new(self.duplicate()?, offset, limit, durability).named(&self.path);
        let state = match &self.access {
            Access::Staged(state) => Some(Arc::clone(state)),
            _ => None,
        };
        Ok(RangeSink {
            inner,
            state,
            synced: durability == Durability::Sync,
        })
    }

    fn duplicate(&self) -> GuestResult<File> {
        self.file.try_clone().map_err(|error| io_error(&self.path, &error))
    }
}

/// A range being written by the host. When it is finished the file is known to
/// be on disk, so that publishing it need not sync it again.
pub(crate) struct RangeSink {
    inner: FileSink,
    state: Option<Arc<StagedState>>,
    synced: bool,
}

impl ChunkSink for RangeSink {
    fn write_chunk(&mut self, chunk: Bytes) -> std::io::Result<()> {
        self.inner.write_chunk(chunk)
    }

    fn write_chunks(&mut self, chunks: &[Bytes]) -> std::io::Result<()> {
        self.inner.write_chunks(chunks)
    }

    fn finish(&mut self) -> std::io::Result<()> {
        self.inner.finish()?;
        if self.synced
            && let Some(state) = &self.state
        {
            state.dirty.store(false, Ordering::Release);
        }
        Ok(())
    }
}
