#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixtures::{COMPRESSIONS, compressed, sample};

fn decompressed(data: &[u8], compression: Compression, floor: u64) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    guarded(Box::new(data), compression, floor)?.read_to_end(&mut out)?;
    Ok(out)
}

#[test]
fn every_compression_gives_the_content_back() {
    for length in [0, 1, 300_000] {
        let data = sample(length);
        for compression in COMPRESSIONS.into_iter().chain([Compression::None]) {
            let stream = compressed(&data, compression);
            assert!(
                decompressed(&stream, compression, BOMB_FLOOR).unwrap() == data,
                "{compression} {length}"
            );
        }
    }
}

#[test]
fn streams_that_follow_one_another_are_one() {
    let data = sample(70_000);
    for compression in COMPRESSIONS {
        let twice = [compressed(&data, compression), compressed(&data[..10], compression)].concat();
        let expected = [&data[..], &data[..10]].concat();
        assert!(
            decompressed(&twice, compression, BOMB_FLOOR).unwrap() == expected,
            "{compression}"
        );
    }
}

#[test]
fn truncated_streams_are_errors() {
    let data = sample(70_000);
    for compression in COMPRESSIONS {
        let stream = compressed(&data, compression);
        for length in [1, 5, 11, 40, stream.len() / 2, stream.len() - 9, stream.len() - 1] {
            let result = decompressed(&stream[..length], compression, BOMB_FLOOR);
            assert!(result.is_err(), "{compression} cut to {length} of {}", stream.len());
        }
    }
}

#[test]
fn garbage_behind_a_stream_is_an_error() {
    let data = sample(70_000);
    for compression in COMPRESSIONS {
        for garbage in [&b"garbage after the end"[..], b"x", &[0, 0, 0, 0, 1]] {
            let stream = [&compressed(&data, compression)[..], garbage].concat();
            assert!(
                decompressed(&stream, compression, BOMB_FLOOR).is_err(),
                "{compression} {garbage:x?}"
            );
        }
    }
}

#[test]
fn altered_streams_never_pass_for_the_content() {
    let data = sample(70_000);
    for compression in COMPRESSIONS {
        let stream = compressed(&data, compression);
        for position in (0..stream.len()).step_by(stream.len() / 50) {
            let mut altered = stream.clone();
            altered[position] ^= 0x10;
            // Some header bits mean nothing, and zstd's checksum is optional: what must not happen is a panic, and
            // for the others wrong content.
            if let Ok(out) = decompressed(&altered, compression, BOMB_FLOOR)
                && compression != Compression::Zstd
            {
                assert!(out == data, "{compression} altered at {position}");
            }
        }
    }
}

#[test]
fn bombs_are_refused_beyond_the_floor_only() {
    let zeros = vec![0; 4 << 20];
    for compression in [Compression::Bzip2, Compression::Xz, Compression::Zstd] {
        let stream = compressed(&zeros, compression);
        assert!(
            stream.len() < zeros.len() / 1000,
            "{compression} does not make a bomb of it"
        );
        assert_eq!(decompressed(&stream, compression, 4 << 20).unwrap().len(), 4 << 20);
        let error = decompressed(&stream, compression, 1 << 20).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let bomb = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<DecompressionBomb>())
            .unwrap();
        assert!(
            bomb.produced > 1 << 20 && bomb.consumed <= stream.len() as u64,
            "{bomb}"
        );
    }
}

#[test]
fn gigabytes_from_kilobytes_are_refused_by_the_public_reader() {
    let stream = {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        let zeros = vec![0; 1 << 20];
        for _ in 0..1025 {
            io::Write::write_all(&mut encoder, &zeros).unwrap();
        }
        encoder.finish().unwrap()
    };
    let mut reader = decompress(Box::new(&stream[..]), Compression::Zstd).unwrap();
    let error = io::copy(&mut reader, &mut io::sink()).unwrap_err();
    assert!(error.to_string().contains("decompression bomb"), "{error}");
}

#[test]
fn windows_that_claim_too_much_memory_are_refused() {
    let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    zstd.window_log(28).unwrap();
    io::Write::write_all(&mut zstd, b"small").unwrap();
    let zstd = zstd.finish().unwrap();
    assert!(decompressed(&zstd, Compression::Zstd, BOMB_FLOOR).is_err());

    let mut options = lzma_rust2::XzOptions::with_preset(1);
    options.lzma_options.dict_size = 256 << 20;
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    io::Write::write_all(&mut xz, b"small").unwrap();
    let xz = xz.finish().unwrap();
    assert!(decompressed(&xz, Compression::Xz, BOMB_FLOOR).is_err());
}
