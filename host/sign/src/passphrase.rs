use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::undumpable::Undumpable;

/// Longest passphrase, in bytes: what a terminal takes in one line. It also bounds how much of a file is read.
const MAX_LENGTH: usize = 4096;

/// What a key is locked with. It is never shown, is wiped when dropped, and keeps the process from being dumped.
pub struct Passphrase {
    bytes: Zeroizing<Vec<u8>>,
    _undumpable: Undumpable,
}

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PassphraseError {
    /// It cannot be read.
    #[error("reading a passphrase from {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its line does not end.
    #[error("the passphrase in {} has more than {MAX_LENGTH} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
}

impl Passphrase {
    /// The first line of a file, without its end (CP-16).
    ///
    /// # Errors
    ///
    /// The file cannot be read, or the line is too long for a passphrase.
    pub fn of_file(path: &Path) -> Result<Self, PassphraseError> {
        let failed = |source| PassphraseError::Read {
            path: path.to_owned(),
            source,
        };
        let undumpable = Undumpable::hold();
        let mut file = File::open(path).map_err(failed)?;
        let read = Self::first_line(undumpable, |buffer| file.read(buffer)).map_err(failed)?;
        read.ok_or_else(|| PassphraseError::TooLong { path: path.to_owned() })
    }

    /// The first line that `read` gives, which is called until there is one or nothing more comes; none if it is too
    /// long. What `read` is given is wiped afterwards; it must keep no copy.
    ///
    /// # Errors
    ///
    /// That of `read`.
    pub fn of_reader(read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<Option<Self>> {
        Self::first_line(Undumpable::hold(), read)
    }

    fn first_line(
        undumpable: Undumpable,
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Option<Self>> {
        // As long as it will ever be: growing would leave a copy behind.
        let mut bytes = Zeroizing::new(vec![0; MAX_LENGTH + 1]);
        let mut filled = 0;
        let end = loop {
            if let Some(end) = bytes[..filled].iter().position(|byte| *byte == b'\n') {
                break end;
            }
            let free = &mut bytes[filled..];
            if free.is_empty() {
                return Ok(None);
            }
            match read(free) {
                Ok(0) => break filled,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        if end > MAX_LENGTH {
            return Ok(None);
        }
        Ok(Some(Self {
            bytes: Zeroizing::new(bytes[..end].to_vec()),
            _undumpable: undumpable,
        }))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_first_line_counts() {
        let long = "x".repeat(MAX_LENGTH);
        for (text, expected) in [
            ("secret\n", Some("secret")),
            ("secret", Some("secret")),
            ("", Some("")),
            ("\nsecond\n", Some("")),
            ("se cret \r\nsecond\n", Some("se cret \r")),
            (&long, Some(long.as_str())),
            (&format!("{long}\n"), Some(&long)),
            (&format!("{long}x"), None),
            (&format!("{long}x\n"), None),
        ] {
            for step in [1, 3, usize::MAX] {
                let mut rest = text.as_bytes();
                let read = Passphrase::of_reader(|buffer| {
                    let room = buffer.len().min(step);
                    rest.read(&mut buffer[..room])
                });
                let read = read.unwrap().map(|read| read.expose().to_vec());
                assert_eq!(read.as_deref(), expected.map(str::as_bytes), "{} {step}", text.len());
            }
        }
    }

    #[test]
    fn it_is_not_shown() {
        let mut secret = &b"secret"[..];
        let passphrase = Passphrase::of_reader(|buffer| secret.read(buffer)).unwrap();
        assert_eq!(format!("{passphrase:?}"), "Some(Passphrase(..))");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let error = Passphrase::of_file(Path::new("/nowhere/file")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/file"), "{error}");
    }
}
