//! The record of an archive that was unpacked, from which it can be put together again byte for byte: the format of the
//! Go package `tar-split`, lines of JSON that hold everything but the contents of files.
//!
//! [`Recorder`] writes it, [`Entries`] reads it. Whoever puts the archive together writes the segments as they are and, in the place of each
//! file, its contents, whose [`FileEntry::checksum`] is [CRC-64/GO-ISO](https://reveng.sourceforge.io/crc-catalogue/).

mod entries;
mod recorder;

pub use entries::{Entries, Entry, EntryError, FileEntry};
pub use recorder::Recorder;
