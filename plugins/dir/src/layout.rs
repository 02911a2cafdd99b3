//! Names of the files, and the `version` file.

use longshore_guest::Error;
use longshore_types::{Algorithm, Digest};

/// The top-level manifest or index.
pub(crate) const MANIFEST: &[u8] = b"manifest.json";
/// Names the version of the layout.
pub(crate) const VERSION: &[u8] = b"version";
/// Largest manifest that is read, and most that all signatures of it have (PI-06).
pub(crate) const MAX_DOCUMENT: u32 = 4 << 20;

const VERSION_PREFIX: &str = "Directory Transport Version: ";
/// More than any version line has; a longer file is no version file.
pub(crate) const MAX_VERSION_FILE: u32 = 64;

/// A version of the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u32, u32);

impl Version {
    /// Names of sha256 blobs without suffix; all that older tools know.
    pub(crate) const V1_1: Self = Self(1, 1);
    /// Blobs of other digest algorithms are there, as `ALG-HEX` (DR-03).
    pub(crate) const V1_2: Self = Self(1, 2);

    /// Reads a `version` file strictly: prefix, `MAJOR.MINOR`, one newline.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = || Error::invalid_data("malformed version file");
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if digits {
                text.parse().map_err(|_| malformed())
            } else {
                Err(malformed())
            }
        };
        let text = std::str::from_utf8(bytes).map_err(|_| malformed())?;
        let version = text
            .strip_prefix(VERSION_PREFIX)
            .and_then(|rest| rest.strip_suffix('\n'))
            .ok_or_else(malformed)?;
        let (major, minor) = version.split_once('.').ok_or_else(malformed)?;
        let version = Self(number(major)?, number(minor)?);
        if version > Self::V1_2 {
            return Err(Error::unsupported(format_args!(
                "unsupported directory transport version {}.{}",
                version.0, version.1
            )));
        }
        Ok(version)
    }

    pub(crate) fn file_content(self) -> String {
        format!("{VERSION_PREFIX}{}.{}\n", self.0, self.1)
    }

    /// The oldest version that can name this digest.
    pub(crate) fn needed_for(digest: &Digest) -> Self {
        if digest.algorithm() == Algorithm::Sha256 {
            Self::V1_1
        } else {
            Self::V1_2
        }
    }
}

/// Parses a digest; the host hands over only good ones.
pub(crate) fn digest(text: &str) -> Result<Digest, Error> {
    Digest::parse(text).map_err(Error::invalid_data)
}

/// `HEX`, or `ALG-HEX` for other algorithms than sha256.
pub(crate) fn blob(digest: &Digest) -> Vec<u8> {
    stem(digest).into_bytes()
}

/// `manifest.json`, or that of an instance.
pub(crate) fn manifest(instance: Option<&Digest>) -> Vec<u8> {
    match instance {
        None => MANIFEST.to_vec(),
        Some(digest) => format!("{}.manifest.json", stem(digest)).into_bytes(),
    }
}

/// `signature-N` of the image or of an instance, N from 1.
pub(crate) fn signature(instance: Option<&Digest>, number: usize) -> Vec<u8> {
    match instance {
        None => format!("signature-{number}").into_bytes(),
        Some(digest) => format!("{}.signature-{number}", stem(digest)).into_bytes(),
    }
}

fn stem(digest: &Digest) -> String {
    match digest.algorithm() {
        Algorithm::Sha256 => digest.hex().to_owned(),
        algorithm => format!("{algorithm}-{}", digest.hex()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn version_files() {
        for (text, expected) in [
            ("Directory Transport Version: 1.1\n", Some(Version::V1_1)),
            ("Directory Transport Version: 1.2\n", Some(Version::V1_2)),
            ("Directory Transport Version: 1.0\n", Some(Version(1, 0))),
            ("Directory Transport Version: 1.3\n", None),
            ("Directory Transport Version: 2.0\n", None),
            ("Directory Transport Version: 1.1", None),
            ("Directory Transport Version: 1.1\n\n", None),
            ("Directory Transport Version: 1.1\r\n", None),
            ("Directory Transport Version: +1.1\n", None),
            ("Directory Transport Version: 1.99999999999\n", None),
            ("Directory Transport Version: 1\n", None),
            (" Directory Transport Version: 1.1\n", None),
            ("\n", None),
            ("", None),
        ] {
            assert_eq!(Version::parse(text.as_bytes()).ok(), expected, "{text:?}");
        }
        assert!(Version::parse(b"Directory Transport Version: \xff.1\n").is_err());
        for version in [Version::V1_1, Version::V1_2] {
            assert_eq!(Version::parse(version.file_content().as_bytes()).unwrap(), version);
        }
        assert_eq!(Version::V1_1.file_content().len(), 33);
    }

    #[test]
    fn names() {
        let sha256 = Digest::sha256(b"");
        let sha512 = Digest::of(Algorithm::Sha512, b"");
        assert_eq!(blob(&sha256), sha256.hex().as_bytes());
        assert_eq!(blob(&sha512), format!("sha512-{}", sha512.hex()).as_bytes());
        assert_eq!(manifest(None), b"manifest.json");
        assert_eq!(
            manifest(Some(&sha256)),
            format!("{}.manifest.json", sha256.hex()).as_bytes()
        );
        assert_eq!(signature(None, 1), b"signature-1");
        assert_eq!(
            signature(Some(&sha512), 12),
            format!("sha512-{}.signature-12", sha512.hex()).as_bytes()
        );
        assert_eq!(Version::needed_for(&sha256), Version::V1_1);
        assert_eq!(Version::needed_for(&sha512), Version::V1_2);
    }
}
