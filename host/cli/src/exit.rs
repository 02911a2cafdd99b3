//! What the process says to its caller when it ends.

use std::process::ExitCode;

use longshore_types::ErrorKind;

use crate::failure;
use crate::printer::OutputClosed;
use crate::signals::Stopped;

/// Exit statuses of every command (X-04 for the first three; the rest is the
/// shell's convention of 128 plus the signal's number).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// All was done.
    Success,
    /// Anything went wrong.
    Failure,
    /// The image does not exist where it was looked for.
    ImageNotFound,
    /// SIGINT arrived.
    Interrupted,
    /// SIGTERM arrived.
    Terminated,
}

impl ExitStatus {
    /// The number handed to the operating system.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::ImageNotFound => 2,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The status that `error` ends the process with.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        if error.is::<OutputClosed>() {
            return Self::Success;
        }
        if let Some(stopped) = error.downcast_ref::<Stopped>() {
            return match stopped {
                Stopped::Interrupt => Self::Interrupted,
                Stopped::Terminate => Self::Terminated,
                Stopped::Deadline => Self::Failure,
            };
        }
        match failure::kind(error) {
            Some(ErrorKind::ImageNotFound) => Self::ImageNotFound,
            _ => Self::Failure,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};
    use longshore_copy::{CopyError, Side, TransportError};

    use super::*;

    fn missing(kind: ErrorKind) -> CopyError {
        let source = TransportError::new(kind, "no such image");
        CopyError::Open {
            side: Side::Source,
            name: "oci:x".to_owned(),
            source,
        }
    }

    #[test]
    fn statuses() {
        for (error, expected) in [
            (anyhow!("anything"), 1),
            (missing(ErrorKind::ImageNotFound).into(), 2),
            (
                anyhow::Error::new(missing(ErrorKind::ImageNotFound))
                    .context("reading")
                    .context("more"),
                2,
            ),
            (missing(ErrorKind::BlobNotFound).into(), 1),
            (missing(ErrorKind::AccessDenied).into(), 1),
            (TransportError::new(ErrorKind::ImageNotFound, "gone").into(), 2),
            (Stopped::Interrupt.into(), 130),
            (Stopped::Terminate.into(), 143),
            (Stopped::Deadline.into(), 1),
            (anyhow!("clean-up failed").context(Stopped::Terminate), 143),
            (OutputClosed.into(), 0),
        ] {
            assert_eq!(ExitStatus::of(&error).code(), expected, "{error:#}");
        }
    }

    #[test]
    fn a_closed_connection_is_no_closed_output() {
        let error = Err::<(), _>(std::io::Error::from(std::io::ErrorKind::BrokenPipe)).context("uploading");
        assert_eq!(error.map_err(|error| ExitStatus::of(&error)), Err(ExitStatus::Failure));
    }
}
