use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use longshore_blob::{ChunkSink, Durability};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::open_file::StagedState;
use super::replacement::{Inode, Replacement, sync_parent};
use super::staging::Staging;
use super::{GuestResult, OpenFile, guest_error, io_error};
use crate::Error;

/// Names of standard output.
const STDOUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// Mode of a file that replaces none.
const FILE_MODE: u32 = 0o644;

/// How often a FIFO without a reader is tried again.
const READER_POLL: Duration = Duration::from_millis(20);

/// What a guest gets of a new file.
pub(crate) enum Sink {
    /// At any offset.
    File(OpenFile),
    /// From front to back.
    Stream(StreamSink),
}

/// A file that comes to be when the operation succeeds, or a stream that takes what it is given at once. Dropped, the
/// file never was.
pub(crate) enum NewFile {
    Regular(Regular),
    Stream(StreamSink),
}

impl NewFile {
    /// Whether the path stands for standard output.
    pub(crate) fn is_stdout(path: &Path) -> bool {
        STDOUT.iter().any(|name| path == Path::new(name))
    }

    /// Begins the file at `path`. With `replace` a file that is there gives way at the end; without it only an empty one
    /// does.
    pub(crate) fn create(
        path: &Path,
        replace: bool,
        durability: Durability,
        cancelled: &dyn Fn() -> bool,
    ) -> GuestResult<Self> {
        let at = |error: io::Error| io_error(path, &error);
        if Self::is_stdout(path) {
            let stdout = io::stdout().as_fd().try_clone_to_owned().map_err(at)?;
            return Ok(Self::Stream(StreamSink::new(File::from(stdout), "/dev/stdout")));
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => return Err(at(io::ErrorKind::IsADirectory.into())),
            Ok(metadata) if !metadata.is_file() => {
                return Ok(Self::Stream(StreamSink::new(open_stream(path, cancelled)?, path)));
            }
            Ok(metadata) if !replace && metadata.len() > 0 => return Err(at(io::ErrorKind::AlreadyExists.into())),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(error)),
            _ => {}
        }
        Regular::create(path, replace, durability)
            .map(Self::Regular)
            .map_err(|error| match error {
                Error::Io { path, source } => io_error(&path, &source),
                other => guest_error(other.kind().as_code(), other.to_string()),
            })
    }

    /// A handle for the guest.
    pub(crate) fn sink(&self) -> GuestResult<Sink> {
        Ok(match self {
            Self::Regular(regular) => Sink::File(regular.handle()?),
            Self::Stream(stream) => Sink::Stream(stream.clone()),
        })
    }

    /// Gives the file its name.
    pub(crate) fn commit(self) -> Result<(), Error> {
        match self {
            Self::Regular(regular) => regular.commit(),
            Self::Stream(_) => Ok(()),
        }
    }
}

/// A stream that several handles write one after the other.
#[derive(Clone)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct StreamSink {
    file: Arc<File>,
    path: Arc<Path>,
}

impl StreamSink {
    fn new(file: File, path: impl AsRef<Path>) -> Self {
        Self {
            file: Arc::new(file),
            path: path.as_ref().into(),
        }
    }
}

impl ChunkSink for StreamSink {
    fn write_chunk(&mut self, chunk: Bytes) -> io::Result<()> {
        (&*self.file)
            .write_all(&chunk)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.path.display())))
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a FIFO or a device. Opening a FIFO that nobody reads would wait without an end.
fn open_stream(path: &Path, cancelled: &dyn Fn() -> bool) -> GuestResult<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    loop {
        match File::options().write(true).custom_flags(flags).open(path) {
            Ok(file) => {
                let blocking = rustix::fs::fcntl_getfl(&file)
                    .and_then(|flags| rustix::fs::fcntl_setfl(&file, flags.difference(OFlags::NONBLOCK)));
                return match blocking {
                    Ok(()) => Ok(file),
                    Err(error) => Err(io_error(path, &error.into())),
                };
            }
            Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {}
            Err(error) => return Err(io_error(path, &error)),
        }
        if cancelled() {
            return Err(guest_error("interrupted", "interrupted while waiting for a reader"));
        }
        std::thread::sleep(READER_POLL);
    }
}

/// A regular file on its way.
pub(crate) struct Regular {
    file: File,
    target: PathBuf,
    /// Where `target` is.
    parent: Dir,
    /// The folder that the file has a name in, where files without a name cannot be had.
    staging: Option<Staging>,
    /// What was at `target` in the beginning: nothing else may be removed in its place.
    replaces: Option<Inode>,
    replace: bool,
    durability: Durability,
    state: Arc<StagedState>,
}

