//! Decoders for every compression that layers come in.

use std::fmt;
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use longshore_types::Compression;

/// How much may come out, in bytes, before the ratio counts: small bombs hurt nobody.
const BOMB_FLOOR: u64 = 1024 * 1024 * 1024;

/// How many bytes may come out per byte that went in. Against blobs made to fill a disk; a disk image's long holes
/// stay below it with gzip, whose own bound is about 1,030.
const BOMB_RATIO: u64 = 1000;

/// The largest zstd window as a power of two, in bytes. Against frames that claim gigabytes of memory; it admits what
/// `zstd --ultra -22` writes.
const ZSTD_WINDOW_LOG: u32 = 27;

/// The most memory in KiB that an xz stream may ask for. Against headers that claim gigabytes; it admits `xz -9`.
const XZ_MEMORY: u32 = 128 * 1024;

/// How much compressed data is read at a time, in bytes.
const INPUT_BUFFER: usize = 64 * 1024;

/// The compressed stream gives more than any honest one would; reading it stopped.
///
/// It comes as the inner error of an [`io::Error`] of kind [`InvalidData`](io::ErrorKind::InvalidData).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecompressionBomb {
    /// How many compressed bytes had been read.
    pub consumed: u64,
    /// How many bytes had come out.
    pub produced: u64,
}

impl fmt::Display for DecompressionBomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} compressed bytes gave more than {} bytes, which is taken for a decompression bomb",
            self.consumed, self.produced
        )
    }
}

impl std::error::Error for DecompressionBomb {}

/// A reader of the decompressed bytes of `input`; [`Compression::None`] gives `input` back.
///
/// Gzip members, bzip2, xz and zstd streams that follow one another are read as one. Anything else after the end of a
/// stream is an error, and so is a stream that ends early ([`UnexpectedEof`](io::ErrorKind::UnexpectedEof)). Output of
/// more than a thousand times the input is refused beyond 1 GiB ([`DecompressionBomb`]).
///
/// # Errors
///
/// If the decoder cannot be set up.
pub fn decompress<'a>(
    input: Box<dyn Read + Send + 'a>,
    compression: Compression,
) -> io::Result<Box<dyn Read + Send + 'a>> {
    guarded(input, compression, BOMB_FLOOR)
}

fn guarded<'a>(
    input: Box<dyn Read + Send + 'a>,
    compression: Compression,
    floor: u64,
) -> io::Result<Box<dyn Read + Send + 'a>> {
    let consumed = Arc::new(AtomicU64::new(0));
    let counted = Counted {
        input,
        consumed: Arc::clone(&consumed),
    };
    let buffered = BufReader::with_capacity(INPUT_BUFFER, counted);
    let decoder: Box<dyn Read + Send + 'a> = match compression {
        Compression::None => return Ok(buffered.into_inner().input),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(buffered)),
        Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(buffered)),
        Compression::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(buffered, true, XZ_MEMORY)),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(buffered)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
    };
    Ok(Box::new(Guarded {
        decoder,
        consumed,
        produced: 0,
        floor,
    }))
}

struct Counted<'a> {
    input: Box<dyn Read + Send + 'a>,
    consumed: Arc<AtomicU64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.consumed.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

struct Guarded<'a> {
    decoder: Box<dyn Read + Send + 'a>,
    consumed: Arc<AtomicU64>,
    produced: u64,
    floor: u64,
}

impl Read for Guarded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(buffer)?;
        self.produced += count as u64;
        let consumed = self.consumed.load(Ordering::Relaxed);
        if self.produced > self.floor && self.produced > consumed.saturating_mul(BOMB_RATIO) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                DecompressionBomb {
                    consumed,
                    produced: self.produced,
                },
            ));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
