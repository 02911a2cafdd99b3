use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore_blob::Durability;
use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

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
            pairs.push((self.place(from)?, path::checked(to)?));
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
            if FileType::from_raw_mode(from.status()?.st_mode) == FileType::Directory {
                let message = format!("{}: only files are published one by one", from.path.display());
                return Err(guest_error("invalid-data", message));
            }
            let at = |error: std::io::Error| io_error(&full, &error);
            let folder = if parent.as_os_str().is_empty() {
                into.dir.try_clone()
            } else {
                into.dir.open_dir(parent)
            };
            let folder = folder.map_err(at)?;
            let name = to.file_name().unwrap_or_default();
            match rustix::fs::linkat(&from.parent, &from.name, &folder, name, AtFlags::empty()) {
                Err(Errno::EXIST) => continue,
                linked => linked.map_err(|error| at(error.into()))?,
            }
            rustix::fs::unlinkat(&from.parent, &from.name, AtFlags::empty()).map_err(|error| from.failed(error))?;
            self.root.changed(&into.relative(parent));
        }
        Ok(())
    }
}
