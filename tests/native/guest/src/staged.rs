use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use longshore_blob::Durability;

use crate::directory::Root;
use crate::{Directory, Error, File, io_error};

/// A file without a name. Dropped, it is gone.
#[derive(Debug)]
pub struct Staged {
    root: Rc<Root>,
    path: PathBuf,
    dirty: Arc<AtomicBool>,
    published: bool,
}

impl Staged {
    pub(crate) fn create(root: &Rc<Root>) -> Result<Self, Error> {
        let path = root.new_staged_path().map_err(io_error(&root.path))?;
        let create = || {
            let file = fs::File::create_new(&path)?;
            // The mode of creation is subject to the umask.
            file.set_permissions(fs::Permissions::from_mode(0o644))
        };
        create().map_err(io_error(&path))?;
        Ok(Self {
            root: Rc::clone(root),
            path,
            dirty: Arc::default(),
            published: false,
        })
    }

    /// A handle to write through.
    pub fn file(&self) -> Result<File, Error> {
        let file = fs::File::options().read(true).write(true).open(&self.path);
        Ok(File {
            file: file.map_err(io_error(&self.path))?,
            path: self.path.clone(),
            dirty: Arc::clone(&self.dirty),
        })
    }

    /// Gives the file its name.
    pub fn publish(this: Self, into: &Directory, path: &[u8], replace: bool) -> Result<(), Error> {
        let target = into.at(path);
        this.publish_at(&target, replace).map_err(io_error(&target))
    }

    fn publish_at(mut self, target: &Path, replace: bool) -> io::Result<()> {
        let ledger = &self.root.ledger;
        let mut on_disk = !self.dirty.load(Ordering::Acquire);
        if !on_disk && !self.root.hidden && ledger.durability == Durability::Sync {
            ledger.sync_one(&self.path)?;
            on_disk = true;
        }
        if let Some(parent) = target.parent() {
            self.root.make_directories(parent)?;
        }
        if replace {
            fs::rename(&self.path, target)?;
        } else {
            fs::hard_link(&self.path, target)?;
            fs::remove_file(&self.path)?;
        }
        self.published = true;
        if !on_disk {
            ledger.unsynced(target);
        }
        ledger.changed(target);
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.published {
            // It goes with its folder at the latest.
            let _ = fs::remove_file(&self.path);
        }
    }
}
