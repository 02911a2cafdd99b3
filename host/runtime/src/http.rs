//! HTTP to granted origins, made by the host: what a plugin gets instead of sockets.
//!
//! Guests wait on their own threads, which must not run a runtime inside a runtime: each client has one thread that
//! drives its connections, and everything in between is channels with room for a few pieces.

mod answer;
mod client;
mod grant;
mod network;
mod origin;
mod request;
mod tls;
mod upload;

pub(crate) use answer::Answer;
pub(crate) use client::Content;
pub(crate) use grant::HttpWish;
use request::Request;
pub(crate) use upload::UploadSink;

#[allow(unreachable_pub, reason = "the generated bindings re-export them")]
pub use {client::Client, client::Upload};

pub use grant::{ClientFiles, HttpGrant};
pub use origin::Origin;

#[cfg(test)]
mod tests;
