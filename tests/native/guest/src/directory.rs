use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use rustix::fs::OFlags;
use tempfile::TempDir;

use crate::ledger::Ledger;
use crate::{Error, File, LockKind, Node, Staged, Stat, io_error};

/// Names that begin so are the host's.
pub(crate) const PREFIX: &str = ".longshore-";

/// A directory of the plan, and what is staged in it.
#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) path: PathBuf,
    /// Nobody sees what is written here before the end: syncing can wait until then.
    pub(crate) hidden: bool,
    pub(crate) ledger: Rc<Ledger>,
    staging: RefCell<Option<TempDir>>,
    next: Cell<u64>,
}

impl Root {
    pub(crate) fn open(path: &Path, hidden: bool, ledger: &Rc<Ledger>) -> Result<Rc<Self>, Error> {
        let path = path.canonicalize().map_err(io_error(path))?;
        Ok(Rc::new(Self {
            path,
            hidden,
            ledger: Rc::clone(ledger),
            staging: RefCell::default(),
            next: Cell::default(),
        }))
    }

    /// A path of its own in the folder of files that have no name yet.
    pub(crate) fn new_staged_path(&self) -> io::Result<PathBuf> {
        let mut staging = self.staging.borrow_mut();
        let folder = match &mut *staging {
            Some(folder) => folder,
            None => staging.insert(tempfile::Builder::new().prefix(PREFIX).tempdir_in(&self.path)?),
        };
        let number = self.next.replace(self.next.get() + 1);
        Ok(folder.path().join(number.to_string()))
    }

    /// Makes what is missing of a path.
    pub(crate) fn make_directories(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.make_directories(parent)?;
        }
        match fs::create_dir(path) {
            Ok(()) => {
                fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
                self.ledger.changed(path);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes what is staged.
    pub(crate) fn discard_staged(&self) -> io::Result<()> {
        self.staging.take().map_or(Ok(()), TempDir::close)
    }
}

/// A directory of the plan or one below it.
#[derive(Clone, Debug)]
pub struct Directory {
    root: Rc<Root>,
    path: PathBuf,
}

impl Directory {
    pub(crate) fn of(root: &Rc<Root>) -> Self {
        Self {
            root: Rc::clone(root),
            path: root.path.clone(),
        }
    }

    pub(crate) fn at(&self, path: &[u8]) -> PathBuf {
        if path.is_empty() {
            self.path.clone()
        } else {
            self.path.join(OsStr::from_bytes(path))
        }
    }

    /// A regular file.
    pub fn open(&self, path: &[u8], write: bool) -> Result<File, Error> {
        let path = self.at(path);
        let opened = fs::File::options()
            .read(true)
            .write(write)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(&path)
            .and_then(|file| Ok((file.metadata()?.is_file(), file)));
        match opened.map_err(io_error(&path))? {
            (true, file) => Ok(File {
                file,
                path,
                dirty: Arc::default(),
            }),
            (false, _) => Err(Error::invalid_data(format_args!(
                "{}: not a regular file",
                path.display()
            ))),
        }
    }

    /// A whole file of at most `limit` bytes.
    pub fn read(&self, path: &[u8], limit: u32) -> Result<Vec<u8>, Error> {
        let file = self.open(path, false)?;
        let limit = u64::from(limit);
        let mut data = Vec::new();
        // One byte more tells a file that is too large.
        let read = (&file.file).take(limit + 1).read_to_end(&mut data);
        if read.map_err(io_error(&file.path))? as u64 > limit {
            let message = format!("{}: larger than {limit} bytes", file.path.display());
            return Err(Error::invalid_data(message));
        }
        Ok(data)
    }

    /// Writes a whole small file, behind everything that was published before.
    pub fn replace(&self, path: &[u8], data: &[u8]) -> Result<(), Error> {
        let sync = || match self.root.hidden {
            true => Ok(()),
            false => self.root.ledger.sync().map_err(io_error(&self.root.path)),
        };
        let staged = self.stage()?;
        staged.file()?.write_at(0, data)?;
        sync()?;
        Staged::publish(staged, self, path, true)?;
        // What is removed after this must not be gone while the old file is still on the disk.
        sync()
    }

    /// A new file without a name.
    pub fn stage(&self) -> Result<Staged, Error> {
        Staged::create(&self.root)
    }

    /// A directory below; the empty path is this one.
    pub fn subdirectory(&self, path: &[u8]) -> Result<Self, Error> {
        let path = self.at(path);
        if path.metadata().map_err(io_error(&path))?.is_dir() {
            Ok(Self {
                root: Rc::clone(&self.root),
                path,
            })
        } else {
            Err(Error::invalid_data(format_args!("{}: not a directory", path.display())))
        }
    }

    /// Names and what they stand for, sorted.
    pub fn entries(&self, path: &[u8]) -> Result<Vec<(Vec<u8>, Node)>, Error> {
        let path = self.at(path);
        let list = || -> io::Result<Vec<_>> {
            let mut entries = Vec::new();
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                let name = entry.file_name().into_vec();
                if !name.starts_with(PREFIX.as_bytes()) {
                    entries.push((name, node(entry.file_type()?)));
                }
            }
            Ok(entries)
        };
        let mut entries = list().map_err(io_error(&path))?;
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(entries)
    }

    /// What a path leads to, and the size of a file.
    pub fn stat(&self, path: &[u8]) -> Result<Stat, Error> {
        let path = self.at(path);
        let metadata = path.metadata().map_err(io_error(&path))?;
        Ok(Stat {
            node: node(metadata.file_type()),
            size: if metadata.is_file() { metadata.len() } else { 0 },
        })
    }

    /// Makes a directory and its missing parents.
    pub fn make_directory(&self, path: &[u8]) -> Result<(), Error> {
        let path = self.at(path);
        self.root.make_directories(&path).map_err(io_error(&path))
    }

    /// Removes a file, a link or an empty directory.
    pub fn remove(&self, path: &[u8]) -> Result<(), Error> {
        let path = self.at(path);
        let removed = match path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir(&path),
            Ok(_) => fs::remove_file(&path),
            Err(error) => Err(error),
        };
        removed.map_err(io_error(&path))?;
        self.root.ledger.changed(&path);
        Ok(())
    }

    /// Waits for a flock(2) lock on a file or directory: neither `dir` nor `oci` asks for another kind.
    pub fn lock(&self, path: &[u8], kind: LockKind, exclusive: bool) -> Result<Lock, Error> {
        if kind != LockKind::Flock {
            return Err(Error::unsupported("only flock(2) is there"));
        }
        let path = self.at(path);
        let lock = || {
            let file = fs::File::open(&path)?;
            if exclusive {
                file.lock()?
            } else {
                file.lock_shared()?
            }
            Ok(Lock { _file: file })
        };
        lock().map_err(io_error(&path))
    }
}

fn node(kind: fs::FileType) -> Node {
    if kind.is_file() {
        Node::File
    } else if kind.is_dir() {
        Node::Directory
    } else if kind.is_symlink() {
        Node::Symlink
    } else {
        Node::Other
    }
}

/// A lock, given back when it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: fs::File,
}
