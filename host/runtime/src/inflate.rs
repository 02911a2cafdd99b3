//! Streams without their compression.

use std::io::{self, Cursor, Read};

use bytes::Bytes;
use longshore_blob::{ChunkReader, ChunkSource, DETECT_LENGTH, decompress, detect};
use longshore_types::Compression;

/// What `source` holds, decompressed, and what it was compressed with. Only its first bytes are read.
pub(crate) fn inflate(source: Box<dyn ChunkSource>) -> io::Result<(Box<dyn Read + Send>, Compression)> {
    let mut reader = ChunkReader::new(Final(source));
    let mut prefix = Vec::with_capacity(DETECT_LENGTH);
    reader.by_ref().take(DETECT_LENGTH as u64).read_to_end(&mut prefix)?;
    let compression = detect(&prefix);
    let whole = Box::new(Cursor::new(prefix).chain(reader));
    Ok((decompress(whole, compression)?, compression))
}

/// A source whose interruption is for good: a decoder would try again without an end.
struct Final(Box<dyn ChunkSource>);

impl ChunkSource for Final {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        self.0.next_chunk().map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => io::Error::other(error),
            _ => error,
        })
    }
}
