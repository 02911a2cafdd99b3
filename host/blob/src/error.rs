//! Why a transfer failed.

use std::io;
use std::path::Path;

use longshore_types::{Compression, Digest, ErrorKind};

/// Why a blob was not moved. Nothing of it may be published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The source's bytes are not those that the digest names (PI-04).
    #[error("Digest did not match, expected {expected}, got {actual}")]
    DigestMismatch {
        /// The digest that named the blob.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// The source ended early.
    #[error("Size mismatch when copying {blob}, expected {expected}, got {actual}")]
    TooShort {
        /// The digest that named the blob, or the word "blob".
        blob: String,
        /// The announced size in bytes.
        expected: u64,
        /// How many bytes came.
        actual: u64,
    },
    /// The source has more bytes than it announced; reading stopped there.
    #[error("Size mismatch when copying {blob}, expected {expected}, got at least {seen}")]
    TooLong {
        /// The digest that named the blob, or the word "blob".
        blob: String,
        /// The announced size in bytes.
        expected: u64,
        /// How many bytes came until reading stopped.
        seen: u64,
    },
    /// The source could not be read.
    #[error("reading blob")]
    Read(#[source] io::Error),
    /// The sink did not take a chunk.
    #[error("writing blob")]
    Write(#[source] io::Error),
    /// The sink could not be finished.
    #[error("finishing blob")]
    Finish(#[source] io::Error),
    /// The source's bytes are those that were announced, but are no valid stream of their compression.
    #[error("decompressing {compression} blob")]
    Decompress {
        /// What the magic bytes said.
        compression: Compression,
        /// What the decoder said.
        source: io::Error,
    },
    /// The observer asked to stop.
    #[error("copying blob was cancelled")]
    Cancelled,
}

impl BlobError {
    /// What kind of failure this is, to steer by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::DigestMismatch { .. } | Self::TooShort { .. } | Self::TooLong { .. } | Self::Decompress { .. } => {
                ErrorKind::InvalidData
            }
            Self::Read(error) | Self::Write(error) | Self::Finish(error) => io_kind(error),
            Self::Cancelled => ErrorKind::Interrupted,
        }
    }
}

fn io_kind(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::BlobNotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::AccessDenied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::NoSpace,
        io::ErrorKind::Interrupted => ErrorKind::Interrupted,
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => ErrorKind::InvalidData,
        io::ErrorKind::Unsupported => ErrorKind::Unsupported,
        _ => ErrorKind::Other,
    }
}

/// Puts the path, if known, in front of an I/O error's text and keeps its kind.
pub(crate) fn name_io(path: Option<&Path>, error: io::Error) -> io::Error {
    match path {
        Some(path) => io::Error::new(error.kind(), format!("{}: {error}", path.display())),
        None => error,
    }
}
