use longshore_types::ErrorKind;

/// Why a service gave nothing that can be used. Secrets are in none of the texts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The address of a service is none.
    #[error("{url:?} is no address of a service: {reason}")]
    Address {
        /// What stands there, without user information.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing, or not the whole answer, came back.
    #[error("{request}: {reason}")]
    Network {
        /// Method and URL.
        request: String,
        /// What went wrong.
        reason: String,
    },
    /// The service does not want to.
    #[error("{request}: the server answered {status}{said}")]
    Refused {
        /// Method and URL.
        request: String,
        /// The status of the answer.
        status: u16,
        /// The text of the answer behind a colon, shortened; empty if there is none.
        said: String,
    },
    /// The answer is not what was asked for.
    #[error("{request}: {reason}")]
    Malformed {
        /// Method and URL.
        request: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ServiceError {
    /// What kind of failure this is, to steer by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Address { .. } | Self::Malformed { .. } => ErrorKind::InvalidData,
            Self::Refused { status: 401 | 403, .. } => ErrorKind::AccessDenied,
            Self::Network { .. } | Self::Refused { .. } => ErrorKind::Other,
        }
    }
}
