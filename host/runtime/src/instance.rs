//! A running plugin: one thread that owns one store.
//!
//! Whoever wants something of the plugin sends a closure to the thread and waits
//! for its answer without blocking. Guest code and the host calls it makes run
//! on that thread only, so they may block; nothing else waits for them.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use longshore_types::ErrorKind;
use tokio::sync::{mpsc, oneshot};
use wasmtime::component::{Instance as ComponentInstance, InstancePre, ResourceAny};
use wasmtime::{Store, UpdateDeadline};

use crate::Error;
use crate::bindings::transport::longshore::transport::types::Error as GuestError;
use crate::control::{Control, CpuWatch};
use crate::error::{io_text, presentable};
use crate::host_state::Tracker;
use crate::limits;
use crate::log::GuestLog;
use crate::state::State;

/// Stack of the thread: wasmtime keeps guest frames elsewhere, host frames are few.
const STACK: usize = 1 << 20;

/// What lives on the thread.
pub(crate) struct Live {
    pub(crate) store: Store<State>,
    pub(crate) instance: ComponentInstance,
    pub(crate) plugin: Arc<str>,
    log: GuestLog,
    /// Why nothing can be asked any more: a trap leaves the store unusable.
    dead: Option<String>,
    watch: Arc<std::sync::Mutex<CpuWatch>>,
}

type Job = Box<dyn for<'a> FnOnce(&'a mut Live) -> Pin<Box<dyn Future<Output = ()> + 'a>> + Send>;

/// A handle of the thread. Dropped, it cancels what is running and the thread
/// ends by itself, after it cleaned up.
pub(crate) struct Instance {
    jobs: mpsc::UnboundedSender<Job>,
    control: Arc<Control>,
    plugin: Arc<str>,
    /// Why the thread ended before it was asked anything.
    stillborn: Arc<OnceLock<String>>,
}

impl Instance {
    /// Starts a thread with an instance that was granted nothing.
    pub(crate) fn start(pre: InstancePre<State>, plugin: Arc<str>, tracker: &Tracker) -> Result<Self, Error> {
        let (jobs, queue) = mpsc::unbounded_channel();
        let control = Arc::new(Control::default());
        let engine_failed = |error: std::io::Error| Error::Engine(io_text(&error));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(engine_failed)?;
        let stillborn = Arc::new(OnceLock::new());
        let thread = Thread {
            pre,
            control: Arc::clone(&control),
            plugin: Arc::clone(&plugin),
            queue,
            stillborn: Arc::clone(&stillborn),
        };
        let alive = tracker.enter();
        std::thread::Builder::new()
            .name(format!("plugin {plugin}"))
            .stack_size(STACK)
            .spawn(move || {
                runtime.block_on(thread.run());
                drop(alive);
            })
            .map_err(engine_failed)?;
        Ok(Self {
            jobs,
            control,
            plugin,
            stillborn,
        })
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    pub(crate) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Runs `job` on the thread and waits for its answer.
    pub(crate) async fn call<T, F>(&self, operation: &'static str, job: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Live) -> Pin<Box<dyn Future<Output = Result<T, Error>> + 'a>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.send(move |live| {
            Box::pin(async move {
                // Nobody may be waiting any more.
                let _ = answer.send(job(live).await);
            })
        });
        match answered.await {
            Ok(result) => result,
            Err(_) => Err(self.gone(operation)),
        }
    }

    /// Runs `job` on the thread without waiting for it.
    pub(crate) fn send<F>(&self, job: F)
    where
        F: for<'a> FnOnce(&'a mut Live) -> Pin<Box<dyn Future<Output = ()> + 'a>> + Send + 'static,
    {
        // If the thread is gone the job is dropped, and with it its answer.
        let _ = self.jobs.send(Box::new(job));
    }

    /// Drops a resource of the guest, without waiting for it.
    pub(crate) fn release(&self, operation: &'static str, resource: ResourceAny) {
        self.send(move |live| Box::pin(async move { live.release(operation, resource).await }));
    }

