//! Objects of OSTree repositories as bytes, and back: what stands in them and what they are named by.
//!
//! Reading directories and headers is strict: the serialisation allows any bytes and has a default for whatever does not
//! make sense, but what is not as its parts would be written is malformed here. Of a commit no more is believed than is
//! read.

mod checksum;
mod commit;
mod directory;
mod header;

pub use checksum::Checksum;
pub use commit::{Commit, key};
pub use directory::Directory;
pub use header::{ExtendedAttributes, FRAME, Header, mode};
