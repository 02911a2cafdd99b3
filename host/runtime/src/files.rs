//! Granted directories and files, and what is opened below them.
//!
//! Paths of guests are resolved by `cap-std`, which keeps them inside the
//! directory whatever symbolic links lie there and whoever renames them
//! meanwhile. Nothing here knows of WebAssembly: the handles are plain values
//! that the interfaces in [`crate::host`] hand out.

mod directory;
mod input;
mod lock;
mod new_file;
mod open_file;
mod path;
mod process_lock;
mod replacement;
mod root;
mod staged;
mod staging;
mod tree;

pub(crate) use directory::Entry;
pub(crate) use input::{Input, spool};
pub(crate) use lock::{HeldLocks, LockKind};
pub(crate) use new_file::{NewFile, Sink, StreamSink};
pub(crate) use open_file::RangeSink;
pub(crate) use replacement::Replacement;
pub(crate) use root::Root;
pub(crate) use tree::Attributes;

#[allow(unreachable_pub, reason = "the generated bindings re-export them")]
pub use {directory::Directory, lock::Lock, open_file::OpenFile, staged::Staged, tree::Tree};

use std::path::Path;

pub(crate) use crate::bindings::transport::longshore::transport::types::Error as GuestError;
use crate::error::{io_kind, io_text};

/// Result of a storage call, as the guest gets it.
pub(crate) type GuestResult<T> = Result<T, GuestError>;

/// An error for a guest.
pub(crate) fn guest_error(code: &str, message: impl Into<String>) -> GuestError {
    GuestError {
        code: code.to_owned(),
        message: message.into(),
        retryable: false,
        extras: Vec::new(),
    }
}

/// An error of the operating system, for a guest.
pub(crate) fn io_error(path: &Path, error: &std::io::Error) -> GuestError {
    let code = match error.kind() {
        std::io::ErrorKind::NotFound => "not-found",
        // A path that leads outside is reported like any other that must not be
        // used.
        std::io::ErrorKind::NotADirectory | std::io::ErrorKind::IsADirectory => "invalid-data",
        _ => io_kind(error).as_code(),
    };
    guest_error(code, format!("{}: {}", path.display(), io_text(error)))
}

#[cfg(test)]
mod tests;
