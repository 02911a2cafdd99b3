use std::io;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The thread that drives the connections of one client. Dropped, it breaks them off and ends.
pub(super) struct Network {
    handle: Handle,
    /// Never sent: that it is gone is what ends the thread.
    _alive: oneshot::Sender<()>,
}

impl Network {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (alive, ended) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name("plugin http".to_owned())
            .spawn(move || {
                // An error is the end that was waited for.
                let _ = runtime.block_on(ended);
                // Looking up a name may take long and cannot be stopped.
                runtime.shutdown_background();
            })?;
        Ok(Self { handle, _alive: alive })
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Running {
        Running(self.handle.spawn(task).abort_handle())
    }
}

/// A task of the network, which ends with this.
pub(super) struct Running(tokio::task::AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}
