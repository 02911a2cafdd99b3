//! Ending a command early when the user or the system asks for it.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// What asked the process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stopped {
    /// SIGINT, from Ctrl-C.
    #[error("interrupted")]
    Interrupt,
    /// SIGTERM.
    #[error("terminated")]
    Terminate,
    /// `--command-timeout` has passed (G-10), in Go's words for it.
    #[error("context deadline exceeded")]
    Deadline,
}

/// Listens for both signals; their default effect is off from here on.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Passes once; what is left to do after it is cleaning up.
    deadline: Option<Instant>,
}

impl Signals {
    /// Starts listening, and the time of the whole command; needs a runtime.
    pub(crate) fn listen(timeout: Option<Duration>) -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            // A deadline beyond what the clock can tell never comes.
            deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
        })
    }

    /// Waits for the next signal, or for the deadline.
    pub(crate) async fn next(&mut self) -> Stopped {
        let deadline = self.deadline;
        let passed = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = passed => {
                self.deadline = None;
                Stopped::Deadline
            }
            _ = self.interrupt.recv() => Stopped::Interrupt,
            _ = self.terminate.recv() => Stopped::Terminate,
        }
    }

    /// Runs work that may be dropped at any point, until it ends or a signal
    /// comes.
    pub(crate) async fn unless_stopped<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        tokio::select! {
            result = work => result,
            stopped = self.next() => Err(stopped.into()),
        }
    }
}
