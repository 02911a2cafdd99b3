use std::fmt::Display;

use crate::bindings::transport::longshore::transport::types::Error;

/// Codes of [`Error`]; the contract says what each steers.
pub mod code {
    /// The reference names no image.
    pub const IMAGE_NOT_FOUND: &str = "image-not-found";
    /// The image names a blob that is not there.
    pub const BLOB_NOT_FOUND: &str = "blob-not-found";
    /// A path does not exist.
    pub const NOT_FOUND: &str = "not-found";
    /// The text after the transport name is malformed.
    pub const INVALID_REFERENCE: &str = "invalid-reference";
    /// Stored data breaks its format or a limit.
    pub const INVALID_DATA: &str = "invalid-data";
    /// The format or the plugin cannot do it.
    pub const UNSUPPORTED: &str = "unsupported";
    /// The host may offer another manifest type.
    pub const MANIFEST_TYPE_REJECTED: &str = "manifest-type-rejected";
    /// Something is there that must not be replaced.
    pub const ALREADY_EXISTS: &str = "already-exists";
    /// The system or the grant forbids it.
    pub const ACCESS_DENIED: &str = "access-denied";
    /// No connection could be made.
    pub const UNREACHABLE: &str = "unreachable";
    /// Anything else.
    pub const OTHER: &str = "other";
}

impl Error {
    /// An error that making the call again would not cure.
    pub fn new(code: &str, message: impl Display) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_string(),
            retryable: false,
            extras: Vec::new(),
        }
    }

    /// The reference is malformed.
    pub fn invalid_reference(message: impl Display) -> Self {
        Self::new(code::INVALID_REFERENCE, message)
    }

    /// Stored data is malformed.
    pub fn invalid_data(message: impl Display) -> Self {
        Self::new(code::INVALID_DATA, message)
    }

    /// The format or the plugin cannot do it.
    pub fn unsupported(message: impl Display) -> Self {
        Self::new(code::UNSUPPORTED, message)
    }

    /// Whether a storage call failed because the path does not exist.
    pub fn is_not_found(&self) -> bool {
        self.code == code::NOT_FOUND
    }
}

/// Turns the `not-found` of a storage call into an answer or into another code.
pub trait Context<T> {
    /// `None` if the path does not exist.
    ///
    /// # Errors
    ///
    /// Every other failure stays one.
    fn optional(self) -> Result<Option<T>, Error>;

    /// The same failure, with `code` if the path does not exist.
    ///
    /// # Errors
    ///
    /// Fails as the call did.
    fn missing_is(self, code: &str) -> Result<T, Error>;
}

impl<T> Context<T> for Result<T, Error> {
    fn optional(self) -> Result<Option<T>, Error> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn missing_is(self, code: &str) -> Result<T, Error> {
        self.map_err(|error| {
            if error.is_not_found() {
                Error {
                    code: code.to_owned(),
                    ..error
                }
            } else {
                error
            }
        })
    }
}
