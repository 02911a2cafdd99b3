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
    /// Bytes that host calls moved into or out of the guest, or hashed for it.
    moved: AtomicU64,
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

    /// A host call moved bytes of the image into or out of the guest.
    pub(crate) fn moved(&self, bytes: usize) {
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Measures the CPU time of the instance's thread between two host calls, and in
/// one call of the guest altogether.
#[derive(Default)]
pub(crate) struct CpuWatch {
    progress: u64,
    /// CPU time at the last host call that was seen.
    since: Duration,
    /// CPU time and bytes moved when the guest was called.
    called_at: Duration,
    moved_before: u64,
}

impl CpuWatch {
    /// Called again and again while the guest runs, on its thread; says what the
    /// guest did too much of.
    pub(crate) fn exceeded(&mut self, control: &Control) -> Option<String> {
        self.exceeded_at(thread_cpu_time(), control)
    }

    fn exceeded_at(&mut self, now: Duration, control: &Control) -> Option<String> {
        let progress = control.progress();
        if progress != self.progress {
            self.progress = progress;
            self.since = now;
        }
        if now.saturating_sub(self.since) > limits::CPU_BETWEEN_HOST_CALLS {
            return Some(format!(
                "it computed for more than {} s without calling the host",
                limits::CPU_BETWEEN_HOST_CALLS.as_secs()
            ));
        }
        let moved = control.moved.load(Ordering::Relaxed).saturating_sub(self.moved_before);
        let allowed = limits::CPU_PER_CALL + Duration::from_secs(moved / limits::BYTES_PER_CPU_SECOND);
        (now.saturating_sub(self.called_at) > allowed).then(|| {
            format!(
                "it computed for more than {} s in one call, {moved} bytes moved",
                allowed.as_secs()
            )
        })
    }

    /// A new call of the guest begins.
    pub(crate) fn restart(&mut self, control: &Control) {
        self.restart_at(thread_cpu_time(), control);
    }

    fn restart_at(&mut self, now: Duration, control: &Control) {
        self.since = now;
        self.called_at = now;
        self.moved_before = control.moved.load(Ordering::Relaxed);
    }
}

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap_or(0),
        time.tv_nsec.try_into().unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computing_is_bounded_between_host_calls_and_in_one_call() {
        let secs = Duration::from_secs;
        let most = limits::CPU_PER_CALL.as_secs();
        let gap = limits::CPU_BETWEEN_HOST_CALLS.as_secs();
        let rate = limits::BYTES_PER_CPU_SECOND;
        // Seconds of CPU time, with a host call in every one or none, and bytes moved in every one.
        for (seconds, calls, moved, exceeded) in [
            (gap, false, 0, false),
            (gap + 1, false, 0, true),
            (most, true, 0, false),
            (most + 1, true, 0, true),
            // Calls that move next to nothing do not help.
            (most + 1, true, 1, true),
            // A blob of 100 GB that takes a few minutes.
            (300, true, 350_000_000, false),
            (most * 10, true, rate, false),
        ] {
            let (control, mut watch) = (Control::default(), CpuWatch::default());
            // What an earlier call did does not count.
            control.moved(1 << 40);
            watch.restart_at(secs(1000), &control);
            let mut found = None;
            for second in 1..=seconds {
                if calls {
                    control.enter();
                    control.moved(usize::try_from(moved).unwrap_or(usize::MAX));
                }
                found = found.or_else(|| watch.exceeded_at(secs(1000 + second), &control));
            }
            assert_eq!(found.is_some(), exceeded, "{seconds} {calls} {moved}: {found:?}");
        }
    }
}
