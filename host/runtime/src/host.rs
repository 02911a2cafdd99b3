//! The imports of the contracts, one file per interface.

pub(crate) mod bytes;
mod http;
pub(crate) mod image;
pub(crate) mod session;
mod storage;
