//! What several test modules share.
#![allow(clippy::unwrap_used)]

use std::io::Write;

use longshore_types::Compression;

/// Every compression that is one.
pub(crate) const COMPRESSIONS: [Compression; 4] = [
    Compression::Gzip,
    Compression::Bzip2,
    Compression::Xz,
    Compression::Zstd,
];

/// Bytes that do not compress, the same on every run.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(step).collect()
}

/// Bytes that compress to about half, the same on every run.
pub(crate) fn sample(length: usize) -> Vec<u8> {
    let mut bytes = noise(length);
    for piece in bytes.chunks_mut(100) {
        let quiet = piece.len() / 2;
        piece[..quiet].fill(quiet as u8);
    }
    bytes
}

/// `data` as one stream of its compression, made by the library that is not under test where there is one.
pub(crate) fn compressed(data: &[u8], compression: Compression) -> Vec<u8> {
    match compression {
        Compression::None => data.to_vec(),
        Compression::Gzip => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(data).unwrap();
            writer.finish().unwrap()
        }
        Compression::Bzip2 => {
            let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            writer.write_all(data).unwrap();
            writer.finish().unwrap()
        }
        Compression::Xz => {
            let options = lzma_rust2::XzOptions::with_preset(1);
            let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
            writer.write_all(data).unwrap();
            writer.finish().unwrap()
        }
        Compression::Zstd => zstd::stream::encode_all(data, 1).unwrap(),
    }
}
