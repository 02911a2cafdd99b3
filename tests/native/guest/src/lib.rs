//! The guest SDK without a sandbox, for measuring what the sandbox costs.
//!
//! The built-in plugins compile against it unchanged: it has the names of `longshore-guest` that
//! they use, over plain file system calls. What the host does so that images are whole and lasting
//! is done here too (staging, locks, the same syncs in the same places); what it does because it
//! does not trust a plugin is not: **paths are not confined, rights and limits are not checked, and
//! what a killed process left behind is not tidied up**. Nothing but a measurement may use it.
//! Calls mean what the contracts (`wit/transport`) say, and fail as it says there.

mod bindings;
mod directory;
#[doc(hidden)]
pub mod export;
mod file;
#[path = "../../../../sdk/guest/src/handles.rs"]
mod handles;
mod ledger;
mod replacement;
mod session;
mod staged;
#[path = "../../../../sdk/guest/src/transport.rs"]
mod transport;

pub use directory::{Directory, Lock};
pub use file::{File, FileRange, RangeSink, Reader, Writer};
pub use handles::ReaderIo;
pub use longshore_guest::{
    Access, BlobInfo, Context, Error, Identity, LockKind, Manifest, Node, Purpose, Stat, Traits, code,
};
pub use session::{Needs, Plan, Session};
pub use staged::Staged;
pub use transport::{Blob, BlobWriter, Body, Destination, Manage, Source, Target, Transport};

use std::path::Path;

/// An error of the operating system, as storage calls answer it.
fn io_error(path: &Path) -> impl Fn(std::io::Error) -> Error {
    use std::io::ErrorKind;
    move |error| {
        let code = match error.kind() {
            ErrorKind::NotFound => code::NOT_FOUND,
            ErrorKind::NotADirectory | ErrorKind::IsADirectory => code::INVALID_DATA,
            ErrorKind::AlreadyExists => code::ALREADY_EXISTS,
            _ => code::OTHER,
        };
        Error::new(code, format_args!("{}: {error}", path.display()))
    }
}
