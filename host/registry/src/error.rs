use std::error::Error;
use std::fmt;
use std::time::Duration;

use longshore_types::ErrorKind;
use thiserror::Error;

use crate::fault::Fault;
use crate::refusal::Refusal;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// What failed in talking to a registry: the operation, what was wrong, and the request.
///
/// Shown as `OPERATION: PROBLEM (METHOD URL: STATUS)`. URLs are shown without user information and
/// without their query, which may hold upload state or a signature of a blob store.
pub struct RegistryError {
    operation: String,
    subject: Subject,
    fault: Fault,
}

/// What was wrong.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Problem {
    /// An answer that is no success.
    #[error("{0}")]
    Refused(Refusal),
    /// A blob in one request was refused in a way that calls for pieces, and what was sent of it
    /// is lost. Sent again, it goes in pieces.
    #[error("{0}; sent again, the blob would go in pieces")]
    PiecesOnly(Refusal),
    /// No connection, a broken one, or one that does not speak HTTP or TLS as it should.
    #[error("{0}")]
    Network(String),
    /// Nothing moved for this long.
    #[error("no data for {} s", .0.as_secs_f64())]
    Stalled(Duration),
    /// The answer is larger than allowed.
    #[error("the answer is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The answer breaks the protocol.
    #[error("{0}")]
    Malformed(String),
    /// The registry asks for something that credentials must not be used for, or that is not there.
    #[error("{0}")]
    Denied(String),
    /// What was to be uploaded could not be read.
    #[error("{0}")]
    Source(BoxError),
    /// The client cannot be set up as asked.
    #[error("{0}")]
    Setup(String),
}

/// What an operation is about; it decides what a "not found" means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Manifest,
    NewManifest,
    Blob,
    Other,
}

impl RegistryError {
    pub(crate) fn setup(operation: impl Into<String>, text: impl Into<String>) -> Self {
        Fault::without_request(Problem::Setup(text.into())).during(Subject::Other, operation)
    }

    pub(crate) fn new(operation: String, subject: Subject, fault: Fault) -> Self {
        Self {
            operation,
            subject,
            fault,
        }
    }

    /// The class that steers a copy and the exit status.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self.fault.problem() {
            Problem::Refused(refusal) | Problem::PiecesOnly(refusal) => refusal.kind(self.subject),
            Problem::TooLarge { .. } | Problem::Malformed(_) => ErrorKind::InvalidData,
            Problem::Denied(_) => ErrorKind::AccessDenied,
            Problem::Setup(_) => ErrorKind::Unsupported,
            Problem::Network(_) | Problem::Stalled(_) | Problem::Source(_) => ErrorKind::Other,
        }
    }

    /// What was wrong, apart from where.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        self.fault.problem()
    }

    /// The HTTP status of the answer, if one came.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        let status = self.fault.request()?.status?;
        Some(status.as_u16())
    }

    /// The URL of the request, without user information and query.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.fault.request().map(|line| line.url.as_str())
    }

    /// Whether the same operation may succeed later (`--retry-times`).
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.fault.problem() {
            Problem::Network(_) | Problem::Stalled(_) | Problem::PiecesOnly(_) => true,
            Problem::Refused(refusal) => refusal.is_retryable(),
            _ => false,
        }
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.fault.problem())?;
        let Some(line) = self.fault.request() else {
            return Ok(());
        };
        write!(f, " ({} {}", line.method, line.url)?;
        if let Some(status) = line.status {
            write!(f, ": {status}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegistryError({self})")
    }
}

impl Error for RegistryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.fault.problem() {
            Problem::Source(error) => error.source(),
            _ => None,
        }
    }
}
