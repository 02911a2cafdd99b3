//! Compression formats by name; finding and undoing them in data is another crate's part.

use std::fmt;

/// How a blob is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952, any number of members.
    Gzip,
    /// RFC 8878, any number of frames.
    Zstd,
    /// bzip2; read only, no layer media type stands for it.
    Bzip2,
    /// xz; read only, no layer media type stands for it.
    Xz,
}

impl Compression {
    /// The name used in options, in logs and in a blob's extras: `none`, `gzip`, `zstd`, `bzip2`, `xz`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
        }
    }

    /// The format of that name; `None` for a name that is not one of [`Compression::as_str`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::None, Self::Gzip, Self::Zstd, Self::Bzip2, Self::Xz]
            .into_iter()
            .find(|format| format.as_str() == name)
    }

    /// Whether bytes have to be decompressed to get at the content.
    pub fn is_compressed(self) -> bool {
        self != Self::None
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Compression;

    #[test]
    fn names_round_trip_and_others_are_refused() {
        for name in ["none", "gzip", "zstd", "bzip2", "xz"] {
            assert_eq!(Compression::from_name(name).map(Compression::as_str), Some(name));
        }
        for name in ["", "GZIP", "gz", "zstd:chunked", "lzma"] {
            assert_eq!(Compression::from_name(name), None, "{name:?}");
        }
    }
}
