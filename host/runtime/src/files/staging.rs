use std::fs::{File, TryLockError};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use cap_std::fs::{Dir, DirBuilder, DirBuilderExt as _};

/// Names that begin so are ours, in any granted directory.
pub(super) const PREFIX: &str = ".longshore-";

/// Names tried before giving up. A name is lost only to a process that cleans up
/// at this very moment.
const ATTEMPTS: usize = 100;

/// A folder of a granted directory for files that have no name yet. Its owner
/// holds a lock on it for as long as it lives; one whose lock is free belongs to
/// a process that was killed, and whoever comes next removes it.
pub(super) struct Staging {
    pub(super) dir: Dir,
    name: String,
    next: AtomicU64,
    _lock: File,
}

impl Staging {
    pub(super) fn create(parent: &Dir) -> io::Result<Self> {
        remove_abandoned(parent, PREFIX)?;
        for _ in 0..ATTEMPTS {
            let name = unique_name();
            match parent.create_dir_with(&name, DirBuilder::new().mode(0o700)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
            // Between the two calls another process may take the folder for an
            // abandoned one: then there is a next name.
            let Ok(dir) = parent.open_dir(&name) else { continue };
            let Ok(lock) = descriptor(&dir) else { continue };
            match lock.try_lock() {
                Ok(()) if parent.symlink_metadata(&name).is_ok() => {
                    return Ok(Self {
                        dir,
                        name,
                        next: AtomicU64::new(0),
                        _lock: lock,
                    });
                }
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    parent.remove_dir(&name)?;
                    return Err(error);
                }
            }
        }
        Err(io::Error::other("cannot make a staging folder: others keep taking it"))
    }

    pub(super) fn next_name(&self) -> String {
        self.next.fetch_add(1, Ordering::Relaxed).to_string()
    }

    /// Removes the folder and all that is left in it.
    pub(super) fn remove(&self, parent: &Dir) {
        if let Err(error) = parent.remove_dir_all(&self.name) {
            tracing::warn!("cannot remove staging folder {}: {error}", self.name);
        }
    }
}

/// A descriptor of a directory that can be locked and synced: `cap-std` keeps
/// directories open as mere paths (`O_PATH`), which cannot.
pub(super) fn descriptor(dir: &Dir) -> io::Result<File> {
    dir.open(".").map(cap_std::fs::File::into_std)
}

/// A name that no other process chooses.
pub(super) fn unique_name() -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("{PREFIX}{}-{random:016x}", std::process::id())
}

/// Removes the folders that processes left behind that did not live to do it.
pub(super) fn remove_abandoned(parent: &Dir, prefix: &str) -> io::Result<()> {
    for entry in parent.entries()? {
        let name = entry?.file_name();
        if !name.to_string_lossy().starts_with(prefix) {
            continue;
        }
        if !parent.symlink_metadata(&name).is_ok_and(|metadata| metadata.is_dir()) {
            continue;
        }
        let Ok(lock) = parent.open_dir(&name).and_then(|dir| descriptor(&dir)) else {
            continue;
        };
        if lock.try_lock().is_ok() {
            // Held until the folder is gone, so that nobody adopts it.
            if let Err(error) = parent.remove_dir_all(&name) {
                tracing::debug!("cannot remove abandoned folder {}: {error}", name.display());
            }
        }
    }
    Ok(())
}
