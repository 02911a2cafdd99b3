//! The imports of the contracts, one file per interface.

pub(crate) mod bytes;
mod checksums;
mod convert;
mod http;
pub(crate) mod image;
mod posix;
pub(crate) mod session;
mod storage;
pub(crate) mod tally;
