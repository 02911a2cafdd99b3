//! Compression by magic bytes (LC-01).

use longshore_types::Compression;

/// How many first bytes [`detect`] needs at most.
pub const DETECT_LENGTH: usize = 6;

const MAGIC: [(&[u8], Compression); 4] = [
    (&[0x1f, 0x8b, 0x08], Compression::Gzip),
    (b"BZh", Compression::Bzip2),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], Compression::Xz),
    (&[0x28, 0xb5, 0x2f, 0xfd], Compression::Zstd),
];

/// Tells how a blob that starts with `prefix` is compressed; anything unknown is [`Compression::None`].
///
/// [`DETECT_LENGTH`] bytes are enough; fewer are right only for a blob that has no more.
pub fn detect(prefix: &[u8]) -> Compression {
    MAGIC
        .iter()
        .find(|(magic, _)| prefix.starts_with(magic))
        .map_or(Compression::None, |(_, compression)| *compression)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magic_bytes() {
        let cases: [(&[u8], Compression); 10] = [
            (b"", Compression::None),
            (&[0x1f, 0x8b], Compression::None),
            (&[0x1f, 0x8b, 8], Compression::Gzip),
            (&[0x1f, 0x8b, 8, 0, 0, 0], Compression::Gzip),
            (&[0x1f, 0x8b, 7, 0, 0, 0], Compression::None),
            (b"BZh91A", Compression::Bzip2),
            (&[0xfd, b'7', b'z', b'X', b'Z', 0], Compression::Xz),
            (&[0xfd, b'7', b'z', b'X', b'Z'], Compression::None),
            (&[0x28, 0xb5, 0x2f, 0xfd, 0, 0], Compression::Zstd),
            // A skippable zstd frame is not recognised by skopeo either.
            (&[0x50, 0x2a, 0x4d, 0x18, 0, 0], Compression::None),
        ];
        for (prefix, expected) in cases {
            assert_eq!(detect(prefix), expected, "{prefix:x?}");
        }
    }
}