    fn gone(&self, operation: &'static str) -> Error {
        let reason = self
            .stillborn
            .get()
            .cloned()
            .unwrap_or_else(|| "its thread has ended".to_owned());
        Error::Crashed {
            plugin: self.plugin.to_string(),
            operation,
            reason,
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.control.cancel();
    }
}

struct Thread {
    pre: InstancePre<State>,
    control: Arc<Control>,
    plugin: Arc<str>,
    queue: mpsc::UnboundedReceiver<Job>,
    stillborn: Arc<OnceLock<String>>,
}

impl Thread {
    async fn run(mut self) {
        let log = GuestLog::new(self.plugin.to_string());
        let watch = Arc::new(std::sync::Mutex::new(CpuWatch::default()));
        let mut store = Store::new(self.pre.engine(), State::new(Arc::clone(&self.control), &log));
        store.limiter(|state| state);
        store.set_hostcall_fuel(limits::CALL_BYTES);
        store.set_epoch_deadline(1);
        let control = Arc::clone(&self.control);
        let own_watch = Arc::clone(&watch);
        store.epoch_deadline_callback(move |_| {
            if control.is_overdue() {
                wasmtime::bail!("it did not end when it was cancelled");
            }
            let mut watch = own_watch.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(reason) = watch.exceeded(&control) {
                return Err(wasmtime::Error::msg(reason));
            }
            // Yielding lets the other watchdog have its turn.
            Ok(UpdateDeadline::Yield(1))
        });
        let instantiated = self.pre.instantiate_async(&mut store).await;
        let mut live = match instantiated {
            Ok(instance) => Live {
                store,
                instance,
                plugin: self.plugin,
                log,
                dead: None,
                watch,
            },
            Err(error) => {
                // Set once, here; the queue is dropped after it.
                let _ = self
                    .stillborn
                    .set(presentable(&format!("it cannot be started: {}", error.root_cause())));
                return;
            }
        };
        while let Some(job) = self.queue.recv().await {
            job(&mut live).await;
        }
    }
}

impl Live {
    /// Awaits a call of the guest, watching over it. `call` gets the store and
    /// makes the future.
    pub(crate) async fn guest<T>(
        &mut self,
        operation: &'static str,
        call: impl AsyncFnOnce(&mut Store<State>, &ComponentInstance) -> wasmtime::Result<T>,
    ) -> Result<T, Error> {
        let control = Arc::clone(self.store.data().control());
        if let Some(reason) = &self.dead {
            return Err(self.crashed(operation, reason.clone()));
        }
        if control.is_cancelled() {
            return Err(Error::Interrupted);
        }
        self.watch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .restart(&control);
        let result = tokio::select! {
            biased;
            result = call(&mut self.store, &self.instance) => result.map_err(|error| self.reason(&error)),
            reason = idle(&control) => Err(reason),
        };
        result.map_err(|reason| {
            self.dead = Some(reason.clone());
            // Handles of a dead guest are given back at once, not when the copy
            // gets round to it.
            self.store.data_mut().table = wasmtime::component::ResourceTable::new();
            drop(self.store.data_mut().end());
            if control.is_cancelled() {
                Error::Interrupted
            } else {
                self.crashed(operation, reason)
            }
        })
    }

    /// Drops a resource of the guest.
    pub(crate) async fn release(&mut self, operation: &'static str, resource: ResourceAny) {
        // A plugin that fails here has failed before, or does so in the next call.
        let _ = self
            .guest(operation, async |store, _| {
                resource.resource_drop_async(&mut *store).await
            })
            .await;
    }

    fn reason(&self, error: &wasmtime::Error) -> String {
        let root = error.root_cause().to_string();
        match self.log.last_words() {
            Some(words) if error.is::<wasmtime::Trap>() => presentable(&format!("{root} ({words})")),
            _ => presentable(&root),
        }
    }

    /// Makes everything lasting that the operation published, and ends it.
    /// If that fails nothing is taken back that readers may have seen already.
    pub(crate) fn commit(&mut self) -> Result<(), Error> {
        match self.store.data_mut().end() {
            Some(mut operation) => operation.commit(),
            None => Ok(()),
        }
    }

    pub(crate) fn crashed(&self, operation: &'static str, reason: String) -> Error {
        Error::Crashed {
            plugin: self.plugin.to_string(),
            operation,
            reason,
        }
    }

    /// An answer of the guest that breaks the contract.
    pub(crate) fn broke_contract(&self, operation: &'static str, what: &str) -> Error {
        self.crashed(operation, format!("it broke the contract: {what}"))
    }

    /// Data of the guest that the host found to be wrong.
    pub(crate) fn invalid(&self, operation: &'static str, message: String) -> Error {
        Error::Plugin {
            kind: ErrorKind::InvalidData,
            plugin: self.plugin.to_string(),
            operation,
            message: presentable(&message),
            retryable: false,
        }
    }

    /// An error that the guest answered with.
    pub(crate) fn refused(&self, operation: &'static str, error: GuestError) -> Error {
        let kind = ErrorKind::from_code(&error.code);
        let interrupted = kind == ErrorKind::Interrupted;
        if interrupted && self.store.data().control().is_cancelled() {
            return Error::Interrupted;
        }
        Error::Plugin {
            // Nobody interrupted it: whatever it means by that, the copy failed.
            kind: if interrupted { ErrorKind::Other } else { kind },
            plugin: self.plugin.to_string(),
            operation,
            message: presentable(&error.message),
            retryable: error.retryable,
        }
    }
}

/// Ends when the guest neither computes nor calls the host for too long, or does
/// not end when it was cancelled. Guests that compute are the epoch's business.
async fn idle(control: &Control) -> String {
    let mut progress = control.progress();
    let mut waited = Duration::ZERO;
    loop {
        tokio::time::sleep(limits::IDLE_POLL).await;
        if control.is_overdue() {
            return "it did not end when it was cancelled".to_owned();
        }
        let now = control.progress();
        waited = if now == progress {
            waited + limits::IDLE_POLL
        } else {
            Duration::ZERO
        };
        progress = now;
        if waited >= limits::IDLE {
            return format!("it did nothing for {} s", limits::IDLE.as_secs());
        }
    }
}
