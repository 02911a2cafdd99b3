use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use longshore_blob::BlobError;
use longshore_config::PolicyError;
use longshore_registry::RegistryError;
use longshore_types::{Digest, ErrorKind, ImageNameError, ManifestError};

/// The end of a copy at which something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where the image comes from.
    Source,
    /// Where the image goes to.
    Destination,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Destination => "destination",
        })
    }
}

/// An error of one transport operation, with the class that steers the copy.
pub struct TransportError {
    kind: ErrorKind,
    repeat: bool,
    inner: Box<dyn Error + Send + Sync>,
}

impl TransportError {
    /// An error that has only a message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            repeat: false,
            inner: message.into().into(),
        }
    }

    /// Another crate's error; it stays reachable through [`TransportError::downcast_ref`].
    pub fn wrap(kind: ErrorKind, error: impl Error + Send + Sync + 'static) -> Self {
        Self {
            kind,
            repeat: false,
            inner: Box::new(error),
        }
    }

    /// The answer for an ability that a transport does not have.
    pub fn unsupported(transport: &str, ability: &str) -> Self {
        Self::new(
            ErrorKind::Unsupported,
            format!("transport {transport} does not support {ability}"),
        )
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the same operation may succeed later (PI-09).
    pub fn is_retryable(&self) -> bool {
        self.downcast_ref::<RegistryError>()
            .is_some_and(RegistryError::is_retryable)
    }

    /// The same error of a destination that will take this very blob if it is sent once more.
    #[must_use]
    pub fn wanting_repeat(self) -> Self {
        Self { repeat: true, ..self }
    }

    /// Whether the same blob sent once more will be taken.
    pub fn wants_repeat(&self) -> bool {
        self.repeat
    }

    /// The wrapped error, if it is of type `E`.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.inner.downcast_ref()
    }
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportError")
            .field("kind", &self.kind)
            .field("inner", &self.inner)
            .finish()
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.inner.source()
    }
}

/// Why a copy, inspection, deletion or listing failed. The message of each variant leaves its source out: print the chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// A name on the command line does not parse (T-01).
    #[error(transparent)]
    Name(#[from] ImageNameError),

    /// A reference does not parse, or cannot be opened on this side.
    #[error("initializing {side} {name}")]
    Open {
        /// The end it belongs to.
        side: Side,
        /// `transport:reference`.
        name: String,
        /// What the transport said.
        source: TransportError,
    },

    /// One operation of an opened source or destination failed.
    #[error("{doing} ({side} {name})")]
    Transport {
        /// The end it belongs to.
        side: Side,
        /// `transport:reference`.
        name: String,
        /// The operation, such as `reading blob sha256:...`.
        doing: String,
        /// What the transport said.
        source: TransportError,
    },

    /// An image could not be deleted, or a place not listed.
    #[error("{doing} {name}")]
    Manage {
        /// The operation, such as `deleting`.
        doing: &'static str,
        /// `transport:reference`.
        name: String,
        /// What the transport said.
        source: TransportError,
    },

    /// The bytes of a blob could not be moved: cut, altered or too long at the source, or not writable.
    #[error("{doing} ({side} {name})")]
    Blob {
        /// The end that failed.
        side: Side,
        /// `transport:reference`.
        name: String,
        /// The operation, such as `reading blob sha256:...`.
        doing: String,
        /// What went wrong with the bytes.
        source: BlobError,
    },

    /// A manifest is not one that can be worked with.
    #[error("parsing manifest of {name}")]
    Manifest {
        /// `transport:reference` of the source.
        name: String,
        /// What is wrong with it.
        source: ManifestError,
    },

    /// No instance of a list fits the wanted platform (IB-04), or its list cannot be read.
    #[error("Error parsing manifest for image: choosing image instance")]
    Instance(#[source] ManifestError),

    /// Data does not agree with the descriptor or digest that named it.
    #[error("{what} of {name} does not match: {detail}")]
    Mismatch {
        /// What was compared, such as `manifest sha256:...`.
        what: String,
        /// `transport:reference` it came from.
        name: String,
        /// Expected and found.
        detail: String,
    },

    /// The signature policy does not allow this image (PE-01).
    #[error("Source image rejected: {0}")]
    Rejected(String),

    /// The signature policy cannot be used (PO-03 to PO-05).
    #[error(transparent)]
    PolicyFile(#[from] PolicyError),

    /// The signature policy could not be evaluated, which allows nothing either (PE-01).
    #[error("Source image rejected: evaluating the signature policy for {name}: {detail}")]
    Policy {
        /// `transport:reference` of the source.
        name: String,
        /// Which requirement, and why.
        detail: String,
    },

    /// The destination cannot hold the image's signatures (P-06).
    #[error("Can not copy signatures to {name}: {reason}")]
    Signatures {
        /// `transport:reference` of the destination.
        name: String,
        /// The destination's reason.
        reason: String,
    },

    /// No signature could be made (SN-02, SN-04).
    #[error("Can not sign: {reason}")]
    Sign {
        /// Why not.
        reason: String,
    },

    /// The destination reference names another digest than the source has (P-05).
    #[error("Digest of source image's manifest would not match destination reference")]
    DestinationDigest,

    /// The manifest would have to change and must not (M-04).
    #[error(
        "Manifest must be converted to type {media_type:?} to be written to {name}, but we cannot modify it: {reason:?}"
    )]
    Unmodifiable {
        /// The type that the destination needs.
        media_type: String,
        /// `transport:reference` of the destination.
        name: String,
        /// M-01, M-02 or M-03.
        reason: &'static str,
    },

    /// A schema 1 manifest names the image otherwise than the destination and must not change (TD-09).
    #[error(
        "Copying a schema1 image with an embedded Docker reference to {name} (Docker reference {reference}) would change the manifest, which we cannot do: {reason:?}"
    )]
    EmbeddedReference {
        /// `transport:reference` of the destination.
        name: String,
        /// The name under which the destination knows the image.
        reference: String,
        /// M-01, M-02 or M-03.
        reason: &'static str,
    },

    /// The source has its layers in another form than its manifest says, which must not change (CS-08).
    #[error("Copying this image would require changing layer representation, which we cannot do: {reason:?}")]
    OtherLayers {
        /// M-01, M-02 or M-03.
        reason: &'static str,
    },

    /// The list would have to change and must not (M-05).
    #[error(
        "Manifest list must be converted to type {media_type:?} to be written to {name}, but we cannot modify it: {reason:?}"
    )]
    UnmodifiableList {
        /// The type that the destination needs.
        media_type: String,
        /// `transport:reference` of the destination.
        name: String,
        /// M-01, M-02 or M-03.
        reason: &'static str,
    },

    /// A list has no image for a platform that was asked for (CP-04).
    #[error("no instances found for platform {0}")]
    NoInstances(String),

    /// No manifest type suits both the request and the destination.
    #[error("{name} does not accept manifests of type {media_type}")]
    ManifestType {
        /// `transport:reference` of the destination.
        name: String,
        /// The type that was asked for.
        media_type: String,
    },

    /// The image cannot be written as another manifest type.
    #[error("converting image to {media_type}")]
    Convert {
        /// The type converted to.
        media_type: String,
        /// Why it cannot be.
        source: ManifestError,
    },

    /// The destination refused each manifest type that was tried (P-12).
    #[error("Uploading manifest failed, attempted the following formats: {}", attempts(.0))]
    ManifestRejected(Vec<(String, CopyError)>),

    /// A layer's uncompressed bytes are not those that the config lists.
    #[error("layer {index} ({layer}) of {name} has DiffID {found}, but the image's config lists {expected}")]
    DiffId {
        /// `transport:reference` of the source.
        name: String,
        /// Position, base layer 0.
        index: usize,
        /// The layer's digest in the manifest.
        layer: Digest,
        /// What the config says.
        expected: Digest,
        /// What passed through.
        found: Digest,
    },

    /// A transport was asked for something that it cannot do at all.
    #[error("{0}")]
    Unsupported(String),

    /// Cancelled before the end; nothing new is visible at the destination.
    #[error("interrupted")]
    Interrupted,

    /// A temporary file could not be made, written or read.
    #[error("temporary file in {}", folder.display())]
    TemporaryFile {
        /// Where it is or was to be.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A part of the program itself failed.
    #[error("internal error: {0}")]
    Internal(String),
}

