use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::fs::{OpenOptions, Permissions, PermissionsExt as _};
use longshore_blob::Durability;

use super::open_file::StagedState;
use super::staging::Staging;
use super::{Directory, GuestResult, OpenFile, Root, guest_error, io_error, path};

/// Mode of every file that is published.
const FILE_MODE: u32 = 0o644;

/// A file without a name. Dropped, it is gone.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Staged {
    root: Arc<Root>,
    staging: Arc<Staging>,
    name: String,
    /// For messages.
    path: PathBuf,
    state: Arc<StagedState>,
    published: bool,
}

impl Staged {
    pub(super) fn create(root: &Arc<Root>) -> GuestResult<Self> {
        let staging = root.staging().map_err(|error| io_error(&root.path, &error))?;
        let name = staging.next_name();
        let path = root.path.join("(staged)").join(&name);
        let create = || {
            let file = staging
                .dir
                .open_with(&name, OpenOptions::new().write(true).create_new(true))?;
            // The mode of creation is subject to the umask.
            file.set_permissions(Permissions::from_mode(FILE_MODE))
        };
        create().map_err(|error: std::io::Error| io_error(&path, &error))?;
        Ok(Self {
            root: Arc::clone(root),
            staging,
            name,
            path,
            state: Arc::default(),
            published: false,
        })
    }

    /// A handle to write through.
    pub(crate) fn file(&self) -> GuestResult<OpenFile> {
        let file = self
            .staging
            .dir
            .open_with(&self.name, OpenOptions::new().read(true).write(true))
            .map_err(|error| io_error(&self.path, &error))?;
        Ok(OpenFile::staged(
            file.into_std(),
            self.path.clone(),
            Arc::clone(&self.state),
        ))
    }

    /// Takes on the mode of a file that is to give way.
    fn keep_mode_of(&self, into: &Directory, target: &[u8]) -> GuestResult<()> {
        let target = path::checked(target)?;
        let Ok(metadata) = into.dir.symlink_metadata(target) else {
            return Ok(());
        };
        if !metadata.is_file() {
            return Ok(());
        }
        let kept = self.staging.dir.set_permissions(&self.name, metadata.permissions());
        kept.map_err(|error| io_error(&self.path, &error))
    }

    /// Gives the file its name.
    pub(crate) fn publish(mut self, into: &Directory, target: &[u8], replace: bool) -> GuestResult<()> {
        if !Arc::ptr_eq(&self.root, &into.root) {
            return Err(guest_error(
                "access-denied",
                "a staged file is published below the directory that staged it",
            ));
        }
        let target = path::checked(target)?;
        self.state.end();
        let full = into.path.join(target);
        let at = |error: std::io::Error| io_error(&full, &error);
        let mut on_disk = !self.state.is_dirty();
        if !on_disk && !self.root.hidden && self.root.durability == Durability::Sync {
            self.staging
                .dir
                .open(&self.name)
                .and_then(|file| file.sync_all())
                .map_err(at)?;
            on_disk = true;
        }
        if let Some(parent) = target.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            into.make_directories(parent)?;
        }
        if replace {
            self.staging.dir.rename(&self.name, &into.dir, target).map_err(at)?;
        } else {
            self.staging.dir.hard_link(&self.name, &into.dir, target).map_err(at)?;
            self.staging.dir.remove_file(&self.name).map_err(at)?;
        }
        self.published = true;
        self.root.published(into.relative(target), on_disk);
        Ok(())
    }

    /// Writes all of a small file and publishes it, behind everything that was
    /// published before.
    pub(super) fn replace(root: &Arc<Root>, into: &Directory, target: &[u8], data: &[u8]) -> GuestResult<()> {
        path::checked(target)?;
        let staged = Self::create(root)?;
        staged.keep_mode_of(into, target)?;
        staged.file()?.write_at(0, data)?;
        if !root.hidden {
            root.sync().map_err(|error| io_error(&root.path, &error))?;
        }
        staged.publish(into, target, true)?;
        if !root.hidden {
            // What the guest removes after this must not be gone while the old file is still on the disk.
            root.sync().map_err(|error| io_error(&root.path, &error))?;
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        self.state.end();
        if !self.published
            && let Err(error) = self.staging.dir.remove_file(Path::new(&self.name))
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::debug!("cannot remove {}: {error}", self.path.display());
        }
    }
}
