//! Clients of the services that sigstore's signatures may need: a Rekor log, which promises in public that it got a
//! signature (SS-15).
//!
//! Answers are not trusted: each has a limit of its size and its time, redirects are not followed, and what a service
//! hands out is held against what it was asked for, so that no signature is stored that nobody would accept.

mod entry;
mod error;
mod http;
mod rekor;

pub use entry::{LogPromise, Logged};
pub use error::ServiceError;
pub use rekor::Rekor;
