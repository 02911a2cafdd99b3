//! Zstandard on several cores.

use std::fmt;
use std::io;
use std::num::NonZeroUsize;

use bytes::Bytes;
use zstd::stream::raw::{CParameter, Encoder, InBuffer, Operation, OutBuffer};

use crate::chunk::{CHUNK_SIZE, ChunkSink};

/// More threads than this give one blob no speed that anybody sees, but cost some MiB each.
const MAX_THREADS: usize = 4;

/// How many bytes one thread compresses at a time. The library's own choice is four windows, which is 8 MiB and more
/// for each thread and blob.
const JOB_SIZE: u32 = 1024 * 1024;

/// How hard zstd tries. skopeo's encoder knows four classes; each stands for a range of the levels 1 to 20 (CP-26).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ZstdLevel {
    /// Levels below 3.
    Fastest,
    /// Levels 3 to 5.
    #[default]
    Default,
    /// Levels 6 to 9.
    Better,
    /// Levels from 10 on.
    Best,
}

impl ZstdLevel {
    /// The class that a level belongs to. Every number is in one, as with skopeo.
    pub fn of(level: i64) -> Self {
        match level {
            ..3 => Self::Fastest,
            3..6 => Self::Default,
            6..10 => Self::Better,
            10.. => Self::Best,
        }
    }

    /// The level of the reference implementation that does about the same.
    fn reference_level(self) -> i32 {
        match self {
            Self::Fastest => 1,
            Self::Default => 3,
            Self::Better => 7,
            Self::Best => 11,
        }
    }
}

/// Compresses what it takes with zstd, as one frame with a checksum, and passes it to another sink.
///
/// Each thread holds about 3 MiB besides the window (4 MiB at most) that they share. The output depends on the
/// library's version, so its digest cannot be foretold.
pub struct ZstdSink<S> {
    inner: S,
    encoder: Encoder<'static>,
    /// Gathers what the encoder gives, often only a few bytes at a time.
    output: Vec<u8>,
}

impl<S: ChunkSink> ZstdSink<S> {
    /// Compresses into `inner` with up to `threads` threads; one does it in the caller's.
    ///
    /// # Errors
    ///
    /// If the library refuses its settings.
    pub fn new(inner: S, level: ZstdLevel, threads: NonZeroUsize) -> io::Result<Self> {
        let mut encoder = Encoder::new(level.reference_level())?;
        encoder.set_parameter(CParameter::ChecksumFlag(true))?;
        let threads = threads.get().min(MAX_THREADS);
        if let (2.., Ok(workers)) = (threads, u32::try_from(threads)) {
            encoder.set_parameter(CParameter::NbWorkers(workers))?;
            encoder.set_parameter(CParameter::JobSize(JOB_SIZE))?;
        }
        Ok(Self {
            inner,
            encoder,
            output: Vec::with_capacity(CHUNK_SIZE),
        })
    }

    /// The sink that was compressed into.
    pub fn into_inner(self) -> S {
        self.inner
    }

    /// Hands on what was gathered.
    fn pass_on(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let output = std::mem::replace(&mut self.output, Vec::with_capacity(CHUNK_SIZE));
        self.inner.write_chunk(output.into())
    }

    fn pass_on_if_full(&mut self) -> io::Result<()> {
        if self.output.len() < CHUNK_SIZE {
            return Ok(());
        }
        self.pass_on()
    }
}

impl<S> fmt::Debug for ZstdSink<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZstdSink").finish_non_exhaustive()
    }
}

impl<S: ChunkSink> ChunkSink for ZstdSink<S> {
    fn write_chunk(&mut self, chunk: Bytes) -> io::Result<()> {
        let mut input = InBuffer::around(&chunk);
        while input.pos() < chunk.len() {
            let gathered = self.output.len();
            let mut output = OutBuffer::around_pos(&mut self.output, gathered);
            self.encoder.run(&mut input, &mut output)?;
            self.pass_on_if_full()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        loop {
            let gathered = self.output.len();
            let mut output = OutBuffer::around_pos(&mut self.output, gathered);
            let left = self.encoder.finish(&mut output, true)?;
            self.pass_on_if_full()?;
            if left == 0 {
                self.pass_on()?;
                return self.inner.finish();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::fixtures::{noise, sample};
    use crate::memory::MemorySink;

    fn compress(pieces: &[&[u8]], level: ZstdLevel, threads: usize) -> Vec<u8> {
        let threads = NonZeroUsize::new(threads).unwrap();
        let mut sink = ZstdSink::new(MemorySink::new(usize::MAX), level, threads).unwrap();
        for piece in pieces {
            sink.write_chunk(Bytes::copy_from_slice(piece)).unwrap();
        }
        sink.finish().unwrap();
        sink.into_inner().into_bytes().to_vec()
    }

    #[test]
    fn levels_are_classes() {
        use ZstdLevel::{Best, Better, Default, Fastest};
        let rows = [
            (i64::MIN, Fastest),
            (0, Fastest),
            (2, Fastest),
            (3, Default),
            (5, Default),
            (6, Better),
            (9, Better),
            (10, Best),
            (20, Best),
            (i64::MAX, Best),
        ];
        for (level, class) in rows {
            assert_eq!(ZstdLevel::of(level), class, "{level}");
        }
    }

    #[test]
    fn one_frame_whatever_the_pieces() {
        use ZstdLevel::{Best, Better, Default, Fastest};
        let data = sample(5_000_000);
        for (level, threads, piece) in [
            (Fastest, 1, 10_000),
            (Default, 1, 5_000_000),
            (Default, 2, 262_144),
            (Better, 3, 16_384),
            (Best, 40, 1_000_000),
        ] {
            let pieces: Vec<&[u8]> = data.chunks(piece).collect();
            let stream = compress(&pieces, level, threads);
            let mut decoder = zstd::stream::read::Decoder::with_buffer(stream.as_slice())
                .unwrap()
                .single_frame();
            let mut out = Vec::new();
            io::Read::read_to_end(&mut decoder, &mut out).unwrap();
            assert!(out == data, "{level:?} {threads} {piece}");
            assert!(decoder.finish().is_empty(), "one frame");
            assert!(stream.len() < data.len() * 2 / 3);
        }
    }

    #[test]
    fn small_empty_and_incompressible_blobs() {
        let random = noise(300_000);
        for data in [&b""[..], b"x", &random] {
            for threads in [1, 2] {
                let stream = compress(&[data], ZstdLevel::Default, threads);
                assert!(zstd::stream::decode_all(stream.as_slice()).unwrap() == data);
                assert!(stream.len() <= data.len() + data.len() / 100 + 20);
            }
        }
    }
}