impl CopyError {
    /// Whether the same copy may succeed later (PI-09).
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Open { source, .. } | Self::Transport { source, .. } | Self::Manage { source, .. } => {
                source.is_retryable()
            }
            Self::ManifestRejected(attempts) => attempts.iter().any(|(_, error)| error.is_retryable()),
            _ => false,
        }
    }

    /// The class of the error, of the innermost cause that has one.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Name(_) => ErrorKind::InvalidReference,
            Self::Open { source, .. } | Self::Transport { source, .. } | Self::Manage { source, .. } => source.kind(),
            Self::Blob { source, .. } => source.kind(),
            Self::Manifest { source, .. } | Self::Convert { source, .. } => source.kind(),
            // The image is there, only none for this platform: scripts tell the two apart by the exit status.
            Self::Instance(source) if source.kind() == ErrorKind::ImageNotFound => ErrorKind::Other,
            Self::Instance(source) => source.kind(),
            Self::Mismatch { .. } | Self::DestinationDigest | Self::DiffId { .. } => ErrorKind::InvalidData,
            Self::PolicyFile(error) => error.kind(),
            Self::Rejected(_) | Self::Policy { .. } => ErrorKind::AccessDenied,
            Self::Signatures { .. }
            | Self::Sign { .. }
            | Self::Unmodifiable { .. }
            | Self::UnmodifiableList { .. }
            | Self::OtherLayers { .. }
            | Self::EmbeddedReference { .. }
            | Self::Unsupported(_) => ErrorKind::Unsupported,
            Self::ManifestType { .. } | Self::ManifestRejected(_) => ErrorKind::ManifestTypeRejected,
            Self::Interrupted => ErrorKind::Interrupted,
            Self::TemporaryFile { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                ErrorKind::NoSpace
            }
            Self::TemporaryFile { .. } | Self::NoInstances(_) | Self::Internal(_) => ErrorKind::Other,
        }
    }
}

fn attempts(list: &[(String, CopyError)]) -> String {
    let each = list
        .iter()
        .map(|(media_type, error)| format!("{media_type}({})", chain(error)));
    each.collect::<Vec<_>>().join(", ")
}

/// The messages of an error and all its sources, outermost first.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
