use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use longshore_blob::{ChunkSource, DETECT_LENGTH, detect};
use longshore_types::Compression;

/// A source whose first bytes have been looked at.
pub(super) struct Peeked {
    first: VecDeque<Bytes>,
    /// None once it has ended: a source is not asked again after that.
    rest: Option<Box<dyn ChunkSource>>,
    compression: Compression,
}

impl Peeked {
    /// Reads as much as it takes to tell the compression.
    pub(super) fn read(mut rest: Box<dyn ChunkSource>) -> io::Result<Self> {
        let mut first = VecDeque::new();
        let mut prefix = Vec::new();
        while prefix.len() < DETECT_LENGTH {
            let Some(chunk) = rest.next_chunk()? else {
                return Ok(Self {
                    first,
                    rest: None,
                    compression: detect(&prefix),
                });
            };
            prefix.extend(chunk.iter().take(DETECT_LENGTH - prefix.len()));
            first.push_back(chunk);
        }
        Ok(Self {
            first,
            rest: Some(rest),
            compression: detect(&prefix),
        })
    }

    /// What the first bytes say.
    pub(super) fn compression(&self) -> Compression {
        self.compression
    }
}

impl ChunkSource for Peeked {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        match (self.first.pop_front(), &mut self.rest) {
            (None, Some(rest)) => rest.next_chunk(),
            (first, _) => Ok(first),
        }
    }
}
