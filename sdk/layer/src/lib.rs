//! Archives of layers, for storages that keep the files of a layer and not the archive.
//!
//! [`unpack`] hands over each [`Member`] while the archive passes and writes the tar-split record; [`assemble`] puts the
//! archive together again from record and files. The contents of files are moved by the host, wherever a plugin says.

mod assemble;
mod member;
mod passing;
mod path;
mod replay;
mod unpack;

pub use assemble::{assemble, record};
pub use member::{Kind, Member};
pub use passing::{CHECKSUM, Data, Passing, checksum_in};
pub use path::{clean, leads_outside, split};
pub use replay::Replay;
pub use unpack::{Place, unpack};
