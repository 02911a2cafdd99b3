use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{GuestResult, guest_error, io_error};

/// A flock(2) lock, given back when it is dropped.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Lock {
    _file: File,
    _held: Arc<Held>,
}

/// What a lock is on.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    device: u64,
    inode: u64,
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
        self.0.iter().filter_map(Weak::upgrade).any(|held| {
            (held.device, held.inode) == (wanted.device, wanted.inode) && (held.exclusive || wanted.exclusive)
        })
    }
}

/// First and longest pause between two tries. The lock is polled because a
/// waiting flock(2) cannot be cancelled.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

impl Lock {
    /// Waits until the lock is free, or `cancelled` says to stop.
    pub(super) fn acquire(
        file: File,
        path: &Path,
        exclusive: bool,
        own: &mut HeldLocks,
        cancelled: &dyn Fn() -> bool,
    ) -> GuestResult<Self> {
        let metadata = file.metadata().map_err(|error| io_error(path, &error))?;
        let held = Arc::new(Held {
            device: metadata.dev(),
            inode: metadata.ino(),
            exclusive,
        });
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
            let result = if exclusive {
                file.try_lock()
            } else {
                file.try_lock_shared()
            };
            match result {
                Ok(()) => {
                    own.add(&held);
                    return Ok(Self {
                        _file: file,
                        _held: held,
                    });
                }
                Err(TryLockError::Error(error)) => return Err(io_error(path, &error)),
                Err(TryLockError::WouldBlock) => {}
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
}
