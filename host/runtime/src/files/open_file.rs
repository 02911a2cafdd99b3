use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;
use longshore_blob::{ChunkSink, ChunkSource, Durability, FileSink, FileSource};

use super::{GuestResult, Root, guest_error, io_error};

/// An open regular file that a guest or the host reads or writes.
#[derive(Clone)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenFile {
    file: Arc<File>,
    path: PathBuf,
    access: Access,
    /// Its bytes come from a stream: it has no time of its own.
    spooled: bool,
}

#[derive(Clone)]
enum Access {
    Read,
    /// In place, of a file that has a name already.
    InPlace(InPlace),
    Staged(Arc<StagedState>),
}

impl Access {
    /// Keeps the handle from being ended for as long as the guard lives; an error if it was.
    fn enter(&self, path: &Path) -> std::io::Result<Option<RwLockReadGuard<'_, bool>>> {
        match self {
            Self::Staged(state) => state.enter(path).map(Some),
            Self::Read | Self::InPlace(_) => Ok(None),
        }
    }

    /// Bytes were written, or begun to be.
    fn wrote(&self) {
        match self {
            Self::Read => {}
            Self::InPlace(file) => file.root.written(&file.path),
            Self::Staged(state) => state.dirty.store(true, Ordering::Release),
        }
    }
}

/// A file that is changed where it is.
#[derive(Clone)]
pub(super) struct InPlace {
    pub(super) root: Arc<Root>,
    /// Relative to the root.
    pub(super) path: PathBuf,
}

/// What the handles of a staged file share with it, and every stream made from them.
#[derive(Default)]
pub(super) struct StagedState {
    /// Set once the file is published or given up: its handles are dead. Whoever moves bytes holds it meanwhile, so
    /// that none is moved after the end.
    ended: RwLock<bool>,
    /// Bytes may have been written that are not on disk.
    dirty: AtomicBool,
    /// Whoever owns the file has it on disk as a whole, at the end.
    synced_at_end: bool,
}

impl StagedState {
    /// Of a file that is synced once, when all of it is there.
    pub(super) fn synced_at_end() -> Self {
        Self {
            synced_at_end: true,
            ..Self::default()
        }
    }

    /// Ends all handles and streams, waiting for what they are about to move.
    pub(super) fn end(&self) {
        *self.ended.write().unwrap_or_else(PoisonError::into_inner) = true;
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Acquire)
    }

    fn enter(&self, path: &Path) -> std::io::Result<RwLockReadGuard<'_, bool>> {
        let ended = self.ended.read().unwrap_or_else(PoisonError::into_inner);
        if *ended {
            return Err(std::io::Error::other(format!(
                "{}: the staged file is published already",
                path.display()
            )));
        }
        Ok(ended)
    }
}

impl OpenFile {
    /// A file that has a name already; `in_place` if it may be changed.
    pub(super) fn new(file: File, path: PathBuf, in_place: Option<InPlace>) -> Self {
        Self {
            file: Arc::new(file),
            path,
            access: in_place.map_or(Access::Read, Access::InPlace),
            spooled: false,
        }
    }

    pub(super) fn staged(file: File, path: PathBuf, state: Arc<StagedState>) -> Self {
        Self {
            file: Arc::new(file),
            path,
            access: Access::Staged(state),
            spooled: false,
        }
    }

    /// A temporary copy of what could not be read in place.
    pub(crate) fn spooled(file: File, path: PathBuf) -> Self {
        Self {
            spooled: true,
            ..Self::new(file, path, None)
        }
    }

