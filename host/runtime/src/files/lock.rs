use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::process_lock::{FileId, ProcessLock};
use super::{GuestResult, guest_error, io_error};
use crate::limits;

/// How a file is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockKind {
    /// flock(2).
    Flock,
    /// An open file description lock.
    Ofd,
    /// A record lock of the process.
    Posix,
}

/// A lock, given back when it is dropped.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Lock {
    hold: Hold,
    path: PathBuf,
    is_directory: bool,
    /// Whether the locked file may be written.
    writable: bool,
    _held: Arc<Held>,
}

/// Whose the lock is.
enum Hold {
    Descriptor(File),
    Process(ProcessLock),
}

/// What a lock is on.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    id: FileId,
    kind: LockKind,
    exclusive: bool,
}

/// The locks that one instance holds: it would wait for itself for good.
#[derive(Default)]
pub(crate) struct HeldLocks(Vec<Weak<Held>>);

impl HeldLocks {
    fn add(&mut self, held: &Arc<Held>) {
        self.0.retain(|other| other.strong_count() > 0);
        self.0.push(Arc::downgrade(held));
    }

    fn exclude(&self, wanted: &Held) -> bool {
        self.0
            .iter()
            .filter_map(Weak::upgrade)
            .any(|held| (held.id, held.kind) == (wanted.id, wanted.kind) && (held.exclusive || wanted.exclusive))
    }
}

/// A lock to wait for.
pub(super) struct Wanted<'a> {
    pub(super) id: FileId,
    /// For messages.
    pub(super) path: &'a Path,
    pub(super) kind: LockKind,
    pub(super) exclusive: bool,
    pub(super) is_directory: bool,
    pub(super) writable: bool,
    pub(super) open: &'a dyn Fn() -> GuestResult<File>,
}

/// First and longest pause between two tries. The lock is polled because a
/// waiting flock(2) cannot be cancelled.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

impl Lock {
    /// Waits until the lock is free, or `cancelled` says to stop.
    pub(super) fn acquire(wanted: &Wanted<'_>, own: &mut HeldLocks, cancelled: &dyn Fn() -> bool) -> GuestResult<Self> {
        let path = wanted.path;
        let mut held = Held {
            id: wanted.id,
            kind: wanted.kind,
            exclusive: wanted.exclusive,
        };
        let mut opened = match wanted.kind {
            LockKind::Posix => None,
            LockKind::Flock | LockKind::Ofd => {
                let file = (wanted.open)()?;
                held.id = FileId::of(&file).map_err(|error| io_error(path, &error))?;
                Some(file)
            }
        };
        if own.exclude(&held) {
            let message = format!(
                "{}: the plugin would wait for a lock that it holds itself",
                path.display()
            );
            return Err(guest_error("other", message));
        }
        let mut pause = FIRST_PAUSE;
        let mut told = false;
        loop {
            let hold = match opened.take() {
                None => ProcessLock::try_acquire(wanted.id, path, wanted.exclusive, wanted.open)?.map(Hold::Process),
                Some(file) => {
                    let taken = try_lock(&file, wanted.kind, wanted.exclusive);
                    if taken.map_err(|error| io_error(path, &error))? {
                        Some(Hold::Descriptor(file))
                    } else {
                        opened = Some(file);
                        None
                    }
                }
            };
            if let Some(hold) = hold {
                let held = Arc::new(held);
                own.add(&held);
                return Ok(Self {
                    hold,
                    path: path.to_owned(),
                    is_directory: wanted.is_directory,
                    writable: wanted.writable && wanted.exclusive,
                    _held: held,
                });
            }
            if cancelled() {
                return Err(guest_error(
                    "interrupted",
                    format!("{}: interrupted while waiting for a lock", path.display()),
                ));
            }
            if pause == LONGEST_PAUSE && !told {
                told = true;
                tracing::info!("waiting for another process to release its lock on {}", path.display());
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The beginning of the file.
    pub(crate) fn read(&self, max: usize) -> GuestResult<Vec<u8>> {
        let mut data = vec![0; max.min(limits::LOCK_FILE)];
        let mut filled = 0;
        self.with_file(|file| {
            while filled < data.len() {
                match file.read_at(&mut data[filled..], filled as u64) {
                    Ok(0) => break,
                    Ok(count) => filled += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })?;
        data.truncate(filled);
        Ok(data)
    }

    /// Writes over the beginning of the file.
    pub(crate) fn write(&self, data: &[u8]) -> GuestResult<()> {
        if data.len() > limits::LOCK_FILE {
            let message = format!("{}: more than {} bytes", self.path.display(), limits::LOCK_FILE);
            return Err(guest_error("invalid-data", message));
        }
        if !self.writable && !self.is_directory {
            let message = format!("{}: the lock does not allow writing", self.path.display());
            return Err(guest_error("access-denied", message));
        }
        self.with_file(|file| file.write_all_at(data, 0))
    }

    fn with_file<T>(&self, work: impl FnOnce(&File) -> io::Result<T>) -> GuestResult<T> {
        if self.is_directory {
            let message = format!("{}: not a regular file", self.path.display());
            return Err(guest_error("invalid-data", message));
        }
        let done = match &self.hold {
            Hold::Descriptor(file) => work(file),
            Hold::Process(lock) => lock.with_file(work),
        };
        done.map_err(|error| io_error(&self.path, &error))
    }
}

/// Takes a lock that belongs to the descriptor, if it is free.
fn try_lock(file: &File, kind: LockKind, exclusive: bool) -> io::Result<bool> {
    if kind == LockKind::Ofd {
        return try_lock_description(file, exclusive);
    }
    let taken = if exclusive {
        file.try_lock()
    } else {
        file.try_lock_shared()
    };
    match taken {
        Ok(()) => Ok(true),
        Err(std::fs::TryLockError::WouldBlock) => Ok(false),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

fn try_lock_description(file: &File, exclusive: bool) -> io::Result<bool> {
    let kind = if exclusive { libc::F_WRLCK } else { libc::F_RDLCK };
    let whole = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    // SAFETY: the descriptor is open for as long as `file` is borrowed, and the call reads the structure that it is
    // given a pointer to, nothing else.
    #[expect(unsafe_code, reason = "rustix has no open file description locks")]
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const whole) };
    if result != -1 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests;
