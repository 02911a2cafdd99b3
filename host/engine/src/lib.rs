//! The WebAssembly engine as Longshore sets it up, and what can be learnt from a
//! component without running it.
//!
//! It is a crate of its own because two programs must agree on it to the letter:
//! the one that compiles the built-in plugins ahead of time
//! (`longshore-precompile`) and the one that runs them. A compiled component is
//! accepted only by an engine with the same settings.

mod component;
mod settings;

pub use component::{Component, ComponentError, MAX_COMPONENT_SIZE, Metadata, is_allowed_import};
pub use settings::{compatibility, engine, precompile};
