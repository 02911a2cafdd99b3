//! Runs plugins: WebAssembly components that know a storage format (a transport)
//! or a signature rule (a policy evaluator).
//!
//! A plugin is on the control path only. It answers where the bytes of a blob are
//! or should go, by handles that this crate made, and the host moves them. Every
//! instance has a thread and a store of its own, starts with no rights, and gets
//! what its reference needs ([`Grant`]). What it may use up is in [`limits`].
//!
//! [`PluginHost`] finds plugins, [`Plugin::parse`] turns a reference into a
//! [`Planned`] operation, and that into a [`PluginSource`] or a
//! [`PluginDestination`].

mod bindings;
mod builtin;
mod cache;
mod control;
mod destination;
mod error;
mod evaluator;
mod files;
mod grants;
mod host;
mod host_state;
mod http;
mod inflate;
mod instance;
pub mod limits;
mod linkers;
mod log;
mod operation;
mod plugin;
mod plugin_host;
mod source;
mod state;
mod transport;

pub use destination::{DestinationTraits, PendingBlob, PluginDestination};
pub use error::Error;
pub use evaluator::{Evaluator, Finding, Outcome, Requirement, Verdict};
pub use grants::{Access, Grant, Settings};
pub use host::image::{ConfigFetcher, ImageFacts};
pub use http::{ClientFiles, HttpGrant, Origin as HttpOrigin};
pub use longshore_engine::{Component as Description, Metadata};
pub use plugin::{Origin, Plugin};
pub use plugin_host::{PluginHost, PluginHostBuilder};
pub use source::{Body, PluginSource};
pub use transport::{Identity, Planned, Purpose, Session};
