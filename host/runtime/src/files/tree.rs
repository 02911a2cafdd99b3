mod publish_files;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::fs::Dir;
use longshore_blob::Durability;
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, RenameFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags,
};
use rustix::io::Errno;

use super::open_file::StagedState;
use super::process_lock::{FileId, is_locked};
use super::staging::{self, Staging};
use super::{Directory, GuestResult, OpenFile, Root, guest_error, io_error, path};
use crate::limits;

/// How often a path is resolved anew that somebody renames meanwhile.
const ATTEMPTS: usize = 16;

/// A directory with what a POSIX file system keeps beyond names and bytes.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Tree {
    root: Arc<Root>,
    /// Paths are resolved from here, and nothing leads out of it.
    directory: OwnedFd,
    /// For messages.
    path: PathBuf,
    staged: Option<StagedTree>,
}

/// A tree that has no name yet.
struct StagedTree {
    staging: Arc<Staging>,
    name: String,
    state: Arc<StagedState>,
    published: bool,
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) kind: FileType,
    pub(crate) size: u64,
    pub(crate) mode: u32,
    pub(crate) user: u32,
    pub(crate) group: u32,
    pub(crate) modified: (i64, u32),
    pub(crate) device: (u32, u32),
    pub(crate) links: u64,
}

/// What can be set of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes {
    pub(crate) user: u32,
    pub(crate) group: u32,
    pub(crate) mode: Option<u32>,
    pub(crate) modified: (i64, u32),
}

/// A name, and the directory that it is in.
struct Place {
    parent: OwnedFd,
    name: OsString,
    /// For messages.
    path: PathBuf,
}

impl Place {
    fn failed(&self, error: Errno) -> super::GuestError {
        io_error(&self.path, &error.into())
    }

    /// A path of the process that leads to the name, for calls that take no directory.
    fn in_proc(&self) -> PathBuf {
        Path::new("/proc/self/fd")
            .join(self.parent.as_raw_fd().to_string())
            .join(&self.name)
    }

    fn status(&self) -> GuestResult<rustix::fs::Stat> {
        rustix::fs::statat(&self.parent, &self.name, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| self.failed(error))
    }
}

impl Tree {
    /// The granted directory.
    pub(crate) fn of(root: &Arc<Root>) -> GuestResult<Self> {
        let at = |error: std::io::Error| io_error(&root.path, &error);
        Ok(Self {
            root: Arc::clone(root),
            directory: staging::descriptor(&root.dir).map_err(at)?.into(),
            path: root.path.clone(),
            staged: None,
        })
    }

    /// An empty tree without a name.
    pub(crate) fn stage(&self) -> GuestResult<Self> {
        if !self.root.writable {
            return Err(self.denied("granted for reading only"));
        }
        let at = |error: std::io::Error| io_error(&self.root.path, &error);
        let staging = self.root.staging().map_err(at)?;
        let name = staging.next_name();
        let staged = StagedTree {
            state: Arc::new(StagedState::synced_at_end()),
            name,
            published: false,
            staging,
        };
        rustix::fs::mkdirat(&staged.staging.dir, &staged.name, Mode::RWXU).map_err(|error| at(error.into()))?;
        let opened = staged.staging.dir.open_dir(&staged.name);
        let directory = opened.and_then(|opened| staging::descriptor(&opened)).map_err(at)?;
        Ok(Self {
            root: Arc::clone(&self.root),
            directory: directory.into(),
            path: self.root.path.join("(staged)").join(&staged.name),
            staged: Some(staged),
        })
    }

    fn denied(&self, why: &str) -> super::GuestError {
        guest_error("access-denied", format!("{}: {why}", self.path.display()))
    }

    fn check_staged(&self) -> GuestResult<&StagedTree> {
        let staged = self.staged.as_ref();
        staged.ok_or_else(|| self.denied("only a staged tree is changed"))
    }

