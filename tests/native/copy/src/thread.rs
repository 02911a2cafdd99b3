use std::sync::mpsc;
use std::thread::JoinHandle;

use longshore_copy::TransportError;
use longshore_native_guest::Error;
use longshore_types::ErrorKind;
use tokio::sync::oneshot;

type Job<T> = Box<dyn FnOnce(&mut T) + Send>;

/// A thread that owns what a plugin made, as every component has one. Dropped, it waits until all of that is gone.
pub(crate) struct Thread<T> {
    jobs: Option<mpsc::Sender<Job<T>>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: 'static> Thread<T> {
    /// Starts it with what `make` makes there, which also has an answer.
    pub(crate) async fn start<A: Send + 'static>(
        make: impl FnOnce() -> Result<(T, A), TransportError> + Send + 'static,
    ) -> Result<(Self, A), TransportError> {
        let (jobs, queue) = mpsc::channel::<Job<T>>();
        let (answer, answered) = oneshot::channel();
        let run = move || match make() {
            Ok((mut value, made)) => {
                // Nobody may be waiting any more.
                let _ = answer.send(Ok(made));
                for job in queue {
                    job(&mut value);
                }
            }
            Err(error) => drop(answer.send(Err(error))),
        };
        let thread = std::thread::Builder::new()
            .spawn(run)
            .map_err(|error| TransportError::wrap(ErrorKind::Other, error))?;
        let this = Self {
            jobs: Some(jobs),
            thread: Some(thread),
        };
        let made = answered.await.unwrap_or_else(|_| Err(gone()))?;
        Ok((this, made))
    }

    /// Runs `job` there and waits for its answer.
    pub(crate) async fn call<A: Send + 'static>(
        &self,
        job: impl FnOnce(&mut T) -> Result<A, TransportError> + Send + 'static,
    ) -> Result<A, TransportError> {
        let (answer, answered) = oneshot::channel();
        let job: Job<T> = Box::new(move |value| drop(answer.send(job(value))));
        if let Some(jobs) = &self.jobs {
            // If the thread is gone the job is dropped, and with it its answer.
            let _ = jobs.send(job);
        }
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl<T> Drop for Thread<T> {
    fn drop(&mut self) {
        self.jobs.take();
        if let Some(thread) = self.thread.take() {
            // It has said so on standard error if it panicked.
            let _ = thread.join();
        }
    }
}

fn gone() -> TransportError {
    TransportError::new(ErrorKind::Other, "the plugin's thread is gone")
}

/// What a plugin answers with, as the copy has it.
pub(crate) fn refused(error: Error) -> TransportError {
    TransportError::new(ErrorKind::from_code(&error.code), error.message)
}
