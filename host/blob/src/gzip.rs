//! Gzip on several cores.

use std::io;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use crate::chunk::ChunkSink;
use crate::lane::Batch;

/// How far back, in bytes, deflate looks for repetitions; each block starts with that much of the block before.
const DICTIONARY: usize = 32 * 1024;

/// How many blocks one thread is given ahead of the one that is waited for.
const AHEAD: usize = 2;

/// More threads than this give one blob no speed that anybody sees, but cost memory each.
const MAX_THREADS: usize = 16;

/// How hard gzip tries, from 1 (fast) to 9 (small).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GzipLevel(u32);

impl GzipLevel {
    /// A level between 1 and 9; `None` for anything else.
    pub fn new(level: u32) -> Option<Self> {
        (1..=9).contains(&level).then_some(Self(level))
    }

    /// The level that `--dest-compress-level` means (CP-26): 1 to 9, and -1 for the usual one. `None` for anything else.
    pub fn from_option(level: i64) -> Option<Self> {
        match level {
            -1 => Some(Self::default()),
            level => u32::try_from(level).ok().and_then(Self::new),
        }
    }

    /// The level as gzip counts it.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl Default for GzipLevel {
    fn default() -> Self {
        Self(6)
    }
}

/// Compresses what it takes with gzip and passes it to another sink.
///
/// The blob is cut into blocks of about [`CHUNK_SIZE`](crate::CHUNK_SIZE) bytes that are compressed at the same time,
/// each knowing the end of the one before; together they are one gzip member, as pigz writes it. The output depends
/// on the library's version and on how the input was cut, so its digest cannot be foretold.
#[derive(Debug)]
pub struct GzipSink<S> {
    inner: S,
    level: GzipLevel,
    threads: usize,
    workers: Vec<Worker>,
    batch: Batch,
    dictionary: Vec<u8>,
    submitted: usize,
    collected: usize,
    checksum: Crc,
}

impl<S: ChunkSink> GzipSink<S> {
    /// Compresses into `inner` with up to `threads` threads, which are started as they are needed.
    pub fn new(inner: S, level: GzipLevel, threads: NonZeroUsize) -> Self {
        Self {
            inner,
            level,
            threads: threads.get().min(MAX_THREADS),
            workers: Vec::new(),
            batch: Batch::default(),
            dictionary: Vec::new(),
            submitted: 0,
            collected: 0,
            checksum: Crc::new(),
        }
    }

    /// The sink that was compressed into.
    pub fn into_inner(self) -> S {
        self.inner
    }

    fn submit(&mut self, last: bool) -> io::Result<()> {
        if self.submitted == 0 {
            self.inner.write_chunk(header(self.level))?;
        }
        if self.submitted - self.collected == self.threads * AHEAD {
            self.collect()?;
        }
        let index = self.submitted % self.threads;
        if index == self.workers.len() {
            self.workers.push(Worker::start(self.level)?);
        }
        let block = Block {
            chunks: self.batch.chunks().to_vec(),
            dictionary: std::mem::take(&mut self.dictionary),
            last,
        };
        self.dictionary = tail(self.batch.chunks());
        self.batch.clear();
        self.workers[index].blocks.send(block).map_err(|_| worker_died())?;
        self.submitted += 1;
        Ok(())
    }

    fn collect(&mut self) -> io::Result<()> {
        let worker = &self.workers[self.collected % self.threads];
        let compressed = worker.compressed.recv().map_err(|_| worker_died())??;
        self.collected += 1;
        self.checksum.combine(&compressed.checksum);
        self.inner.write_chunk(compressed.bytes.into())
    }
}

impl<S: ChunkSink> ChunkSink for GzipSink<S> {
    fn write_chunk(&mut self, chunk: Bytes) -> io::Result<()> {
        if self.batch.add(chunk) {
            self.submit(false)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.submit(true)?;
        while self.collected < self.submitted {
            self.collect()?;
        }
        self.workers.clear();
        let mut trailer = self.checksum.sum().to_le_bytes().to_vec();
        trailer.extend(self.checksum.amount().to_le_bytes());
        self.inner.write_chunk(trailer.into())?;
        self.inner.finish()
    }
}

/// A gzip header without name and time (RFC 1952, section 2.3).
fn header(level: GzipLevel) -> Bytes {
    let extra_flags = match level.get() {
        1 => 4,
        9 => 2,
        _ => 0,
    };
    let unknown_system = 255;
    vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, extra_flags, unknown_system].into()
}

/// The last bytes of a block, as many as the next one may look back on.
fn tail(chunks: &[Bytes]) -> Vec<u8> {
    let length: usize = chunks.iter().map(Bytes::len).sum();
    let mut skip = length.saturating_sub(DICTIONARY);
    let mut tail = Vec::with_capacity(length - skip);
    for chunk in chunks {
        let skipped = skip.min(chunk.len());
        tail.extend_from_slice(&chunk[skipped..]);
        skip -= skipped;
    }
    tail
}

fn worker_died() -> io::Error {
    io::Error::other("a compressing thread ended unexpectedly")
}

/// A compressing thread. It ends when its sender is dropped.
#[derive(Debug)]
struct Worker {
    blocks: SyncSender<Block>,
    compressed: Receiver<io::Result<Compressed>>,
}

struct Block {
    chunks: Vec<Bytes>,
    dictionary: Vec<u8>,
    last: bool,
}

struct Compressed {
    bytes: Vec<u8>,
    checksum: Crc,
}

impl Worker {
    fn start(level: GzipLevel) -> io::Result<Self> {
        let (blocks, to_compress) = sync_channel::<Block>(AHEAD);
        let (done, compressed) = sync_channel(AHEAD);
        Builder::new().name("blob-gzip".to_owned()).spawn(move || {
            let mut encoder = Compress::new(Compression::new(level.get()), false);
            for block in to_compress {
                if done.send(compress(&mut encoder, &block)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { blocks, compressed })
    }
}

fn compress(encoder: &mut Compress, block: &Block) -> io::Result<Compressed> {
    encoder.reset();
    if !block.dictionary.is_empty() {
        encoder.set_dictionary(&block.dictionary).map_err(io::Error::other)?;
    }
    let length: usize = block.chunks.iter().map(Bytes::len).sum();
    let mut bytes = Vec::with_capacity(length / 2 + DEFLATE_ROOM);
    let mut checksum = Crc::new();
    for chunk in &block.chunks {
        checksum.update(chunk);
        deflate(encoder, chunk, &mut bytes, FlushCompress::None)?;
    }
    let end = if block.last {
        FlushCompress::Finish
    } else {
        FlushCompress::Sync
    };
    deflate(encoder, &[], &mut bytes, end)?;
    Ok(Compressed { bytes, checksum })
}

/// How much room in bytes the encoder is given at least; a flush needs more than six.
const DEFLATE_ROOM: usize = 4096;

fn deflate(encoder: &mut Compress, mut input: &[u8], output: &mut Vec<u8>, flush: FlushCompress) -> io::Result<()> {
    loop {
        if output.capacity() - output.len() < DEFLATE_ROOM {
            output.reserve(output.len().max(DEFLATE_ROOM));
        }
        let before = encoder.total_in();
        let status = encoder.compress_vec(input, output, flush)?;
        let taken = usize::try_from(encoder.total_in() - before).map_err(io::Error::other)?;
        input = &input[taken..];
        let room_left = output.len() < output.capacity();
        let done = match flush {
            FlushCompress::Finish => status == Status::StreamEnd,
            _ => input.is_empty() && room_left,
        };
        if done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
