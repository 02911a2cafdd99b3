use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;

use crate::directory::{PREFIX, Root};
use crate::ledger::Ledger;
use crate::{Error, io_error};

/// A directory that takes the place of another one as a whole. Dropped, it is gone.
pub(crate) struct Replacement {
    pub(crate) root: Rc<Root>,
    folder: TempDir,
    target: PathBuf,
}

impl Replacement {
    /// Makes an empty directory beside `target`.
    pub(crate) fn create(target: PathBuf, ledger: &Rc<Ledger>) -> Result<Self, Error> {
        let make = || {
            let parent = target.parent().unwrap_or(Path::new("/"));
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
            let mode = target.metadata().map_or(0o755, |old| old.permissions().mode() & 0o7777);
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode))?;
            Ok(folder)
        };
        let folder = make().map_err(io_error(&target))?;
        Ok(Self {
            root: Root::open(folder.path(), true, ledger)?,
            folder,
            target,
        })
    }

    /// Puts the directory in place of the old one.
    pub(crate) fn commit(self) -> io::Result<()> {
        let ledger = &self.root.ledger;
        let new = self.folder.path();
        self.root.discard_staged()?;
        ledger.sync()?;
        ledger.sync_one(new)?;
        let parent = self.target.parent().unwrap_or(new);
        if self.target.try_exists()? {
            renameat_with(CWD, new, CWD, &self.target, RenameFlags::EXCHANGE)?;
            ledger.sync_one(parent)?;
            // What has the new directory's old name now is the old image.
            self.folder.close()
        } else {
            renameat_with(CWD, new, CWD, &self.target, RenameFlags::NOREPLACE)?;
            ledger.sync_one(parent)?;
            let _ = self.folder.keep();
            Ok(())
        }
    }
}
