use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use longshore_blob::Durability;

use super::directory::id;
use super::process_lock::is_locked;
use super::staging::{Staging, descriptor};
use crate::Error;

/// A granted directory, and what has to be done about it before the operation
/// counts as successful.
pub(crate) struct Root {
    pub(super) dir: Dir,
    /// Absolute, without symbolic links; for messages and `real-path`.
    pub(super) path: PathBuf,
    pub(super) writable: bool,
    pub(super) durability: Durability,
    /// Nobody sees what is written here before the end, so that syncing can wait
    /// until then.
    pub(super) hidden: bool,
    changes: Mutex<Changes>,
}

#[derive(Default)]
struct Changes {
    staging: Option<Arc<Staging>>,
    /// Directories with new or changed names, relative to the root.
    directories: BTreeSet<PathBuf>,
    /// Files that were named before they were on disk (only if `hidden`), and
    /// those that were changed in place.
    files: BTreeSet<PathBuf>,
    /// Everything that was given a name, in order.
    published: Vec<PathBuf>,
}

impl Root {
    /// Opens an existing directory.
    pub(crate) fn open(path: &Path, writable: bool, durability: Durability, hidden: bool) -> Result<Arc<Self>, Error> {
        let path = path.canonicalize().map_err(Error::io(path))?;
        let dir = Dir::open_ambient_dir(&path, ambient_authority()).map_err(Error::io(&path))?;
        Ok(Arc::new(Self {
            dir,
            path,
            writable,
            durability,
            hidden,
            changes: Mutex::default(),
        }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        // Every change below leaves the value whole.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where files without a name live until they get one.
    pub(super) fn staging(&self) -> std::io::Result<Arc<Staging>> {
        let mut changes = self.changes();
        if let Some(staging) = &changes.staging {
            return Ok(Arc::clone(staging));
        }
        let staging = Arc::new(Staging::create(&self.dir)?);
        changes.staging = Some(Arc::clone(&staging));
        Ok(staging)
    }

    /// A name in `directory` (relative to the root) was added, replaced or removed.
    pub(super) fn changed(&self, directory: &Path) {
        self.changes().directories.insert(directory.to_owned());
    }

    /// `file` (relative to the root) has its name; `on_disk` says whether its
    /// bytes are on disk already.
    pub(super) fn published(&self, file: PathBuf, on_disk: bool) {
        let mut changes = self.changes();
        if !on_disk {
            changes.files.insert(file.clone());
        }
        changes
            .directories
            .insert(file.parent().unwrap_or(Path::new("")).to_owned());
        changes.published.push(file);
    }

    /// `file` (relative to the root) was changed in place.
    pub(super) fn written(&self, file: &Path) {
        self.changes().files.insert(file.to_owned());
    }

    /// What was given a name so far, in order.
    pub(super) fn publications(&self) -> Vec<PathBuf> {
        self.changes().published.clone()
    }

    /// Files that the next sync has to write out.
    #[cfg(test)]
    pub(super) fn unsynced_files(&self) -> Vec<PathBuf> {
        self.changes().files.iter().cloned().collect()
    }

    /// Has everything on disk that was published or changed so far. What fails stays to be done.
    pub(crate) fn sync(&self) -> std::io::Result<()> {
        let (directories, files) = {
            let mut changes = self.changes();
            (
                std::mem::take(&mut changes.directories),
                std::mem::take(&mut changes.files),
            )
        };
        let synced = self.sync_these(&directories, &files);
        if synced.is_err() {
            let mut changes = self.changes();
            changes.directories.extend(directories);
            changes.files.extend(files);
        }
        synced
    }

    fn sync_these(&self, directories: &BTreeSet<PathBuf>, files: &BTreeSet<PathBuf>) -> std::io::Result<()> {
        if self.durability == Durability::NoSync {
            return Ok(());
        }
        for file in files {
            if self.dir.metadata(file).is_ok_and(|metadata| is_locked(id(&metadata))) {
                // Whoever opens and closes a file loses the process's record lock of it.
                rustix::fs::syncfs(descriptor(&self.dir)?)?;
                continue;
            }
            unless_removed(self.dir.open(file).and_then(|file| file.sync_all()))?;
        }
        for directory in directories {
            let directory = if directory.as_os_str().is_empty() {
                Path::new(".")
            } else {
                directory
            };
            let opened = self.dir.open_dir(directory);
            unless_removed(opened.and_then(|directory| descriptor(&directory)?.sync_all()))?;
        }
        Ok(())
    }

    /// Removes what is staged. Called when the operation is over, whether it
    /// succeeded or not.
    pub(crate) fn discard_staged(&self) {
        let staging = self.changes().staging.take();
        if let Some(staging) = staging {
            staging.remove(&self.dir);
        }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        self.discard_staged();
    }
}

/// What was published and removed again needs no place on the disk.
fn unless_removed(synced: std::io::Result<()>) -> std::io::Result<()> {
    match synced {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        synced => synced,
    }
}
