use std::io;

use crate::bindings::transport::longshore::transport::bytes::{Reader, Writer};
use crate::bindings::transport::longshore::transport::storage::File;
use crate::bindings::transport::longshore::transport::storage::FileRange;

/// Most that one `read` or `write` call moves.
const MAX_CALL: usize = 1 << 20;

/// A [`Reader`] as [`std::io::Read`], for parsers.
#[derive(Debug)]
pub struct ReaderIo<'a>(pub &'a Reader);

impl io::Read for ReaderIo<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let max = u32::try_from(buffer.len().min(MAX_CALL)).unwrap_or(u32::MAX);
        let data = self.0.read(max).map_err(|error| io::Error::other(error.message))?;
        buffer[..data.len()].copy_from_slice(&data);
        Ok(data.len())
    }
}

impl io::Write for &Writer {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let taken = data.len().min(MAX_CALL);
        Writer::write(self, &data[..taken]).map_err(|error| io::Error::other(error.message))?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileRange {
    /// The whole file.
    pub fn whole(file: File) -> Self {
        Self {
            file,
            offset: 0,
            length: None,
        }
    }
}