/// Name of the file in its staging folder.
const STAGED_NAME: &str = "file";

impl Regular {
    fn create(path: &Path, replace: bool, durability: Durability) -> Result<Self, Error> {
        let target = Replacement::resolve(path)?;
        let folder = target.parent().unwrap_or(Path::new("/"));
        let parent = Dir::open_ambient_dir(folder, ambient_authority()).map_err(Error::io(folder))?;
        let replaces = Inode::at(&target).map_err(Error::io(&target))?;
        let (file, staging) = match unnamed(folder) {
            Some(file) => (file, None),
            None => {
                let staging = Staging::create(&parent).map_err(Error::io(folder))?;
                let mut options = cap_std::fs::OpenOptions::new();
                let file = staging
                    .dir
                    .open_with(STAGED_NAME, options.read(true).write(true).create_new(true))
                    .map_err(Error::io(folder))?;
                (file.into_std(), Some(staging))
            }
        };
        Ok(Self {
            file,
            target,
            parent,
            staging,
            replaces,
            replace,
            durability,
            state: Arc::new(StagedState::synced_at_end()),
        })
    }

    fn handle(&self) -> GuestResult<OpenFile> {
        let file = self.file.try_clone().map_err(|error| io_error(&self.target, &error))?;
        Ok(OpenFile::staged(file, self.target.clone(), Arc::clone(&self.state)))
    }

    fn commit(self) -> Result<(), Error> {
        self.state.end();
        let failed = |error: io::Error| Error::io(&self.target)(error);
        self.adopt_attributes().map_err(failed)?;
        if self.durability == Durability::Sync {
            self.file.sync_all().map_err(failed)?;
        }
        let is_there = Inode::at(&self.target).map_err(failed)?;
        let has_grown = !self.replace && fs::metadata(&self.target).is_ok_and(|metadata| metadata.len() > 0);
        if is_there != self.replaces || has_grown {
            let changed = "something else has come to be there since the copy began";
            return Err(failed(io::Error::new(io::ErrorKind::AlreadyExists, changed)));
        }
        self.give_name().map_err(failed)?;
        sync_parent(&self.target, self.durability)
    }

    /// The new file looks like the one that it replaces.
    fn adopt_attributes(&self) -> io::Result<()> {
        let mode = match fs::metadata(&self.target) {
            Ok(old) => {
                let own = self.file.metadata()?;
                if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
                    std::os::unix::fs::fchown(&self.file, Some(old.uid()), Some(old.gid()))?;
                }
                old.permissions().mode() & 0o7777
            }
            Err(_) => FILE_MODE,
        };
        self.file.set_permissions(fs::Permissions::from_mode(mode))
    }

    fn give_name(&self) -> io::Result<()> {
        if self.staging.is_none() && self.replaces.is_none() {
            return Ok(rustix::fs::linkat(
                CWD,
                self.link(),
                CWD,
                &self.target,
                AtFlags::SYMLINK_FOLLOW,
            )?);
        }
        let made;
        let staging = match &self.staging {
            Some(staging) => staging,
            None => {
                // A link cannot replace a file, a renaming can.
                made = Temporary(Staging::create(&self.parent)?, &self.parent);
                rustix::fs::linkat(CWD, self.link(), &made.0.dir, STAGED_NAME, AtFlags::SYMLINK_FOLLOW)?;
                &made.0
            }
        };
        let flags = if self.replaces.is_none() {
            RenameFlags::NOREPLACE
        } else {
            RenameFlags::empty()
        };
        match rustix::fs::renameat_with(&staging.dir, STAGED_NAME, CWD, &self.target, flags) {
            // Not every file system knows the flag; that nothing is there was seen a moment ago.
            Err(Errno::INVAL | Errno::NOSYS) => Ok(rustix::fs::renameat(&staging.dir, STAGED_NAME, CWD, &self.target)?),
            renamed => Ok(renamed?),
        }
    }

    /// Where the kernel shows a file that has no name.
    fn link(&self) -> String {
        format!("/proc/self/fd/{}", self.file.as_raw_fd())
    }
}

impl Drop for Regular {
    fn drop(&mut self) {
        self.state.end();
        if let Some(staging) = &self.staging {
            staging.remove(&self.parent);
        }
    }
}

/// A folder for one renaming.
struct Temporary<'a>(Staging, &'a Dir);

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        self.0.remove(self.1);
    }
}

/// A file without a name, of which nothing is left when the process is killed; none where that cannot be had.
fn unnamed(folder: &Path) -> Option<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR).ok()?;
    // It gets its name by way of /proc.
    Path::new("/proc/self/fd").exists().then(|| File::from(file))
}

#[cfg(test)]
mod tests;
