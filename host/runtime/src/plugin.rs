use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use longshore_engine::Component as Description;
use longshore_types::ErrorKind;
use wasmtime::component::{Component, InstancePre};

use crate::bindings::policy::exports::longshore::policy::evaluator;
use crate::bindings::transport::exports::longshore::transport::{destination, manage, reference, source};
use crate::builtin::Builtin;
use crate::host_state::Shared;
use crate::instance::Instance;
use crate::state::State;
use crate::{Error, limits};

/// Where a plugin comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Part of the program.
    BuiltIn,
    /// A file.
    File(PathBuf),
}

/// A plugin that was loaded and can be started.
pub struct Plugin {
    shared: Arc<Shared>,
    origin: Origin,
    name: String,
    code: Described,
    pre: InstancePre<State>,
    pub(crate) exports: Exports,
}

/// A component's outside; that of a built-in one is read when somebody asks.
enum Described {
    BuiltIn {
        wasm: &'static [u8],
        description: OnceLock<Description>,
    },
    File(Description),
}

/// What the component exports, looked up once.
pub(crate) struct Exports {
    pub(crate) reference: Option<reference::GuestIndices>,
    pub(crate) source: Option<source::GuestIndices>,
    pub(crate) destination: Option<destination::GuestIndices>,
    pub(crate) manage: Option<manage::GuestIndices>,
    pub(crate) evaluator: Option<evaluator::GuestIndices>,
}

impl Plugin {
    pub(crate) fn load_builtin(shared: &Arc<Shared>, builtin: &'static Builtin) -> Result<Arc<Self>, Error> {
        let Some(code) = &builtin.code else {
            return Err(Error::BuiltWithoutPlugins(builtin.name.to_owned()));
        };
        let component = shared
            .builtin(code.compiled)
            .map_err(|error| Error::bad_plugin(Path::new(builtin.name), format_args!("{error:#}")))?;
        let code = Described::BuiltIn {
            wasm: code.wasm,
            description: OnceLock::new(),
        };
        Self::new(shared, Origin::BuiltIn, builtin.name.to_owned(), code, &component)
    }

    pub(crate) fn load_file(shared: &Arc<Shared>, path: &Path) -> Result<Arc<Self>, Error> {
        let (description, component) = shared.load(path)?;
        let stem = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = description.metadata.name.clone().unwrap_or_else(stem);
        Self::new(
            shared,
            Origin::File(path.to_owned()),
            name,
            Described::File(description),
            &component,
        )
    }

    fn new(
        shared: &Arc<Shared>,
        origin: Origin,
        name: String,
        code: Described,
        component: &Component,
    ) -> Result<Arc<Self>, Error> {
        let bad = |error: &dyn std::fmt::Display| match &origin {
            Origin::File(path) => Error::bad_plugin(path, error),
            Origin::BuiltIn => Error::bad_plugin(Path::new(&name), error),
        };
        let is_evaluator = component.get_export_index(None, EVALUATOR).is_some();
        let linker = if is_evaluator {
            shared.policy_linker()
        } else {
            shared.transport_linker()
        };
        let pre = linker?
            .instantiate_pre(component)
            .map_err(|error| bad(&format!("{error:#}")))?;
        let exports = Exports::of(&pre, component).map_err(|error| bad(&format!("{error:#}")))?;
        if exports.reference.is_none() && exports.evaluator.is_none() {
            return Err(bad(
                &"exports neither a transport nor a policy evaluator of a contract version known here",
            ));
        }
        Ok(Arc::new(Self {
            shared: Arc::clone(shared),
            origin,
            name,
            code,
            pre,
            exports,
        }))
    }

    /// What the plugin calls itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether it is part of the program, and so may have what it asks for.
    pub(crate) fn is_trusted(&self) -> bool {
        self.origin == Origin::BuiltIn
    }

