use std::io::{BufRead, BufReader};

use longshore_guest::{Copied, Error, Reader, ReaderIo, Writer};
use longshore_tar_split::{Entries, Entry, FileEntry};

use crate::passing::checksum_in;

/// Most that one call writes.
const MAX_WRITE: usize = 1 << 20;
/// Bytes of the record that are read at once.
const READ_AHEAD: usize = 256 << 10;

/// A record that comes in a stream, without its compression.
pub fn record(data: &Reader) -> BufReader<ReaderIo<'_>> {
    BufReader::with_capacity(READ_AHEAD, ReaderIo(data))
}

/// Writes an archive as it was, from a record without its compression. `contents` is called for each file that has some:
/// it has the host move all of them, with their [`CHECKSUM`](crate::CHECKSUM).
///
/// # Errors
///
/// `contents` or the writer fails, or `invalid-data`: the record is malformed, or contents are not what they were.
pub fn assemble(
    record: impl BufRead,
    out: &Writer,
    mut contents: impl FnMut(&FileEntry) -> Result<Copied, Error>,
) -> Result<(), Error> {
    for entry in Entries::new(record) {
        match entry.map_err(|error| Error::invalid_data(format_args!("tar-split: {error}")))? {
            Entry::Segment(bytes) => {
                for piece in bytes.chunks(MAX_WRITE) {
                    out.write(piece)?;
                }
            }
            Entry::File(file) if file.size > 0 => {
                let moved = contents(&file)?;
                if moved.size != file.size || Some(checksum_in(&moved)?) != file.checksum {
                    return Err(changed(&file));
                }
            }
            Entry::File(_) => {}
        }
    }
    Ok(())
}

/// A file is not what it was when it was recorded.
pub(crate) fn changed(file: &FileEntry) -> Error {
    let name = String::from_utf8_lossy(&file.name);
    Error::invalid_data(format_args!("file integrity checksum failed for {name:?}"))
}
