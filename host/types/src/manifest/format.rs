//! The formats in which the manifest of one image can be written.

use super::Kind;
use crate::media_type;

/// What a manifest of one image is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// Docker's schema 1, which has no config and names the layers top first. It is always written with a signature.
    SchemaOne,
    /// Docker's schema 2.
    Docker,
    /// The OCI image manifest.
    Oci,
}

impl ImageFormat {
    /// The media type of a manifest in this format.
    pub const fn image_type(self) -> &'static str {
        match self {
            Self::SchemaOne => media_type::DOCKER_V1_SIGNED,
            Self::Docker => media_type::DOCKER_MANIFEST,
            Self::Oci => media_type::OCI_MANIFEST,
        }
    }

    /// The format of a list that holds such manifests (MC-03).
    pub const fn list_kind(self) -> Kind {
        match self {
            Self::SchemaOne | Self::Docker => Kind::Docker,
            Self::Oci => Kind::Oci,
        }
    }

    /// The format that a media type stands for; `None` for lists and anything else.
    pub fn of(media_type: &str) -> Option<Self> {
        match media_type {
            media_type::DOCKER_V1 | media_type::DOCKER_V1_SIGNED => Some(Self::SchemaOne),
            media_type::DOCKER_MANIFEST => Some(Self::Docker),
            media_type::OCI_MANIFEST => Some(Self::Oci),
            _ => None,
        }
    }
}

impl From<Kind> for ImageFormat {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Docker => Self::Docker,
            Kind::Oci => Self::Oci,
        }
    }
}
