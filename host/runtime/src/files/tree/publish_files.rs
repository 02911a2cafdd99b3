use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore_blob::Durability;

use super::Tree;
use crate::files::{Directory, GuestResult, guest_error, io_error, path};

impl Tree {
    /// Gives files of a staged tree names of their own; what has such a name already stays.
    pub(crate) fn publish_files(self, into: &Directory, names: &[(Vec<u8>, Vec<u8>)]) -> GuestResult<()> {
        if !Arc::ptr_eq(&self.root, &into.root) {
            return Err(guest_error(
                "access-denied",
                "files of a staged tree are published below the directory that staged it",
            ));
        }
        let staged = self.check_staged()?;
        let mut pairs = Vec::with_capacity(names.len());
        for (from, to) in names {
            pairs.push((Path::new(&staged.name).join(path::checked(from)?), path::checked(to)?));
        }
        staged.state.end();
        if self.root.durability == Durability::Sync {
            rustix::fs::syncfs(&self.directory).map_err(|error| io_error(&self.root.path, &error.into()))?;
        }
        let mut made = PathBuf::new();
        for (from, to) in pairs {
            let parent = to.parent().unwrap_or(Path::new(""));
            if parent != made {
                into.make_directories(parent)?;
                parent.clone_into(&mut made);
            }
            let full = into.path.join(to);
            let dir = &staged.staging.dir;
            let metadata = dir.symlink_metadata(&from).map_err(|error| io_error(&full, &error))?;
            if metadata.is_dir() {
                let message = format!("{}: only files are published one by one", full.display());
                return Err(guest_error("invalid-data", message));
            }
            match dir.hard_link(&from, &into.dir, to) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                linked => linked.and_then(|()| dir.remove_file(&from)),
            }
            .map_err(|error| io_error(&full, &error))?;
            self.root.changed(&into.relative(parent));
        }
        Ok(())
    }
}
