use std::cell::{Cell, RefCell};
use std::io::{self, Read};

use longshore_guest::{Copied, Error, Reader, code};

/// Most bytes of the headers of one member. PAX records hold names and attributes.
const MAX_HEADER: usize = 4 << 20;
/// Bytes that are read at once behind the archive's end.
const MAX_READ: u32 = 1 << 20;

/// What the host calls the checksum of a tar-split record.
pub const CHECKSUM: &str = "crc64-go-iso";

/// Where an archive comes from, front to back.
pub trait Data {
    /// Up to `max` bytes of headers and padding; nothing at the end.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    fn read(&self, max: u32) -> Result<Vec<u8>, Error>;

    /// Calls `moved` with the stream in which the next `size` bytes are contents of a file. It has the host move all of
    /// them and answers with their [`CHECKSUM`], which this returns.
    ///
    /// # Errors
    ///
    /// `moved` fails, or the contents are not what they should be.
    fn contents(&self, size: u64, moved: &mut dyn FnMut(&Reader) -> Result<u64, Error>) -> Result<u64, Error>;
}

impl Data for Reader {
    fn read(&self, max: u32) -> Result<Vec<u8>, Error> {
        Self::read(self, max)
    }

    fn contents(&self, _size: u64, moved: &mut dyn FnMut(&Reader) -> Result<u64, Error>) -> Result<u64, Error> {
        moved(self)
    }
}

/// The [`CHECKSUM`] among those that the host computed.
///
/// # Errors
///
/// `unsupported` if it is not there.
pub fn checksum_in(copied: &Copied) -> Result<u64, Error> {
    let checksum = copied.checksums.iter().find(|(name, _)| name == CHECKSUM);
    let checksum = checksum.and_then(|(_, digits)| u64::from_str_radix(digits, 16).ok());
    checksum.ok_or_else(|| Error::new(code::UNSUPPORTED, "the host does not compute CRC-64"))
}

/// An archive on its way. What is read of it is kept until it is taken; what the host moves is not seen here.
pub struct Passing<'a> {
    data: &'a dyn Data,
    seen: RefCell<Vec<u8>>,
    /// Bytes that the host has moved and that are yet to be passed over.
    moved: Cell<u64>,
}

impl<'a> Passing<'a> {
    pub(crate) fn new(data: &'a dyn Data) -> Self {
        Self {
            data,
            seen: RefCell::default(),
            moved: Cell::new(0),
        }
    }

    /// What was read since the last time.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.seen.take()
    }

    /// Has the contents of the member that is being put moved, all `size` bytes, as [`Data::contents`] says.
    ///
    /// # Errors
    ///
    /// As that.
    pub fn contents(&self, size: u64, mut moved: impl FnMut(&Reader) -> Result<u64, Error>) -> Result<u64, Error> {
        let checksum = self.data.contents(size, &mut moved)?;
        self.moved.set(size);
        Ok(checksum)
    }

    /// What follows the last member; none at the end.
    pub(crate) fn rest(&self) -> Result<Option<Vec<u8>>, Error> {
        let piece = self.data.read(MAX_READ)?;
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }
}

impl Read for &Passing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let moved = self.moved.get();
        if moved > 0 {
            let length = usize::try_from(moved).map_or(buffer.len(), |moved| moved.min(buffer.len()));
            self.moved.set(moved - length as u64);
            return Ok(length);
        }
        let mut seen = self.seen.borrow_mut();
        if seen.len() > MAX_HEADER {
            return Err(io::Error::other("a member has too long a header"));
        }
        let max = u32::try_from(buffer.len()).map_or(MAX_READ, |length| length.min(MAX_READ));
        if max == 0 {
            return Ok(0);
        }
        let piece = self.data.read(max).map_err(|error| io::Error::other(error.message))?;
        buffer[..piece.len()].copy_from_slice(&piece);
        seen.extend_from_slice(&piece);
        Ok(piece.len())
    }
}
