use std::sync::Arc;

use longshore_blob::Durability;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime::{ResourceLimiter, Result, bail};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::bindings::transport::exports::longshore::transport::{destination, source};
use crate::control::Control;
use crate::files::HeldLocks;
use crate::limits;
use crate::log::GuestLog;
use crate::operation::Operation;

/// What the host keeps for one instance.
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    wasi: WasiCtx,
    control: Arc<Control>,
    operation: Option<Operation>,
    pub(crate) locks: HeldLocks,
    pub(crate) checked: Checked,
    memory: usize,
}

/// Exported interfaces of the instance that were looked up already.
#[derive(Default)]
pub(crate) struct Checked {
    pub(crate) source: Option<Arc<source::Guest>>,
    pub(crate) destination: Option<Arc<destination::Guest>>,
}

impl State {
    pub(crate) fn new(control: Arc<Control>, log: &GuestLog) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits::HANDLES);
        let wasi = WasiCtxBuilder::new()
            .stdout(log.clone())
            .stderr(log.clone())
            .max_random_size(limits::RANDOM)
            .build();
        Self {
            table,
            wasi,
            control,
            operation: None,
            locks: HeldLocks::default(),
            checked: Checked::default(),
            memory: 0,
        }
    }

    /// Notes that the guest called: every import does so first.
    pub(crate) fn enter(&self) {
        self.control.enter();
    }

    /// Counts the bytes that a host call moved, if it succeeded.
    pub(crate) fn moved<T, E>(
        &self,
        result: std::result::Result<T, E>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> std::result::Result<T, E> {
        if let Ok(value) = &result {
            self.control.moved(bytes(value));
        }
        result
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// What was granted; nothing while `parse` runs.
    pub(crate) fn operation(&mut self) -> Result<&mut Operation> {
        match &mut self.operation {
            Some(operation) => Ok(operation),
            None => bail!("the plugin used a session that it was not given"),
        }
    }

    pub(crate) fn begin(&mut self, operation: Operation) {
        self.operation = Some(operation);
    }

    /// Takes the grants back; what is dropped with them is cleaned up.
    pub(crate) fn end(&mut self) -> Option<Operation> {
        self.operation.take()
    }

    pub(crate) fn durability(&self) -> Durability {
        self.operation
            .as_ref()
            .map_or(Durability::Sync, |operation| operation.durability)
    }

    /// Gives a handle to the guest. One too many is a trap.
    pub(crate) fn push<T: Send + 'static>(&mut self, value: T) -> Result<Resource<T>> {
        match self.table.push(value) {
            Ok(resource) => Ok(resource),
            Err(_) => bail!("the plugin holds more than {} handles", limits::HANDLES),
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        if total > limits::MEMORY {
            bail!("the plugin needs more than {} MiB of memory", limits::MEMORY >> 20);
        }
        self.memory = total;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        if desired > limits::TABLE_ELEMENTS {
            bail!(
                "the plugin needs a table of more than {} elements",
                limits::TABLE_ELEMENTS
            );
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        limits::INSTANCES
    }

    fn tables(&self) -> usize {
        limits::INSTANCES
    }

    fn memories(&self) -> usize {
        limits::INSTANCES
    }
}
