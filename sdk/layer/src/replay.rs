use std::cell::RefCell;
use std::io::BufReader;

use longshore_guest::{Directory, Error, Reader, ReaderIo};
use longshore_tar_split::{Entries, Entry};

use crate::assemble::changed;
use crate::passing::Data;
use crate::path::clean;

/// The archive of a layer whose files are there, for unpacking it once more.
pub struct Replay<'a> {
    entries: RefCell<Entries<BufReader<ReaderIo<'a>>>>,
    segment: RefCell<Vec<u8>>,
    files: Directory,
}

impl<'a> Replay<'a> {
    /// Of a record without its compression.
    pub fn new(record: &'a Reader, files: Directory) -> Self {
        Self {
            entries: RefCell::new(Entries::new(crate::assemble::record(record))),
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

    fn contents(&self, size: u64, moved: &mut dyn FnMut(&Reader) -> Result<u64, Error>) -> Result<u64, Error> {
        let is_whole = self.segment.borrow().is_empty();
        let file = match self.next()? {
            Some(Entry::File(file)) if is_whole && file.size == size => file,
            _ => return Err(Error::invalid_data("tar-split: a header without contents")),
        };
        let path = clean(&file.name).ok_or_else(|| Error::invalid_data("leads outside of the layer"))?;
        let found = moved(&self.files.open(&path, false)?.reader(0, Some(size))?)?;
        if file.checksum == Some(found) {
            Ok(found)
        } else {
            Err(changed(&file))
        }
    }
}
