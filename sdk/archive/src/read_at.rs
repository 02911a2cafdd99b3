use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};

use longshore_guest::{Error, File};

/// Bytes around a header that are read with it: headers of small members are close together.
const WINDOW: u32 = 8 << 10;

/// A file that can be read at any offset.
pub trait ReadAt {
    /// Its length in bytes.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be asked for.
    fn size(&self) -> Result<u64, Error>;

    /// Up to `max` bytes, at most 1 MiB; fewer only at the end.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read.
    fn read_at(&self, offset: u64, max: u32) -> Result<Vec<u8>, Error>;
}

impl ReadAt for File {
    fn size(&self) -> Result<u64, Error> {
        Self::size(self)
    }

    fn read_at(&self, offset: u64, max: u32) -> Result<Vec<u8>, Error> {
        Self::read_at(self, offset, max)
    }
}

/// The headers of an archive as a stream. Bytes of members are passed over by seeking, so that whatever is read is a
/// header: too much of it at a time is an attack.
pub(crate) struct Headers<'a, F> {
    file: &'a F,
    position: u64,
    window: Vec<u8>,
    window_at: u64,
    budget: &'a Cell<u64>,
}

impl<'a, F: ReadAt> Headers<'a, F> {
    /// At most `budget` bytes are read until somebody raises it again.
    pub(crate) fn new(file: &'a F, budget: &'a Cell<u64>) -> Self {
        Self {
            file,
            position: 0,
            window: Vec::new(),
            window_at: 0,
            budget,
        }
    }
}

impl<F: ReadAt> Read for Headers<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = self.window_at + self.window.len() as u64;
        if !(self.window_at..end).contains(&self.position) {
            let window = self.file.read_at(self.position, WINDOW);
            self.window = window.map_err(|error| io::Error::other(error.message))?;
            self.window_at = self.position;
        }
        let from = usize::try_from(self.position - self.window_at).unwrap_or(usize::MAX);
        let rest = self.window.get(from..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        let left = self.budget.get().checked_sub(count as u64);
        let left = left.ok_or_else(|| io::Error::other("a header is too large"))?;
        self.budget.set(left);
        self.position += count as u64;
        Ok(count)
    }
}

impl<F: ReadAt> Seek for Headers<'_, F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
            SeekFrom::End(_) => None,
        };
        self.position = position.ok_or_else(|| io::Error::other("seek position out of bounds"))?;
        Ok(self.position)
    }
}
