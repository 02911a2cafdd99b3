use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::fs::{
    Dir, File, Metadata, MetadataExt as _, OpenOptions, OpenOptionsExt as _, Permissions, PermissionsExt as _,
};
use rustix::fs::OFlags;

use super::lock::Wanted;
use super::open_file::InPlace;
use super::process_lock::{FileId, is_locked};
use super::{GuestResult, HeldLocks, Lock, LockKind, OpenFile, Root, Staged, guest_error, io_error, path, staging};
use crate::limits;

/// Mode of every directory that is made.
const DIRECTORY_MODE: u32 = 0o755;

/// A granted directory or one below it.
#[derive(Clone)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Directory {
    pub(super) root: Arc<Root>,
    pub(super) dir: Arc<Dir>,
    /// Absolute, for messages.
    pub(super) path: PathBuf,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entry {
    File,
    Directory,
    Symlink,
    Other,
}

impl Directory {
    /// The granted directory itself.
    pub(crate) fn of(root: &Arc<Root>) -> GuestResult<Self> {
        let dir = root.dir.try_clone().map_err(|error| io_error(&root.path, &error))?;
        Ok(Self {
            root: Arc::clone(root),
            dir: Arc::new(dir),
            path: root.path.clone(),
        })
    }

    fn check_writable(&self) -> GuestResult<()> {
        if self.root.writable {
            Ok(())
        } else {
            Err(guest_error(
                "access-denied",
                format!("{}: granted for reading only", self.path.display()),
            ))
        }
    }

    /// A path below this directory, relative to the root.
    pub(super) fn relative(&self, path: &Path) -> PathBuf {
        self.path
            .strip_prefix(&self.root.path)
            .unwrap_or(Path::new(""))
            .join(path)
    }

    fn at(&self, path: &Path) -> impl Fn(std::io::Error) -> super::GuestError {
        let path = self.path.join(path);
        move |error| io_error(&path, &error)
    }

    pub(crate) fn open(&self, path: &[u8], write: bool) -> GuestResult<OpenFile> {
        if write {
            self.check_writable()?;
        }
        let path = path::checked(path)?;
        let in_place = write.then(|| InPlace {
            root: Arc::clone(&self.root),
            path: self.relative(path),
        });
        let file = self.open_regular(path, write)?.into_std();
        Ok(OpenFile::new(file, self.path.join(path), in_place))
    }

    fn open_regular(&self, path: &Path, write: bool) -> GuestResult<File> {
        self.open_regular_unless(&is_locked, path, write)
    }

    /// Opens a regular file and nothing else, without waiting for the other end
    /// of a FIFO and without touching a device. Not the files that are `locked`:
    /// closing one would give up this process's record lock.
    fn open_regular_unless(&self, locked: &dyn Fn(FileId) -> bool, path: &Path, write: bool) -> GuestResult<File> {
        let at = self.at(path);
        let refuse = || {
            guest_error(
                "invalid-data",
                format!("{}: not a regular file", self.path.join(path).display()),
            )
        };
        let metadata = self.dir.metadata(path).map_err(&at)?;
        if !metadata.is_file() {
            return Err(refuse());
        }
        if locked(id(&metadata)) {
            let message = format!("{}: locked, and only its lock reads it", self.path.join(path).display());
            return Err(guest_error("access-denied", message));
        }
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(write)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        let file = self.dir.open_with(path, &options).map_err(&at)?;
        // It may have been replaced between the two calls.
        if file.metadata().map_err(&at)?.is_file() {
            Ok(file)
        } else {
            Err(refuse())
        }
    }

    /// A whole file of at most `limit` bytes.
    pub(crate) fn read(&self, path: &[u8], limit: usize) -> GuestResult<Vec<u8>> {
        let file = self.open(path, false)?;
        let limit = limit.min(limits::SMALL_FILE);
        let too_large = || {
            let path = self.path.join(String::from_utf8_lossy(path).as_ref());
            guest_error("invalid-data", format!("{}: larger than {limit} bytes", path.display()))
        };
        if file.size()? > limit as u64 {
            return Err(too_large());
        }
        // The file may grow meanwhile, and some say that they are empty: one byte
        // more than allowed tells.
        let data = file.read_to_end(limit.saturating_add(1))?;
        if data.len() > limit { Err(too_large()) } else { Ok(data) }
    }

    pub(crate) fn replace(&self, path: &[u8], data: &[u8]) -> GuestResult<()> {
        self.check_writable()?;
        Staged::replace(&self.root, self, path, data)
    }

    pub(crate) fn stage(&self) -> GuestResult<Staged> {
        self.check_writable()?;
        Staged::create(&self.root)
    }

    pub(crate) fn subdirectory(&self, path: &[u8]) -> GuestResult<Self> {
        if path.is_empty() {
            return Ok(self.clone());
        }
        let path = path::checked(path)?;
        let dir = self.dir.open_dir(path).map_err(self.at(path))?;
        Ok(Self {
            root: Arc::clone(&self.root),
            dir: Arc::new(dir),
            path: self.path.join(path),
        })
    }

