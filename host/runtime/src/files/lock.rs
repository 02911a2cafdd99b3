use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::{GuestResult, guest_error, io_error};

/// A flock(2) lock, given back when it is dropped.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Lock {
    _file: File,
}

/// First and longest pause between two tries. The lock is polled because a
/// waiting flock(2) cannot be cancelled.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

impl Lock {
    /// Waits until the lock is free, or `cancelled` says to stop.
    pub(super) fn acquire(file: File, path: &Path, exclusive: bool, cancelled: &dyn Fn() -> bool) -> GuestResult<Self> {
        let mut pause = FIRST_PAUSE;
        let mut told = false;
        loop {
            let result = if exclusive {
                file.try_lock()
            } else {
                file.try_lock_shared()
            };
            match result {
                Ok(()) => return Ok(Self { _file: file }),
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
