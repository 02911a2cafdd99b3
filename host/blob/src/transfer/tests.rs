#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use longshore_types::ErrorKind;

use super::*;
use crate::compressor::Compressor;
use crate::fixtures::{COMPRESSIONS, compressed, sample};
use crate::memory::SliceSource;
use crate::plan::LayerWish;
use crate::zstandard::ZstdLevel;

/// Keeps what it gets and may fail at a byte count or at the end.
#[derive(Default)]
struct TestSink {
    bytes: Vec<u8>,
    fails_beyond: Option<usize>,
    fails_to_finish: bool,
    finished: bool,
}

impl ChunkSink for TestSink {
    fn write_chunk(&mut self, chunk: Bytes) -> io::Result<()> {
        self.bytes.extend_from_slice(&chunk);
        match self.fails_beyond {
            Some(limit) if self.bytes.len() > limit => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.finished = !self.fails_to_finish;
        if self.fails_to_finish {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }
}

/// Gives pieces of a length, then ends or fails.
struct Pieces {
    rest: Bytes,
    length: usize,
    error: Option<io::ErrorKind>,
}

impl ChunkSource for Pieces {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        match (self.rest.is_empty(), self.error) {
            (true, Some(error)) => Err(io::Error::new(error, "https://registry.example/v2/x/blobs/y: reset")),
            (true, None) => Ok(None),
            (false, _) => Ok(Some(self.rest.split_to(self.length.min(self.rest.len())))),
        }
    }
}

fn pieces(data: &[u8], length: usize) -> Box<Pieces> {
    Box::new(Pieces {
        rest: Bytes::copy_from_slice(data),
        length,
        error: None,
    })
}

fn plan_for(data: &[u8], wish: LayerWish) -> TransferPlan {
    TransferPlan::verify(Digest::sha256(data), Some(data.len() as u64)).with_wish(wish)
}

fn run(data: &[u8], plan: &TransferPlan) -> (Result<Transferred, BlobError>, TestSink) {
    let mut sink = TestSink::default();
    let result = transfer(Box::new(SliceSource::new(data.to_vec())), &mut sink, plan, &());
    (result, sink)
}

fn decompressed(stream: &[u8], compression: Compression) -> Vec<u8> {
    let mut out = Vec::new();
    io::Read::read_to_end(&mut decompress(Box::new(stream), compression).unwrap(), &mut out).unwrap();
    out
}

#[test]
fn unchanged_blobs_of_every_size_and_piece() {
    for length in [0, 1, 5, 1 << 20, (1 << 20) + 1, 1_300_000] {
        let data = sample(length);
        for piece in [1 + length / 1000, 16_384, 300_000] {
            for known in [true, false] {
                let plan = if known {
                    plan_for(&data, LayerWish::Preserve)
                } else {
                    TransferPlan::default()
                };
                let mut sink = TestSink::default();
                let done = transfer(pieces(&data, piece), &mut sink, &plan, &()).unwrap();
                assert!(sink.finished && sink.bytes == data, "{length} {piece}");
                let digest = Digest::sha256(&data);
                let expected = Transferred {
                    source_digest: digest.clone(),
                    source_size: length as u64,
                    source_compression: Compression::None,
                    digest: digest.clone(),
                    size: length as u64,
                    compression: Compression::None,
                    diff_id: Some(digest),
                };
                assert_eq!(done, expected);
            }
        }
    }
}

#[test]
fn wishes_and_compressions() {
    use LayerWish::{Compress, Decompress, Preserve};
    let data = sample(1_200_000);
    for found in COMPRESSIONS.into_iter().chain([Compression::None]) {
        let stream = compressed(&data, found);
        for wish in [Preserve, Compress, Decompress] {
            let (result, sink) = run(&stream, &plan_for(&stream, wish));
            let done = result.unwrap();
            let result = match (wish, found) {
                (Compress, Compression::None) => Compression::Gzip,
                (Decompress, _) => Compression::None,
                (Preserve | Compress, same) => same,
            };
            assert!(sink.finished);
            assert_eq!(
                (done.source_compression, done.compression),
                (found, result),
                "{wish:?} {found}"
            );
            assert_eq!(
                (&done.source_digest, done.source_size),
                (&Digest::sha256(&stream), stream.len() as u64)
            );
            assert_eq!(
                (&done.digest, done.size),
                (&Digest::sha256(&sink.bytes), sink.bytes.len() as u64)
            );
            let seen_plain = found == Compression::None || wish == Decompress;
            assert_eq!(
                done.diff_id,
                seen_plain.then(|| Digest::sha256(&data)),
                "{wish:?} {found}"
            );
            assert!(decompressed(&sink.bytes, result) == data);
        }
    }
}

fn recompressing(stream: &[u8], compressor: Compressor) -> TransferPlan {
    TransferPlan {
        compressor,
        recompress: true,
        ..plan_for(stream, LayerWish::Compress)
    }
}

#[test]
fn recompression_keeps_the_content_and_knows_its_digest() {
    let data = sample(1_200_000);
    for compressor in [Compressor::default(), Compressor::Zstd(ZstdLevel::default())] {
        for found in COMPRESSIONS.into_iter().chain([Compression::None]) {
            let stream = compressed(&data, found);
            let (result, sink) = run(&stream, &recompressing(&stream, compressor));
            let done = result.unwrap();
            let format = compressor.format();
            assert!(sink.finished);
            assert_eq!((done.source_compression, done.compression), (found, format));
            assert_eq!(
                (&done.source_digest, done.source_size),
                (&Digest::sha256(&stream), stream.len() as u64)
            );
            assert_eq!(
                (&done.digest, done.size),
                (&Digest::sha256(&sink.bytes), sink.bytes.len() as u64)
            );
            assert_eq!(done.digest == done.source_digest, found == format);
            assert_eq!(done.diff_id, (found != format).then(|| Digest::sha256(&data)));
            assert!(decompressed(&sink.bytes, format) == data, "{found} -> {format}");
        }
    }
}

#[test]
fn recompression_refuses_what_is_altered_cut_or_no_stream() {
    let data = sample(600_000);
    for (found, compressor) in [
        (Compression::Gzip, Compressor::Zstd(ZstdLevel::default())),
        (Compression::Zstd, Compressor::default()),
    ] {
        let stream = compressed(&data, found);
        let plan = recompressing(&stream, compressor);
        let mut altered = stream.clone();
        altered[stream.len() / 2] ^= 1;
        let trailing = [&stream[..], b"garbage"].concat();
        type Expected = fn(&BlobError) -> bool;
        let rows: [(&[u8], TransferPlan, Expected); 3] = [
            (&altered, plan.clone(), |error| {
                matches!(error, BlobError::DigestMismatch { .. })
            }),
            (&stream[..stream.len() - 3], plan, |error| {
                matches!(error, BlobError::TooShort { .. })
            }),
            (&trailing, recompressing(&trailing, compressor), |error| {
                matches!(error, BlobError::Decompress { .. })
            }),
        ];
        for (bytes, plan, expected) in rows {
            let (result, sink) = run(bytes, &plan);
            let error = result.unwrap_err();
            assert!(expected(&error), "{found}: {error:?}");
            assert!(!sink.finished);
        }
    }
}

#[test]
fn other_algorithms() {
    let data = sample(1_200_000);
    for algorithm in [Algorithm::Sha384, Algorithm::Sha512] {
        let digest = Digest::of(algorithm, &data);
        let plan = TransferPlan::verify(digest.clone(), None);
        let (done, _) = run(&data, &plan);
        assert_eq!(done.unwrap().digest, digest);
        let (done, sink) = run(&data, &plan.with_wish(LayerWish::Compress));
        let done = done.unwrap();
        assert_eq!(done.source_digest, digest);
        assert_eq!(done.digest, Digest::sha256(&sink.bytes));
    }
}

#[test]
fn lies_about_size_and_altered_bytes_are_told_apart() {
    let (small, big) = (100, 1_300_000);
    for (found, wish, length) in [
        (Compression::None, LayerWish::Preserve, small),
        (Compression::None, LayerWish::Preserve, big),
        (Compression::None, LayerWish::Compress, small),
        (Compression::None, LayerWish::Compress, big),
        (Compression::Gzip, LayerWish::Preserve, small),
        (Compression::Gzip, LayerWish::Decompress, small),
        (Compression::Gzip, LayerWish::Decompress, big),
        (Compression::Zstd, LayerWish::Decompress, small),
        (Compression::Zstd, LayerWish::Decompress, big),
        (Compression::Bzip2, LayerWish::Decompress, small),
        (Compression::Xz, LayerWish::Decompress, small),
    ] {
        let data = sample(length);
        let stream = compressed(&data, found);
        let plan = plan_for(&stream, wish);
        let digest = Digest::sha256(&stream);

        let (result, sink) = run(&stream[..stream.len() - 3], &plan);
        let (size, short) = (stream.len(), stream.len() - 3);
        let text = format!("Size mismatch when copying {digest}, expected {size}, got {short}");
        assert_eq!(result.unwrap_err().to_string(), text, "{found} {wish:?}");
        assert!(!sink.finished);

        let (result, sink) = run(&[&stream[..], b"more"].concat(), &plan);
        let error = result.unwrap_err();
        assert!(
            matches!(error, BlobError::TooLong { .. }),
            "{found} {wish:?}: {error:?}"
        );
        assert!(!sink.finished);

        let mut altered = stream.clone();
        altered[stream.len() / 2] ^= 1;
        let (result, sink) = run(&altered, &plan);
        let text = format!(
            "Digest did not match, expected {digest}, got {}",
            Digest::sha256(&altered)
        );
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), text, "{found} {wish:?}");
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(!sink.finished);
    }
}

