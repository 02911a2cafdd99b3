use crate::bindings::transport::longshore::transport::bytes::Reader;
use crate::bindings::transport::longshore::transport::storage::File;
use crate::bindings::transport::longshore::transport::types::Error;

/// Most that one call reads.
const MAX_READ: u32 = 1 << 20;

impl Reader {
    /// The rest of a stream that is small.
    ///
    /// # Errors
    ///
    /// Fails with the stream, and with `invalid-data` for more than `limit` bytes.
    pub fn whole(&self, limit: u64) -> Result<Vec<u8>, Error> {
        whole(limit, |_| self.read(MAX_READ))
    }
}

impl File {
    /// All of a file that is small.
    ///
    /// # Errors
    ///
    /// Fails with the file, and with `invalid-data` for more than `limit` bytes.
    pub fn whole(&self, limit: u64) -> Result<Vec<u8>, Error> {
        whole(limit, |offset| self.read_at(offset, MAX_READ))
    }
}

fn whole(limit: u64, mut next: impl FnMut(u64) -> Result<Vec<u8>, Error>) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    loop {
        let piece = next(bytes.len() as u64)?;
        if piece.is_empty() {
            return Ok(bytes);
        }
        bytes.extend(piece);
        if bytes.len() as u64 > limit {
            return Err(Error::invalid_data(format_args!("more than {limit} bytes")));
        }
    }
}