    /// Names and what they stand for, sorted.
    pub(crate) fn entries(&self, path: &[u8]) -> GuestResult<Vec<(Vec<u8>, Entry)>> {
        let directory = self.subdirectory(path)?;
        let at = directory.at(Path::new(""));
        let mut entries = Vec::new();
        for entry in directory.dir.entries().map_err(&at)? {
            let entry = entry.map_err(&at)?;
            let name = entry.file_name().into_vec();
            if name.starts_with(staging::PREFIX.as_bytes()) {
                continue;
            }
            if entries.len() == limits::DIRECTORY_ENTRIES {
                return Err(guest_error(
                    "invalid-data",
                    format!(
                        "{}: more than {} entries",
                        directory.path.display(),
                        limits::DIRECTORY_ENTRIES
                    ),
                ));
            }
            let kind = entry.file_type().map_err(&at)?;
            let kind = if kind.is_file() {
                Entry::File
            } else if kind.is_dir() {
                Entry::Directory
            } else if kind.is_symlink() {
                Entry::Symlink
            } else {
                Entry::Other
            };
            entries.push((name, kind));
        }
        entries.sort();
        Ok(entries)
    }

    /// What a path leads to, and the size of a file.
    pub(crate) fn stat(&self, path: &[u8]) -> GuestResult<(Entry, u64)> {
        let path = path::checked(path)?;
        let metadata = self.dir.metadata(path).map_err(self.at(path))?;
        Ok(kind_and_size(&metadata))
    }

    pub(crate) fn make_directory(&self, path: &[u8]) -> GuestResult<()> {
        self.check_writable()?;
        self.make_directories(path::checked(path)?)
    }

    /// Makes what is missing of a path, from the top.
    pub(super) fn make_directories(&self, path: &Path) -> GuestResult<()> {
        if self.dir.metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
            return Ok(());
        }
        let mut made = PathBuf::new();
        for name in path {
            made.push(name);
            let at = self.at(&made);
            match self.dir.create_dir(&made) {
                Ok(()) => {
                    self.dir
                        .set_permissions(&made, Permissions::from_mode(DIRECTORY_MODE))
                        .map_err(&at)?;
                    self.root
                        .changed(&self.relative(made.parent().unwrap_or(Path::new(""))));
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    if !self.dir.metadata(&made).map_err(&at)?.is_dir() {
                        return Err(at(error));
                    }
                }
                Err(error) => return Err(at(error)),
            }
        }
        Ok(())
    }

    pub(crate) fn remove(&self, path: &[u8]) -> GuestResult<()> {
        self.check_writable()?;
        let path = path::checked(path)?;
        let at = self.at(path);
        if self.dir.symlink_metadata(path).map_err(&at)?.is_dir() {
            self.dir.remove_dir(path).map_err(&at)?;
        } else {
            self.dir.remove_file(path).map_err(&at)?;
        }
        self.root
            .changed(&self.relative(path.parent().unwrap_or(Path::new(""))));
        Ok(())
    }

    /// Like [`remove`](Self::remove), with everything that is in a directory.
    pub(crate) fn remove_all(&self, path: &[u8]) -> GuestResult<()> {
        self.check_writable()?;
        let path = path::checked(path)?;
        let at = self.at(path);
        let removed = if self.dir.symlink_metadata(path).map_err(&at)?.is_dir() {
            self.dir.remove_dir_all(path)
        } else {
            self.dir.remove_file(path)
        };
        self.root
            .changed(&self.relative(path.parent().unwrap_or(Path::new(""))));
        removed.map_err(at)
    }

    pub(crate) fn lock(
        &self,
        path: &[u8],
        kind: LockKind,
        exclusive: bool,
        own: &mut HeldLocks,
        cancelled: &dyn Fn() -> bool,
    ) -> GuestResult<Lock> {
        if exclusive && kind != LockKind::Flock {
            self.check_writable()?;
        }
        let (path, shown) = if path.is_empty() {
            (Path::new("."), self.path.clone())
        } else {
            let path = path::checked(path)?;
            (path, self.path.join(path))
        };
        let at = |error: std::io::Error| io_error(&shown, &error);
        let metadata = self.dir.metadata(path).map_err(&at)?;
        // A descriptor of its own: a lock belongs to the open file, and all handles of a directory share one.
        let directory = || {
            let opened = self.dir.open_dir(path).and_then(|dir| staging::descriptor(&dir));
            opened.map_err(at)
        };
        // A record lock is opened by who holds the table of them.
        let unless = |id| kind != LockKind::Posix && is_locked(id);
        let file = || {
            let opened = self.open_regular_unless(&unless, path, exclusive && self.root.writable);
            opened.map(File::into_std)
        };
        let is_directory = metadata.is_dir();
        if is_directory && kind != LockKind::Flock {
            let message = format!("{}: not a regular file", shown.display());
            return Err(guest_error("invalid-data", message));
        }
        let wanted = Wanted {
            id: id(&metadata),
            path: &shown,
            kind,
            exclusive,
            is_directory,
            writable: self.root.writable,
            open: if is_directory { &directory } else { &file },
        };
        Lock::acquire(&wanted, own, cancelled)
    }
}

pub(super) fn id(metadata: &Metadata) -> FileId {
    FileId {
        device: metadata.dev(),
        inode: metadata.ino(),
    }
}

fn kind_and_size(metadata: &Metadata) -> (Entry, u64) {
    if metadata.is_file() {
        (Entry::File, metadata.len())
    } else if metadata.is_dir() {
        (Entry::Directory, 0)
    } else if metadata.is_symlink() {
        (Entry::Symlink, 0)
    } else {
        (Entry::Other, 0)
    }
}
