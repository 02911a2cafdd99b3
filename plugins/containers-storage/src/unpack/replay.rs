//! The archive of a layer that is there, for unpacking it once more.

use std::cell::RefCell;
use std::io::BufReader;

use longshore_guest::{Directory, Error, File, Reader, ReaderIo};
use longshore_tar_split::{Entries, Entry};

use super::archive::{Data, checked_copy};
use crate::content::clean;

/// Bytes of the record that are read at once.
const READ_AHEAD: usize = 256 << 10;

/// A layer's record, and its files.
pub(super) struct Replay<'a> {
    entries: RefCell<Entries<BufReader<ReaderIo<'a>>>>,
    segment: RefCell<Vec<u8>>,
    files: Directory,
}

impl<'a> Replay<'a> {
    /// Of a record without its compression.
    pub(super) fn new(record: &'a Reader, files: Directory) -> Self {
        let record = BufReader::with_capacity(READ_AHEAD, ReaderIo(record));
        Self {
            entries: RefCell::new(Entries::new(record)),
            segment: RefCell::default(),
            files,
        }
    }

    fn next(&self) -> Result<Option<Entry>, Error> {
        let next = self.entries.borrow_mut().next().transpose();
        next.map_err(|error| Error::invalid_data(format_args!("tar-split: {error}")))
    }
}

impl Data for Replay<'_> {
    fn read(&self, max: u32) -> Result<Vec<u8>, Error> {
        let mut segment = self.segment.borrow_mut();
        while segment.is_empty() {
            match self.next()? {
                None => return Ok(Vec::new()),
                Some(Entry::Segment(bytes)) => *segment = bytes,
                Some(Entry::File(file)) if file.size == 0 => {}
                Some(Entry::File(_)) => return Err(Error::invalid_data("tar-split: contents without a header")),
            }
        }
        let taken = segment.len().min(max as usize);
        let rest = segment.split_off(taken);
        Ok(std::mem::replace(&mut segment, rest))
    }

    fn contents(&self, to: &File, size: u64) -> Result<u64, Error> {
        let is_whole = self.segment.borrow().is_empty();
        let file = match self.next()? {
            Some(Entry::File(file)) if is_whole && file.size == size => file,
            _ => return Err(Error::invalid_data("tar-split: a header without contents")),
        };
        let path = clean(&file.name).ok_or_else(|| Error::invalid_data("leads outside of the layer"))?;
        let found = checked_copy(&self.files.open(&path, false)?.reader(0, Some(size))?, to, size)?;
        if file.checksum == Some(found) {
            Ok(found)
        } else {
            Err(Error::invalid_data("file integrity checksum failed"))
        }
    }
}