    /// Digest, version, imports and exports of the component.
    ///
    /// # Errors
    ///
    /// Fails if a built-in component is malformed.
    pub fn description(&self) -> Result<&Description, Error> {
        match &self.code {
            Described::File(description) => Ok(description),
            Described::BuiltIn { wasm, description } => match description.get() {
                Some(description) => Ok(description),
                None => {
                    let read =
                        Description::inspect(wasm).map_err(|error| Error::bad_plugin(Path::new(&self.name), error))?;
                    Ok(description.get_or_init(|| read))
                }
            },
        }
    }

    /// `NAME` or `NAME VERSION`, for messages.
    pub(crate) fn label(&self) -> Arc<str> {
        match &self.code {
            Described::File(Description { metadata, .. }) => match &metadata.version {
                Some(version) => format!("{} {version}", self.name).into(),
                None => self.name.as_str().into(),
            },
            Described::BuiltIn { .. } => self.name.as_str().into(),
        }
    }

    /// Abilities that the plugin exports: `source`, `destination`, `manage`,
    /// `policy`.
    pub fn abilities(&self) -> Vec<&'static str> {
        let exports = &self.exports;
        [
            ("source", exports.source.is_some()),
            ("destination", exports.destination.is_some()),
            ("manage", exports.manage.is_some()),
            ("policy", exports.evaluator.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, exported)| exported.then_some(name))
        .collect()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// A new instance, granted nothing.
    pub(crate) fn start(&self) -> Result<Instance, Error> {
        Instance::start(self.pre.clone(), self.label(), self.shared.tracker())
    }

    /// Transport names that the plugin serves; none for an evaluator.
    ///
    /// # Errors
    ///
    /// Fails if the plugin crashes or names none, or one that cannot be typed.
    pub async fn transports(self: &Arc<Self>) -> Result<Vec<String>, Error> {
        const OPERATION: &str = "reference.transports";
        if self.exports.reference.is_none() {
            return Ok(Vec::new());
        }
        let plugin = Arc::clone(self);
        let names = self
            .start()?
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    live.guest(OPERATION, async |store, instance| {
                        let Some(indices) = &plugin.exports.reference else {
                            return Ok(Vec::new());
                        };
                        indices.load(&mut *store, instance)?.call_transports(&mut *store).await
                    })
                    .await
                })
            })
            .await?;
        let typable = |name: &String| {
            name.starts_with(|first: char| first.is_ascii_lowercase())
                && name.len() <= 64
                && name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        if names.is_empty() || names.len() > limits::NAMED || !names.iter().all(typable) {
            return Err(Error::Plugin {
                kind: ErrorKind::InvalidData,
                plugin: self.label().to_string(),
                operation: OPERATION,
                message: "the names of its transports are malformed".to_owned(),
                retryable: false,
            });
        }
        Ok(names)
    }
}

/// Names of the exported interfaces in the versions that this host runs.
const REFERENCE: &str = "longshore:transport/reference@0.1.0";
const SOURCE: &str = "longshore:transport/source@0.1.0";
const DESTINATION: &str = "longshore:transport/destination@0.1.0";
const MANAGE: &str = "longshore:transport/manage@0.1.0";
const EVALUATOR: &str = "longshore:policy/evaluator@0.1.0";

impl Exports {
    /// An export that is there must be whole; one that is not is an ability that
    /// the plugin lacks.
    fn of(pre: &InstancePre<State>, component: &Component) -> wasmtime::Result<Self> {
        let has = |name: &str| component.get_export_index(None, name).is_some();
        Ok(Self {
            reference: has(REFERENCE).then(|| reference::GuestIndices::new(pre)).transpose()?,
            source: has(SOURCE).then(|| source::GuestIndices::new(pre)).transpose()?,
            destination: has(DESTINATION)
                .then(|| destination::GuestIndices::new(pre))
                .transpose()?,
            manage: has(MANAGE).then(|| manage::GuestIndices::new(pre)).transpose()?,
            evaluator: has(EVALUATOR).then(|| evaluator::GuestIndices::new(pre)).transpose()?,
        })
    }
}