#[test]
fn too_long_sources_are_not_read_to_their_end() {
    struct Endless(u64);
    impl ChunkSource for Endless {
        fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
            self.0 += 1;
            assert!(self.0 < 1000, "read on after the announced size");
            Ok(Some(Bytes::from_static(&[7; 1000])))
        }
    }
    let plan = TransferPlan {
        expected_size: Some(5000),
        ..TransferPlan::default()
    };
    let error = transfer(Box::new(Endless(0)), &mut TestSink::default(), &plan, &()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Size mismatch when copying blob, expected 5000, got at least 6000"
    );
}

#[test]
fn valid_names_of_invalid_streams() {
    let data = sample(300_000);
    for found in COMPRESSIONS {
        let whole = compressed(&data, found);
        let cut = whole[..whole.len() / 2].to_vec();
        let trailing = [&whole[..], b"garbage"].concat();
        for stream in [cut, trailing] {
            for size in [None, Some(stream.len() as u64)] {
                let plan = TransferPlan::verify(Digest::sha256(&stream), size).with_wish(LayerWish::Decompress);
                let (result, sink) = run(&stream, &plan);
                let error = result.unwrap_err();
                assert!(
                    matches!(error, BlobError::Decompress { compression, .. } if compression == found),
                    "{error:?}"
                );
                assert!(!sink.finished);
            }
        }
    }
}

