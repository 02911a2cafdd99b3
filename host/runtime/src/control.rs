use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::limits;

/// What the outside may do to a running instance, and what its watchdogs see.
#[derive(Default)]
pub(crate) struct Control {
    cancelled: AtomicBool,
    cancelled_at: Mutex<Option<Instant>>,
    /// Counts host calls; standing still means no progress.
    progress: AtomicU64,
}

impl Control {
    /// Asks the instance to end. Host calls fail with `interrupted` from now on
    /// where they would wait; after [`limits::CANCEL_GRACE`] the guest is stopped.
    pub(crate) fn cancel(&self) {
        let mut at = self.cancelled_at.lock().unwrap_or_else(PoisonError::into_inner);
        at.get_or_insert_with(Instant::now);
        self.cancelled.store(true, Ordering::Release);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Whether the time to clean up is over.
    pub(crate) fn is_overdue(&self) -> bool {
        self.is_cancelled()
            && self
                .cancelled_at
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_some_and(|at| at.elapsed() > limits::CANCEL_GRACE)
    }

    /// A host call begins.
    pub(crate) fn enter(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }
}

/// Measures the CPU time of the instance's thread between two host calls.
#[derive(Default)]
pub(crate) struct CpuWatch {
    progress: u64,
    since: Duration,
}

impl CpuWatch {
    /// Called again and again while the guest runs, on its thread.
    pub(crate) fn is_exceeded(&mut self, progress: u64) -> bool {
        let now = thread_cpu_time();
        if progress != self.progress {
            self.progress = progress;
            self.since = now;
        }
        now.saturating_sub(self.since) > limits::CPU_BETWEEN_HOST_CALLS
    }

    /// A new call of the guest begins.
    pub(crate) fn restart(&mut self) {
        self.since = thread_cpu_time();
    }
}

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap_or(0),
        time.tv_nsec.try_into().unwrap_or(0),
    )
}
