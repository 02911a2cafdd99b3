//! What kind of failure an error is, shared by all crates and by the contract with plugins.

use std::fmt;

/// The class of a failure. It steers the copy; the message beside it is for people.
///
/// Every error type of the project answers `kind()` with one of these. The codes are those of the transport contract's
/// `error` record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorKind {
    /// The image, tag or manifest that was asked for does not exist.
    ImageNotFound,
    /// A blob that a manifest names does not exist.
    BlobNotFound,
    /// A reference or image name does not follow its grammar.
    InvalidReference,
    /// Data breaks its format, or does not have the digest or size that named it.
    InvalidData,
    /// The operation or format is known and not supported here.
    Unsupported,
    /// A destination refused the type of a manifest; another type may be accepted.
    ManifestTypeRejected,
    /// Something stands where a new thing was to be made.
    AlreadyExists,
    /// Credentials or permissions do not suffice.
    AccessDenied,
    /// A device or quota is full.
    NoSpace,
    /// The operation was cancelled.
    Interrupted,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// Every kind, in the order of the contract's list.
    pub const ALL: [Self; 11] = [
        Self::ImageNotFound,
        Self::BlobNotFound,
        Self::InvalidReference,
        Self::InvalidData,
        Self::Unsupported,
        Self::ManifestTypeRejected,
        Self::AlreadyExists,
        Self::AccessDenied,
        Self::NoSpace,
        Self::Interrupted,
        Self::Other,
    ];

    /// The code that stands for this kind in the contract, in kebab case.
    pub const fn as_code(self) -> &'static str {
        match self {
            Self::ImageNotFound => "image-not-found",
            Self::BlobNotFound => "blob-not-found",
            Self::InvalidReference => "invalid-reference",
            Self::InvalidData => "invalid-data",
            Self::Unsupported => "unsupported",
            Self::ManifestTypeRejected => "manifest-type-rejected",
            Self::AlreadyExists => "already-exists",
            Self::AccessDenied => "access-denied",
            Self::NoSpace => "no-space",
            Self::Interrupted => "interrupted",
            Self::Other => "other",
        }
    }

    /// The kind that a code stands for. The set of codes is open: an unknown one is read as [`ErrorKind::Other`].
    pub fn from_code(code: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_code() == code)
            .unwrap_or(Self::Other)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_code())
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorKind;

    #[test]
    fn codes_round_trip() {
        for kind in ErrorKind::ALL {
            assert_eq!(ErrorKind::from_code(kind.as_code()), kind);
        }
    }

    #[test]
    fn unknown_codes_are_other() {
        for code in [
            "",
            "Unsupported",
            "image_not_found",
            "image-not-found ",
            "quota-of-a-later-version",
        ] {
            assert_eq!(ErrorKind::from_code(code), ErrorKind::Other, "{code:?}");
        }
    }
}