    /// Finds the directory that the last name of a path is in.
    fn place(&self, path: &[u8]) -> GuestResult<Place> {
        let path = path::checked(path)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        let shown = self.path.join(path);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let mut attempts = 0;
        let opened = loop {
            match rustix::fs::openat2(&self.directory, parent, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN) if attempts < ATTEMPTS => attempts += 1,
                opened => break opened,
            }
        };
        Ok(Place {
            parent: opened.map_err(|error| io_error(&shown, &error.into()))?,
            name: path.file_name().map(OsStr::to_owned).unwrap_or_default(),
            path: shown,
        })
    }

    /// The same, where the empty path is the tree's own directory.
    fn place_or_own(&self, path: &[u8]) -> GuestResult<Place> {
        if !path.is_empty() {
            return self.place(path);
        }
        let parent = self.directory.try_clone();
        Ok(Place {
            parent: parent.map_err(|error| io_error(&self.path, &error))?,
            name: ".".into(),
            path: self.path.clone(),
        })
    }

    #[allow(clippy::useless_conversion, reason = "the types differ between architectures")]
    pub(crate) fn status(&self, path: &[u8]) -> GuestResult<Status> {
        let found = self.place_or_own(path)?.status()?;
        let kind = FileType::from_raw_mode(found.st_mode);
        let is = |wanted: &[FileType]| wanted.contains(&kind);
        Ok(Status {
            kind,
            size: if is(&[FileType::RegularFile]) {
                u64::try_from(found.st_size).unwrap_or_default()
            } else {
                0
            },
            mode: found.st_mode & 0o7777,
            user: found.st_uid,
            group: found.st_gid,
            modified: (found.st_mtime, u32::try_from(found.st_mtime_nsec).unwrap_or_default()),
            device: if is(&[FileType::CharacterDevice, FileType::BlockDevice]) {
                (rustix::fs::major(found.st_rdev), rustix::fs::minor(found.st_rdev))
            } else {
                (0, 0)
            },
            links: u64::from(found.st_nlink),
        })
    }

    pub(crate) fn read_symlink(&self, path: &[u8]) -> GuestResult<Vec<u8>> {
        let place = self.place(path)?;
        match rustix::fs::readlinkat(&place.parent, &place.name, Vec::new()) {
            Ok(target) => Ok(target.into_bytes()),
            Err(Errno::INVAL) => {
                let message = format!("{}: not a symbolic link", place.path.display());
                Err(guest_error("invalid-data", message))
            }
            Err(error) => Err(place.failed(error)),
        }
    }

    pub(crate) fn extended_attributes(&self, path: &[u8]) -> GuestResult<Vec<(Vec<u8>, Vec<u8>)>> {
        let place = self.place_or_own(path)?;
        let failed = |error| place.failed(error);
        let mut names = Vec::with_capacity(limits::EXTENDED_ATTRIBUTE);
        match rustix::fs::llistxattr(place.in_proc(), rustix::buffer::spare_capacity(&mut names)) {
            Ok(_) => {}
            Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        }
        let (mut all, mut size) = (Vec::new(), 0);
        for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let mut value = Vec::with_capacity(limits::EXTENDED_ATTRIBUTE);
            let read = rustix::fs::lgetxattr(place.in_proc(), name, rustix::buffer::spare_capacity(&mut value));
            match read {
                Ok(_) => {}
                // It went meanwhile.
                Err(Errno::NODATA) => continue,
                Err(error) => return Err(failed(error)),
            }
            value.shrink_to_fit();
            size += name.len() + value.len();
            if size > limits::EXTENDED_ATTRIBUTES {
                let message = format!("{}: too many extended attributes", place.path.display());
                return Err(guest_error("invalid-data", message));
            }
            all.push((name.to_vec(), value));
        }
        all.sort();
        Ok(all)
    }

    /// A regular file and nothing else, as [`Directory::open`] does.
    pub(crate) fn open(&self, path: &[u8]) -> GuestResult<OpenFile> {
        let place = self.place(path)?;
        let refuse = |what: &str| {
            let code = if what == "locked" {
                "access-denied"
            } else {
                "invalid-data"
            };
            guest_error(code, format!("{}: {what}", place.path.display()))
        };
        let found = place.status()?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Err(refuse("not a regular file"));
        }
        let id = FileId {
            device: found.st_dev,
            inode: found.st_ino,
        };
        if is_locked(id) {
            return Err(refuse("locked"));
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&place.parent, &place.name, flags, Mode::empty());
        let file = File::from(opened.map_err(|error| place.failed(error))?);
        // It may have been replaced between the two calls.
        match file.metadata() {
            Ok(metadata) if metadata.is_file() => Ok(OpenFile::new(file, place.path, None)),
            Ok(_) => Err(refuse("not a regular file")),
            Err(error) => Err(io_error(&place.path, &error)),
        }
    }

    pub(crate) fn create_file(&self, path: &[u8]) -> GuestResult<OpenFile> {
        let staged = self.check_staged()?;
        let place = self.place(path)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&place.parent, &place.name, flags, Mode::RUSR | Mode::WUSR);
        let file = File::from(opened.map_err(|error| place.failed(error))?);
        Ok(OpenFile::staged(file, place.path, Arc::clone(&staged.state)))
    }

    /// Makes something in a staged tree.
    fn make(&self, path: &[u8], make: impl FnOnce(&Place) -> rustix::io::Result<()>) -> GuestResult<()> {
        self.check_staged()?;
        let place = self.place(path)?;
        make(&place).map_err(|error| place.failed(error))
    }

    pub(crate) fn make_directory(&self, path: &[u8]) -> GuestResult<()> {
        self.make(path, |place| {
            rustix::fs::mkdirat(&place.parent, &place.name, Mode::RWXU)
        })
    }

    pub(crate) fn make_node(&self, path: &[u8], kind: FileType, (major, minor): (u32, u32)) -> GuestResult<()> {
        let device = match kind {
            FileType::CharacterDevice | FileType::BlockDevice => rustix::fs::makedev(major, minor),
            FileType::Fifo | FileType::Socket => 0,
            _ => return Err(guest_error("invalid-data", "a node is a FIFO, a socket or a device")),
        };
        let mode = Mode::RUSR | Mode::WUSR;
        self.make(path, |place| {
            rustix::fs::mknodat(&place.parent, &place.name, kind, mode, device)
        })
    }

    pub(crate) fn make_symlink(&self, path: &[u8], target: &[u8]) -> GuestResult<()> {
        let target = OsStr::from_bytes(target);
        self.make(path, |place| rustix::fs::symlinkat(target, &place.parent, &place.name))
    }

    pub(crate) fn hard_link(&self, existing: &[u8], path: &[u8]) -> GuestResult<()> {
        self.check_staged()?;
        let from = self.place(existing)?;
        if FileType::from_raw_mode(from.status()?.st_mode) == FileType::Directory {
            let message = format!("{}: a directory has one name", from.path.display());
            return Err(guest_error("invalid-data", message));
        }
        self.make(path, |to| {
            rustix::fs::linkat(&from.parent, &from.name, &to.parent, &to.name, AtFlags::empty())
        })
    }

    pub(crate) fn set_attributes(&self, path: &[u8], attributes: Attributes) -> GuestResult<()> {
        self.check_staged()?;
        let place = self.place_or_own(path)?;
        let (seconds, nanoseconds) = attributes.modified;
        if nanoseconds >= 1_000_000_000 {
            return Err(guest_error(
                "invalid-data",
                "a time of more than 999,999,999 nanoseconds",
            ));
        }
        let set = || {
            let (user, group) = (
                Uid::from_raw_unchecked(attributes.user),
                Gid::from_raw_unchecked(attributes.group),
            );
            let no_follow = AtFlags::SYMLINK_NOFOLLOW;
            rustix::fs::chownat(&place.parent, &place.name, Some(user), Some(group), no_follow)?;
            if let Some(mode) = attributes.mode {
                // Behind the owner, whose change clears bits of it.
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let node = rustix::fs::openat(&place.parent, &place.name, flags, Mode::empty())?;
                let node = Path::new("/proc/self/fd").join(node.as_raw_fd().to_string());
                rustix::fs::chmod(node, Mode::from_raw_mode(mode & 0o7777))?;
            }
            let times = Timestamps {
                last_access: Timespec {
                    tv_sec: 0,
                    tv_nsec: UTIME_OMIT,
                },
                last_modification: Timespec {
                    tv_sec: seconds,
                    tv_nsec: nanoseconds.into(),
                },
            };
            rustix::fs::utimensat(&place.parent, &place.name, &times, no_follow)
        };
        set().map_err(|error| place.failed(error))
    }

    pub(crate) fn set_extended_attribute(&self, path: &[u8], name: &[u8], value: &[u8]) -> GuestResult<()> {
        self.check_staged()?;
        let place = self.place_or_own(path)?;
        if value.len() > limits::EXTENDED_ATTRIBUTE || name.contains(&0) {
            let message = format!("{}: no extended attribute can be that", place.path.display());
            return Err(guest_error("invalid-data", message));
        }
        let set = rustix::fs::lsetxattr(place.in_proc(), name, value, XattrFlags::empty());
        set.map_err(|error| place.failed(error))
    }

    pub(crate) fn remove_all(&self, path: &[u8]) -> GuestResult<()> {
        self.check_staged()?;
        let place = self.place(path)?;
        let is_directory = FileType::from_raw_mode(place.status()?.st_mode) == FileType::Directory;
        let at = |error: std::io::Error| io_error(&place.path, &error);
        if is_directory {
            let parent = place.parent.try_clone().map_err(at)?;
            let parent = Dir::from_std_file(parent.into());
            return parent.remove_dir_all(&place.name).map_err(at);
        }
        let removed = rustix::fs::unlinkat(&place.parent, &place.name, AtFlags::empty());
        removed.map_err(|error| place.failed(error))
    }

    /// Gives a staged tree its name.
    pub(crate) fn publish(mut self, into: &Directory, target: &[u8]) -> GuestResult<()> {
        if !Arc::ptr_eq(&self.root, &into.root) {
            return Err(guest_error(
                "access-denied",
                "a staged tree is published below the directory that staged it",
            ));
        }
        let target = path::checked(target)?;
        let full = into.path.join(target);
        let at = |error: std::io::Error| io_error(&full, &error);
        self.check_staged()?;
        let Some(staged) = &mut self.staged else {
            return Ok(());
        };
        staged.state.end();
        if into.dir.symlink_metadata(target).is_ok() {
            return Err(at(std::io::ErrorKind::AlreadyExists.into()));
        }
        if let Some(parent) = target.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            into.make_directories(parent)?;
        }
        if self.root.durability == Durability::Sync {
            rustix::fs::syncfs(&self.directory).map_err(|error| at(error.into()))?;
        }
        move_to_free_name(&staged.staging.dir, &staged.name, &into.dir, target).map_err(at)?;
        staged.published = true;
        self.root
            .changed(&into.relative(target.parent().unwrap_or(Path::new(""))));
        Ok(())
    }
}

/// Gives a folder a name that nothing has. Without the last step of its own, an empty folder that somebody else just made
/// would give way.
fn move_to_free_name(from: &Dir, name: &str, into: &Dir, target: &Path) -> std::io::Result<()> {
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = match parent {
        Some(parent) => into.open_dir(parent)?,
        None => into.try_clone()?,
    };
    let last = target.file_name().unwrap_or_default();
    match rustix::fs::renameat_with(from, name, &parent, last, RenameFlags::NOREPLACE) {
        // Not every file system can tell.
        Err(Errno::INVAL | Errno::NOSYS) => from.rename(name, &parent, last),
        renamed => renamed.map_err(Into::into),
    }
}

impl Drop for StagedTree {
    fn drop(&mut self) {
        self.state.end();
        if !self.published
            && let Err(error) = self.staging.dir.remove_dir_all(&self.name)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::debug!("cannot remove staged tree {}: {error}", self.name);
        }
    }
}

#[cfg(test)]
mod tests;