    /// Whether the handle can be used still; it can for as long as the guard lives.
    fn enter(&self, write: bool) -> GuestResult<Option<RwLockReadGuard<'_, bool>>> {
        if write && matches!(self.access, Access::Read) {
            return Err(guest_error(
                "access-denied",
                format!("{}: not open for writing", self.path.display()),
            ));
        }
        self.access
            .enter(&self.path)
            .map_err(|error| guest_error("other", error.to_string()))
    }

    pub(crate) fn size(&self) -> GuestResult<u64> {
        let _alive = self.enter(false)?;
        self.file
            .metadata()
            .map(|metadata| metadata.len())
            .map_err(|error| io_error(&self.path, &error))
    }

    /// When it last changed, in seconds since 1970; none for a copy of a stream.
    pub(crate) fn modified(&self) -> GuestResult<Option<i64>> {
        let _alive = self.enter(false)?;
        if self.spooled {
            return Ok(None);
        }
        let metadata = self.file.metadata().map_err(|error| io_error(&self.path, &error))?;
        Ok(Some(metadata.mtime()))
    }

    /// Up to `max` bytes; fewer only at the end.
    pub(crate) fn read_at(&self, offset: u64, max: usize) -> GuestResult<Vec<u8>> {
        let _alive = self.enter(false)?;
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

    /// All of a file that was just opened, though at most `max` bytes of it.
    pub(super) fn read_to_end(&self, max: usize) -> GuestResult<Vec<u8>> {
        let mut data = Vec::new();
        (&*self.file)
            .take(max as u64)
            .read_to_end(&mut data)
            .map_err(|error| io_error(&self.path, &error))?;
        Ok(data)
    }

    pub(crate) fn write_at(&self, offset: u64, data: &[u8]) -> GuestResult<()> {
        let _alive = self.enter(true)?;
        let written = self.file.write_all_at(data, offset);
        self.access.wrote();
        written.map_err(|error| io_error(&self.path, &error))
    }

    pub(crate) fn resize(&self, size: u64) -> GuestResult<()> {
        let _alive = self.enter(true)?;
        let resized = self.file.set_len(size);
        self.access.wrote();
        resized.map_err(|error| io_error(&self.path, &error))
    }

    /// The bytes of a range, for the host to move, and their number.
    pub(crate) fn source(&self, offset: u64, length: Option<u64>) -> GuestResult<(RangeSource, u64)> {
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
        let inner = FileSource::new(self.duplicate()?, offset, length).named(&self.path);
        let (path, access) = (self.path.clone(), self.access.clone());
        Ok((RangeSource { inner, path, access }, length))
    }

    /// A place to write a range to, for the host.
    pub(crate) fn sink(&self, offset: u64, limit: Option<u64>, durability: Durability) -> GuestResult<RangeSink> {
        let _alive = self.enter(true)?;
        Ok(RangeSink {
            inner: FileSink::new(self.duplicate()?, offset, limit, durability).named(&self.path),
            path: self.path.clone(),
            access: self.access.clone(),
            synced: durability == Durability::Sync,
        })
    }

    fn duplicate(&self) -> GuestResult<File> {
        self.file.try_clone().map_err(|error| io_error(&self.path, &error))
    }
}

/// A range being read by the host, or by a guest as a stream. It ends with the
/// handle that it came from.
pub(crate) struct RangeSource {
    inner: FileSource,
    path: PathBuf,
    access: Access,
}

impl ChunkSource for RangeSource {
    fn next_chunk(&mut self) -> std::io::Result<Option<Bytes>> {
        let _alive = self.access.enter(&self.path)?;
        self.inner.next_chunk()
    }
}

/// A range being written by the host, or by a guest as a stream. It ends with the
/// handle that it came from. When it is finished the file is known to be on disk,
/// so that publishing it need not sync it again.
pub(crate) struct RangeSink {
    inner: FileSink,
    path: PathBuf,
    access: Access,
    synced: bool,
}

impl ChunkSink for RangeSink {
    fn write_chunk(&mut self, chunk: Bytes) -> std::io::Result<()> {
        let _alive = self.access.enter(&self.path)?;
        let written = self.inner.write_chunk(chunk);
        self.access.wrote();
        written
    }

    fn write_chunks(&mut self, chunks: &[Bytes]) -> std::io::Result<()> {
        let _alive = self.access.enter(&self.path)?;
        let written = self.inner.write_chunks(chunks);
        self.access.wrote();
        written
    }

    fn finish(&mut self) -> std::io::Result<()> {
        let _alive = self.access.enter(&self.path)?;
        if matches!(&self.access, Access::Staged(state) if state.synced_at_end) {
            return Ok(());
        }
        // What another handle writes while this one syncs makes the file dirty again.
        if self.synced
            && let Access::Staged(state) = &self.access
        {
            state.dirty.store(false, Ordering::Release);
        }
        let finished = self.inner.finish();
        if finished.is_err() {
            self.access.wrote();
        }
        finished
    }
}
