#![allow(clippy::unwrap_used)]

use std::io::Read;

use super::*;
use crate::fixtures::{noise, sample};
use crate::memory::MemorySink;

fn gzip(pieces: &[&[u8]], level: u32, threads: usize) -> Vec<u8> {
    let level = GzipLevel::new(level).unwrap();
    let mut sink = GzipSink::new(MemorySink::new(usize::MAX), level, NonZeroUsize::new(threads).unwrap());
    for piece in pieces {
        sink.write_chunk(Bytes::copy_from_slice(piece)).unwrap();
    }
    sink.finish().unwrap();
    sink.into_inner().into_bytes()
}

/// Decoded as a single member, so that anything behind it fails.
fn gunzip(stream: &[u8]) -> Vec<u8> {
    let mut decoder = flate2::bufread::GzDecoder::new(stream);
    let mut out = Vec::new();
    decoder.read_to_end(&mut out).unwrap();
    assert!(decoder.into_inner().is_empty());
    out
}

#[test]
fn one_valid_member_whatever_the_pieces() {
    let data = sample(700_000);
    for (level, threads, piece) in [
        (1, 1, 10_000),
        (6, 2, 300_000),
        (6, 3, 16_384),
        (9, 40, 262_144),
        (6, 2, 700_000),
    ] {
        let pieces: Vec<&[u8]> = data.chunks(piece).collect();
        let stream = gzip(&pieces, level, threads);
        assert!(gunzip(&stream) == data, "{level} {threads} {piece}");
        assert!(stream.len() < data.len() * 2 / 3);
    }
}

#[test]
fn small_and_empty_blobs() {
    assert_eq!(gunzip(&gzip(&[], 6, 4)), b"");
    assert_eq!(gunzip(&gzip(&[b"x"], 6, 4)), b"x");
    let block = sample(crate::CHUNK_SIZE);
    assert!(gunzip(&gzip(&[&block], 6, 4)) == block);
}

#[test]
fn incompressible_data_grows_by_little() {
    let random = noise(300_000);
    let stream = gzip(&[&random], 6, 2);
    assert!(gunzip(&stream) == random);
    assert!(stream.len() < random.len() + random.len() / 100);
}

#[test]
fn blocks_know_the_end_of_the_one_before() {
    // The second block repeats the end of the first, so only a dictionary makes it small.
    let first = noise(crate::CHUNK_SIZE);
    let second = &first[first.len() - 20_000..];
    let alone = gzip(&[&first], 6, 1).len();
    let both = gzip(&[&first, second], 6, 1);
    assert!(both.len() < alone + 1000, "{} after {alone}", both.len());
    assert!(gunzip(&both) == [&first, second].concat());
}

#[test]
fn levels_are_one_to_nine() {
    for level in [0, 10, u32::MAX] {
        assert_eq!(GzipLevel::new(level), None);
    }
    assert_eq!(GzipLevel::new(9).map(GzipLevel::get), Some(9));
    assert_eq!(GzipLevel::default().get(), 6);
}

#[test]
fn a_full_sink_stops_the_compression() {
    let data = Bytes::from(sample(2 << 20));
    let mut sink = GzipSink::new(
        MemorySink::new(100_000),
        GzipLevel::default(),
        NonZeroUsize::new(2).unwrap(),
    );
    let written = data
        .chunks(100_000)
        .try_for_each(|piece| sink.write_chunk(data.slice_ref(piece)));
    assert_eq!(written.unwrap_err().kind(), io::ErrorKind::FileTooLarge);
}
