use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use longshore_blob::Durability;

/// What one operation has to have on disk before it counts as successful.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) durability: Durability,
    /// Directories with new or changed names.
    directories: RefCell<BTreeSet<PathBuf>>,
    /// Files that were named before they were on disk.
    files: RefCell<Vec<PathBuf>>,
}

impl Ledger {
    pub(crate) fn new(durability: Durability) -> Self {
        Self {
            durability,
            directories: RefCell::default(),
            files: RefCell::default(),
        }
    }

    /// A name at `path` was added, replaced or removed.
    pub(crate) fn changed(&self, path: &Path) {
        let parent = path.parent().unwrap_or(path);
        self.directories.borrow_mut().insert(parent.to_owned());
    }

    /// The file at `path` has its name, but its bytes may not be on disk.
    pub(crate) fn unsynced(&self, path: &Path) {
        self.files.borrow_mut().push(path.to_owned());
    }

    /// Has everything on disk that is written down here.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let (files, directories) = (self.files.take(), self.directories.take());
        for path in files.iter().chain(&directories) {
            self.sync_one(path)?;
        }
        Ok(())
    }

    /// Has one file or directory on disk.
    pub(crate) fn sync_one(&self, path: &Path) -> io::Result<()> {
        match self.durability {
            Durability::Sync => fs::File::open(path)?.sync_all(),
            Durability::NoSync => Ok(()),
        }
    }
}
