use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use longshore_blob::Observer;
use tokio_util::sync::CancellationToken;

use crate::event::{Event, Reporter};

/// Shortest time between two progress events of a blob, in milliseconds.
const PROGRESS_INTERVAL: u64 = 100;

/// Turns a transfer's counts into events and the copy's cancellation into the transfer's.
pub(super) struct Watch {
    number: usize,
    reporter: Reporter,
    cancel: CancellationToken,
    start: Instant,
    moved: AtomicU64,
    /// Milliseconds after `start` at which the next event is due.
    due: AtomicU64,
}

impl Watch {
    pub(super) fn new(number: usize, reporter: Reporter, cancel: CancellationToken) -> Self {
        Self {
            number,
            reporter,
            cancel,
            start: Instant::now(),
            moved: AtomicU64::new(0),
            due: AtomicU64::new(0),
        }
    }
}

impl Observer for Watch {
    fn moved(&self, bytes: u64) {
        let moved = self.moved.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let due = self.due.load(Ordering::Relaxed);
        if now >= due
            && self
                .due
                .compare_exchange(due, now + PROGRESS_INTERVAL, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            self.reporter.send(Event::BlobProgress {
                blob: self.number,
                bytes: moved,
            });
        }
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