#[test]
fn source_errors_come_through_decoders_unchanged() {
    let data = sample(600_000);
    for (found, wish) in [
        (Compression::None, LayerWish::Preserve),
        (Compression::None, LayerWish::Compress),
        (Compression::Gzip, LayerWish::Decompress),
        (Compression::Zstd, LayerWish::Decompress),
        (Compression::Bzip2, LayerWish::Decompress),
        (Compression::Xz, LayerWish::Decompress),
    ] {
        let stream = compressed(&data, found);
        let mut source = pieces(&stream[..stream.len() / 2], 10_000);
        source.error = Some(io::ErrorKind::ConnectionReset);
        let mut sink = TestSink::default();
        let error = transfer(source, &mut sink, &plan_for(&stream, wish), &()).unwrap_err();
        let BlobError::Read(inner) = error else {
            panic!("{found} {wish:?}: {error:?}")
        };
        assert_eq!(inner.kind(), io::ErrorKind::ConnectionReset);
        assert!(inner.to_string().starts_with("https://registry.example"));
        assert!(!sink.finished);
    }
}

#[test]
fn sink_errors_stop_the_transfer() {
    let data = sample(1_400_000);
    for (found, wish) in [
        (Compression::None, LayerWish::Preserve),
        (Compression::None, LayerWish::Compress),
        (Compression::Gzip, LayerWish::Decompress),
    ] {
        let stream = compressed(&data, found);
        for limit in [0, 400_000] {
            let mut sink = TestSink {
                fails_beyond: Some(limit),
                ..TestSink::default()
            };
            let source = pieces(&stream, 20_000);
            let error = transfer(source, &mut sink, &plan_for(&stream, wish), &()).unwrap_err();
            assert!(matches!(error, BlobError::Write(_)), "{wish:?}: {error:?}");
            assert_eq!(error.kind(), ErrorKind::NoSpace);
            assert!(!sink.finished);
        }
        let mut sink = TestSink {
            fails_to_finish: true,
            ..TestSink::default()
        };
        let error = transfer(pieces(&stream, 20_000), &mut sink, &plan_for(&stream, wish), &()).unwrap_err();
        assert!(matches!(error, BlobError::Finish(_)));
        assert_eq!(error.kind(), ErrorKind::NoSpace);
    }
}

/// Cancels once so many bytes have come.
struct CancelAfter {
    limit: u64,
    seen: AtomicU64,
}

impl Observer for CancelAfter {
    fn moved(&self, bytes: u64) {
        self.seen.fetch_add(bytes, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.seen.load(Ordering::Relaxed) >= self.limit
    }
}

#[test]
fn cancelled_transfers_end_soon_and_unfinished() {
    let data = sample(1_400_000);
    for (found, wish) in [
        (Compression::None, LayerWish::Preserve),
        (Compression::None, LayerWish::Compress),
        (Compression::Gzip, LayerWish::Decompress),
    ] {
        let stream = compressed(&data, found);
        for limit in [0, 300_000] {
            let observer = CancelAfter {
                limit,
                seen: AtomicU64::new(0),
            };
            let mut sink = TestSink::default();
            let error = transfer(pieces(&stream, 20_000), &mut sink, &plan_for(&stream, wish), &observer).unwrap_err();
            assert!(matches!(error, BlobError::Cancelled), "{error:?}");
            assert_eq!(error.kind(), ErrorKind::Interrupted);
            assert!(observer.seen.into_inner() < limit + 400_000);
            assert!(!sink.finished);
        }
    }
}

#[test]
fn observers_see_the_source_bytes() {
    let stream = compressed(&sample(500_000), Compression::Gzip);
    let observer = CancelAfter {
        limit: u64::MAX,
        seen: AtomicU64::new(0),
    };
    let plan = plan_for(&stream, LayerWish::Decompress);
    transfer(pieces(&stream, 7), &mut TestSink::default(), &plan, &observer).unwrap();
    assert_eq!(observer.seen.into_inner(), stream.len() as u64);
}
