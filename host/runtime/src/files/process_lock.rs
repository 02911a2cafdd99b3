use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use super::{GuestResult, guest_error, io_error};

/// What a lock is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileId {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl FileId {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
}

/// The record locks of this process. They are the process's and not a descriptor's: it has each of these files open
/// once, whoever holds the lock, and would lose it by closing any other descriptor of the file.
static LOCKED: LazyLock<Mutex<HashMap<FileId, Locked>>> = LazyLock::new(Mutex::default);

struct Locked {
    file: File,
    exclusive: bool,
    holders: usize,
}

fn table() -> MutexGuard<'static, HashMap<FileId, Locked>> {
    // Every change below leaves the value whole.
    LOCKED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this process holds a record lock on the file, which must not be opened meanwhile.
pub(super) fn is_locked(id: FileId) -> bool {
    table().contains_key(&id)
}

/// One holder's part of a record lock, given back when it is dropped.
pub(super) struct ProcessLock(FileId);

impl ProcessLock {
    /// Takes the lock if it is free. `open` is called unless this process holds it already.
    pub(super) fn try_acquire(
        id: FileId,
        path: &Path,
        exclusive: bool,
        open: &dyn Fn() -> GuestResult<File>,
    ) -> GuestResult<Option<Self>> {
        let at = |error: io::Error| io_error(path, &error);
        let mut table = table();
        if let Some(locked) = table.get_mut(&id) {
            let joins = !exclusive && !locked.exclusive;
            locked.holders += usize::from(joins);
            // Not made unless it is wanted: dropping one gives a part of the lock back.
            return Ok(joins.then(|| Self(id)));
        }
        let file = open()?;
        if FileId::of(&file).map_err(at)? != id {
            let message = format!("{}: replaced while it was being locked", path.display());
            return Err(guest_error("other", message));
        }
        let operation = if exclusive {
            FlockOperation::NonBlockingLockExclusive
        } else {
            FlockOperation::NonBlockingLockShared
        };
        match fcntl_lock(&file, operation) {
            Ok(()) => {}
            Err(Errno::AGAIN | Errno::ACCESS) => return Ok(None),
            Err(error) => return Err(at(error.into())),
        }
        let locked = Locked {
            file,
            exclusive,
            holders: 1,
        };
        table.insert(id, locked);
        Ok(Some(Self(id)))
    }

    /// Works on the locked file.
    pub(super) fn with_file<T>(&self, work: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        match table().get(&self.0) {
            Some(locked) => work(&locked.file),
            None => Err(io::Error::other("the lock is gone")),
        }
    }
}

impl Drop for ProcessLock {
    fn drop(&mut self) {
        let mut table = table();
        if let Some(locked) = table.get_mut(&self.0) {
            locked.holders -= 1;
            if locked.holders == 0 {
                // Closing the file gives the lock back.
                table.remove(&self.0);
            }
        }
    }
}
