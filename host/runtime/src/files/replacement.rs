use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use longshore_blob::Durability;
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use super::staging::{PREFIX, remove_abandoned, unique_name};
use super::{Directory, GuestResult, Root};
use crate::Error;

/// A directory that takes the place of another one as a whole.
///
/// It is made beside its target, so that one rename can exchange the two. Where
/// that cannot be (the target is a mount point, or the file system lacks the
/// call), its files are moved one by one, in the order in which they were
/// published, and the old ones that are left are removed last.
pub(crate) struct Replacement {
    root: Arc<Root>,
    target: PathBuf,
    /// What was at `target` when the guest was shown it: nothing else may be removed in its place.
    replaces: Option<Inode>,
    /// Keeps others from taking the directory for an abandoned one.
    _lock: fs::File,
    done: bool,
}

impl Replacement {
    /// Where the directory at `path` really is or will be: its last symbolic
    /// links resolved, its parent existing.
    pub(crate) fn resolve(path: &Path) -> Result<PathBuf, Error> {
        match path.canonicalize() {
            Ok(real) => Ok(real),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let parent = path
                    .parent()
                    .filter(|parent| !parent.as_os_str().is_empty())
                    .unwrap_or(Path::new("."));
                let name = path.file_name().ok_or_else(|| Error::io(path)(error))?;
                Ok(parent.canonicalize().map_err(Error::io(parent))?.join(name))
            }
            Err(error) => Err(Error::io(path)(error)),
        }
    }

    /// Makes an empty directory beside `target` (as from [`Replacement::resolve`]).
    pub(crate) fn create(target: PathBuf, durability: Durability) -> Result<Self, Error> {
        let parent = target.parent().ok_or_else(|| {
            Error::io(&target)(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "the root directory cannot be replaced",
            ))
        })?;
        let parent_dir = Dir::open_ambient_dir(parent, ambient_authority()).map_err(Error::io(parent))?;
        remove_abandoned(&parent_dir, &prefix_of(&target)).map_err(Error::io(parent))?;
        let (path, lock) = loop {
            let name = format!("{}{}", prefix_of(&target), unique_name().trim_start_matches(PREFIX));
            let path = parent.join(&name);
            fs::create_dir(&path).map_err(Error::io(&path))?;
            match locked(&path) {
                Ok(lock) => break (path, lock),
                // Somebody who tidied up took it for an abandoned one.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io(&path)(error)),
            }
        };
        let root = Root::open(&path, true, durability, true)?;
        adopt_attributes(&path, &target)?;
        let replaces = Inode::at(&target).map_err(Error::io(&target))?;
        Ok(Self {
            root,
            target,
            replaces,
            _lock: lock,
            done: false,
        })
    }

    pub(crate) fn directory(&self) -> GuestResult<Directory> {
        Directory::of(&self.root)
    }

    /// Puts the directory in place of the old one.
    pub(crate) fn commit(mut self) -> Result<(), Error> {
        let new = self.root.path().to_owned();
        self.root.discard_staged();
        self.root.sync().map_err(Error::io(&new))?;
        if self.root.durability == Durability::Sync {
            fs::File::open(&new)
                .and_then(|directory| directory.sync_all())
                .map_err(Error::io(&new))?;
        }
        if Inode::at(&self.target).map_err(Error::io(&self.target))? != self.replaces {
            let changed = "something else has come to be there since the copy began";
            let error = std::io::Error::new(std::io::ErrorKind::AlreadyExists, changed);
            return Err(Error::io(&self.target)(error));
        }
        let exchanged = match self.replaces {
            Some(_) => rustix::fs::renameat_with(CWD, &new, CWD, &self.target, RenameFlags::EXCHANGE),
            None => Err(Errno::NOENT),
        };
        match exchanged {
            Ok(()) => {}
            Err(Errno::NOENT) => {
                match rustix::fs::renameat_with(CWD, &new, CWD, &self.target, RenameFlags::NOREPLACE) {
                    Ok(()) => {}
                    Err(Errno::INVAL | Errno::NOSYS) => {
                        fs::rename(&new, &self.target).map_err(Error::io(&self.target))?
                    }
                    Err(error) => return Err(Error::io(&self.target)(error.into())),
                }
            }
            Err(_) => move_one_by_one(&new, &self.target, &self.root.publications(), self.root.durability)?,
        }
        self.done = true;
        sync_parent(&self.target, self.root.durability)?;
        // What is at the new directory's old name now is the old image.
        remove_all(&new);
        Ok(())
    }
}

/// Which directory stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            number: metadata.ino(),
        }
    }

    /// None if nothing is there.
    pub(super) fn at(path: &Path) -> std::io::Result<Option<Self>> {
        match fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some(Self::of(&metadata))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The lock of a new directory; "not found" if the directory was removed before it was locked.
fn locked(path: &Path) -> std::io::Result<fs::File> {
    let lock = fs::File::open(path)?;
    // Its name is unique; nobody else holds its lock for long.
    lock.lock()?;
    if Inode::at(path)? == Some(Inode::of(&lock.metadata()?)) {
        Ok(lock)
    } else {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.done {
            self.root.discard_staged();
            remove_all(self.root.path());
        }
    }
}

/// Names of directories that are to replace `target`.
fn prefix_of(target: &Path) -> String {
    format!("{PREFIX}{}-", target.file_name().unwrap_or_default().to_string_lossy())
}

/// The new directory looks like the one that it replaces.
fn adopt_attributes(new: &Path, target: &Path) -> Result<(), Error> {
    let mode = match fs::metadata(target) {
        Ok(old) => {
            let own = fs::metadata(new).map_err(Error::io(new))?;
            if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
                std::os::unix::fs::chown(new, Some(old.uid()), Some(old.gid())).map_err(Error::io(new))?;
            }
            old.permissions().mode() & 0o7777
        }
        Err(_) => 0o755,
    };
    fs::set_permissions(new, fs::Permissions::from_mode(mode)).map_err(Error::io(new))
}

/// Moves `files`, in order, over what is in `target`, then removes the rest of
/// what was there.
fn move_one_by_one(new: &Path, target: &Path, files: &[PathBuf], durability: Durability) -> Result<(), Error> {
    for file in files {
        let destination = target.join(file);
        if let Some(parent) = destination.parent() {
            fs::create_dir_all(parent).map_err(Error::io(parent))?;
        }
        // A name may have been published twice: its last content moved already.
        match fs::rename(new.join(file), &destination) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && destination.exists() => {}
            result => result.map_err(Error::io(&destination))?,
        }
    }
    sync_directory(target, durability)?;
    let kept = |name: &std::ffi::OsStr| files.iter().any(|file| file.iter().next() == Some(name));
    for entry in fs::read_dir(target).map_err(Error::io(target))? {
        let entry = entry.map_err(Error::io(target))?;
        if !kept(&entry.file_name()) {
            remove_all(&entry.path());
        }
    }
    sync_directory(target, durability)
}

pub(super) fn sync_parent(path: &Path, durability: Durability) -> Result<(), Error> {
    path.parent()
        .map_or(Ok(()), |parent| sync_directory(parent, durability))
}

fn sync_directory(path: &Path, durability: Durability) -> Result<(), Error> {
    if durability == Durability::NoSync {
        return Ok(());
    }
    fs::File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(Error::io(path))
}

/// Removes a file or a directory with all in it, if it is there.
fn remove_all(path: &Path) {
    let result = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => return,
    };
    if let Err(error) = result {
        tracing::warn!("cannot remove {}: {error}", path.display());
    }
}

#[cfg(test)]
mod tests;
