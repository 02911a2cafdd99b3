//! What a Longshore plugin is made with.
//!
//! A transport implements [`Transport`] and as many of [`Source`],
//! [`Destination`] and [`Manage`] as its format allows, and exports each by its
//! macro; what is not exported is an ability that the transport lacks:
//!
//! ```
//! use longshore_guest::{Error, Identity, Plan, Purpose, Session, Transport};
//!
//! struct Shelf;
//!
//! impl Transport for Shelf {
//!     const NAMES: &'static [&'static str] = &["shelf"];
//!
//!     fn parse(text: &str, _purpose: Purpose, plan: &Plan) -> Result<(), Error> {
//!         plan.directory("shelf", text, longshore_guest::Access::Read);
//!         Ok(())
//!     }
//!
//!     fn identify(session: &Session) -> Result<Identity, Error> {
//!         Ok(Identity::of_path(session.reference(), session.real_path("shelf")?))
//!     }
//! }
//!
//! longshore_guest::export_transport!(Shelf);
//! # fn main() {}
//! ```
//!
//! A policy evaluator implements [`Evaluator`] and exports it by
//! [`export_evaluator!`]. What every call means, and what it may do, is written
//! in the contracts (`wit/transport`, `wit/policy`); this crate adds no rule.

mod bindings;
mod error;
#[doc(hidden)]
pub mod export;
mod handles;
mod identity;
mod policy;
mod transport;
mod whole;

pub use bindings::destination::exports::longshore::transport::destination::Traits;
pub use bindings::policy::exports::longshore::policy::evaluator::{Finding, Outcome, Requirement, Verdict};
pub use bindings::policy::longshore::policy::image::Image;
pub use bindings::reference::exports::longshore::transport::reference::{Identity, Purpose};
pub use bindings::transport::longshore::transport::bytes::{
    Copied, Reader, Tally, Writer, convert, copy, decompress, measure, observe,
};
pub use bindings::transport::longshore::transport::http::{Client, Content, Request, Response, Upload};
pub use bindings::transport::longshore::transport::posix;
pub use bindings::transport::longshore::transport::session::{Access, Plan, Session, Sink};
pub use bindings::transport::longshore::transport::storage::{
    Directory, File, FileRange, Lock, LockKind, Node, Staged, Stat, spool,
};
pub use bindings::transport::longshore::transport::types::{BlobInfo, Error, Manifest};
pub use error::{Context, code};
pub use handles::ReaderIo;
pub use policy::Evaluator;
pub use transport::{Blob, BlobWriter, Body, Destination, Manage, Source, Target, Transport};
