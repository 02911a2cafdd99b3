//! Tar archives for plugins. Nothing is unpacked: [`Index`] says where in an archive the bytes of a member are, and
//! [`Writer`] where those of a new one are to go, so that the host moves them. The headers themselves are the `tar`
//! crate's.

mod index;
mod read_at;
mod writer;

pub use index::{Index, Member};
pub use read_at::ReadAt;
pub use writer::Writer;
