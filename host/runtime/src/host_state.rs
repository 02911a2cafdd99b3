use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use longshore_blob::Durability;
use longshore_engine::{Component as Description, MAX_COMPONENT_SIZE};
use tokio::sync::Notify;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::state::State;
use crate::{Error, cache, limits, linkers};

/// What all plugins of one host share.
pub(crate) struct Shared {
    pub(crate) durability: Durability,
    /// Folder for files as large as an image.
    pub(crate) temporary: PathBuf,
    cache: Option<PathBuf>,
    engine: OnceLock<Engine>,
    transport_linker: OnceLock<Linker<State>>,
    policy_linker: OnceLock<Linker<State>>,
    tracker: Tracker,
}

impl Shared {
    pub(crate) fn new(durability: Durability, cache: Option<PathBuf>, temporary: PathBuf) -> Self {
        Self {
            durability,
            temporary,
            cache,
            engine: OnceLock::new(),
            transport_linker: OnceLock::new(),
            policy_linker: OnceLock::new(),
            tracker: Tracker::default(),
        }
    }

    pub(crate) fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// The engine, made when the first plugin is loaded, with the thread that
    /// tells its guests the time.
    pub(crate) fn engine(&self) -> Result<&Engine, Error> {
        if let Some(engine) = self.engine.get() {
            return Ok(engine);
        }
        let failed = |error: &dyn std::fmt::Display| Error::Engine(error.to_string());
        let engine = longshore_engine::engine().map_err(|error| failed(&format!("{error:#}")))?;
        let weak = engine.weak();
        std::thread::Builder::new()
            .name("plugin epochs".to_owned())
            .stack_size(64 << 10)
            .spawn(move || {
                while let Some(engine) = weak.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    std::thread::sleep(limits::EPOCH);
                }
            })
            .map_err(|error| failed(&error))?;
        Ok(self.engine.get_or_init(|| engine))
    }

    pub(crate) fn transport_linker(&self) -> Result<&Linker<State>, Error> {
        self.linker(&self.transport_linker, linkers::transport)
    }

    pub(crate) fn policy_linker(&self) -> Result<&Linker<State>, Error> {
        self.linker(&self.policy_linker, linkers::policy)
    }

    fn linker<'a>(
        &'a self,
        kept: &'a OnceLock<Linker<State>>,
        make: fn(&Engine) -> wasmtime::Result<Linker<State>>,
    ) -> Result<&'a Linker<State>, Error> {
        match kept.get() {
            Some(linker) => Ok(linker),
            None => {
                let linker = make(self.engine()?).map_err(|error| Error::Engine(format!("{error:#}")))?;
                Ok(kept.get_or_init(|| linker))
            }
        }
    }

    /// A built-in component from its compiled form.
    pub(crate) fn builtin(&self, compiled: &'static [u8]) -> wasmtime::Result<Component> {
        let engine = self.engine().map_err(|error| wasmtime::Error::msg(error.to_string()))?;
        // SAFETY: the bytes were compiled by `longshore-precompile` with the same
        // engine settings, when this program was built, and are part of it.
        // Wasmtime checks that version and settings agree.
        #[expect(unsafe_code, reason = "loading our own precompiled component")]
        unsafe {
            Component::deserialize(engine, compiled)
        }
    }

    /// A component from a file of a third party, compiled now or earlier.
    pub(crate) fn load(&self, path: &Path) -> Result<(Description, Component), Error> {
        let metadata = std::fs::metadata(path).map_err(Error::io(path))?;
        // Reading a FIFO waits for its writer, and a device may have no end.
        if !metadata.is_file() {
            return Err(Error::bad_plugin(path, "not a regular file"));
        }
        if metadata.len() > MAX_COMPONENT_SIZE {
            return Err(Error::bad_plugin(
                path,
                format_args!("larger than {} MiB", MAX_COMPONENT_SIZE >> 20),
            ));
        }
        let wasm = std::fs::read(path).map_err(Error::io(path))?;
        let description = Description::inspect(&wasm).map_err(|error| Error::bad_plugin(path, error))?;
        let forbidden: Vec<&str> = description.forbidden_imports().collect();
        if !forbidden.is_empty() {
            return Err(Error::bad_plugin(
                path,
                format_args!("imports what no plugin may have: {}", forbidden.join(", ")),
            ));
        }
        let component = cache::component(self.engine()?, &wasm, &description, self.cache.as_deref())
            .map_err(|error| Error::bad_plugin(path, format_args!("{error:#}")))?;
        Ok((description, component))
    }
}

/// Counts the threads of running plugins, so that a program can wait until the
/// last one has cleaned up.
#[derive(Clone, Default)]
pub(crate) struct Tracker {
    inner: Arc<TrackerInner>,
}

#[derive(Default)]
struct TrackerInner {
    count: AtomicUsize,
    changed: Notify,
}

/// Counts for as long as it lives.
pub(crate) struct Alive(Arc<TrackerInner>);

impl Tracker {
    pub(crate) fn enter(&self) -> Alive {
        self.inner.count.fetch_add(1, Ordering::AcqRel);
        Alive(Arc::clone(&self.inner))
    }

    pub(crate) async fn settled(&self) {
        loop {
            let changed = self.inner.changed.notified();
            if self.inner.count.load(Ordering::Acquire) == 0 {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_waiters();
    }
}
