//! Media types of manifests, configs and layers, and how Docker's and OCI's correspond.

use crate::Compression;

mod layer;

pub use layer::{LayerType, layer};

/// Docker schema 1 manifest, unsigned.
pub const DOCKER_V1: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// Docker schema 1 manifest with JWS signatures.
pub const DOCKER_V1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// Docker schema 2 manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker image config.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker layer, uncompressed.
pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// Docker layer, gzip.
pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// Docker layer, zstd; read but never written (MC-08).
pub const DOCKER_LAYER_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";
/// Docker layer that lies elsewhere, uncompressed.
pub const DOCKER_FOREIGN_LAYER: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar";
/// Docker layer that lies elsewhere, gzip.
pub const DOCKER_FOREIGN_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
/// OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI image config.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// OCI layer, uncompressed.
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// OCI layer, gzip.
pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// OCI layer, zstd.
pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// OCI layer that must not be distributed, uncompressed.
pub const OCI_NONDISTRIBUTABLE_LAYER: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";
/// OCI layer that must not be distributed, gzip.
pub const OCI_NONDISTRIBUTABLE_LAYER_GZIP: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
/// OCI layer that must not be distributed, zstd.
pub const OCI_NONDISTRIBUTABLE_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd";
/// The OCI type of the content `{}`.
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// What an encrypted OCI layer's type ends with (ocicrypt).
pub const ENCRYPTED_SUFFIX: &str = "+encrypted";

/// The types of manifest that a source may answer with, in the order in which skopeo asks a registry for them (TD-07).
pub const ALL_MANIFESTS: [&str; 6] = [
    OCI_MANIFEST,
    DOCKER_MANIFEST,
    DOCKER_V1_SIGNED,
    DOCKER_V1,
    DOCKER_LIST,
    OCI_INDEX,
];

/// Why a media type has no counterpart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaTypeError {
    /// Docker's formats know no zstd (MC-08).
    #[error("{0:?}: zstd compression is not officially supported for docker images")]
    ZstdInDocker(String),
    /// Docker's formats know no encryption (MC-08).
    #[error("encrypted layers ({0:?}) are not supported in docker images")]
    EncryptedInDocker(String),
    /// The type is not one of a layer or config.
    #[error("unknown media type {0:?}")]
    Unknown(String),
    /// No type of the same family stands for that compression.
    #[error("no media type stands for {compression} compression of {media_type:?}")]
    Compression {
        /// The type that was to be changed.
        media_type: String,
        /// The compression that it was to say.
        compression: Compression,
    },
}

impl MediaTypeError {
    /// The class of this failure.
    pub fn kind(&self) -> crate::ErrorKind {
        crate::ErrorKind::Unsupported
    }
}

/// Whether a type is a list of images.
pub fn is_list(media_type: &str) -> bool {
    matches!(media_type, DOCKER_LIST | OCI_INDEX)
}

/// Whether a type is the manifest of one image, schema 1 included.
pub fn is_image_manifest(media_type: &str) -> bool {
    matches!(
        media_type,
        DOCKER_MANIFEST | OCI_MANIFEST | DOCKER_V1 | DOCKER_V1_SIGNED
    )
}

/// Whether a type is a manifest of any kind.
pub fn is_manifest(media_type: &str) -> bool {
    ALL_MANIFESTS.contains(&media_type)
}

/// Whether a type is an image's config, Docker's or OCI's.
pub fn is_image_config(media_type: &str) -> bool {
    matches!(media_type, DOCKER_CONFIG | OCI_CONFIG)
}

/// A type as a header gives it, without its parameters and surrounding white space, in lower case.
pub fn without_parameters(media_type: &str) -> String {
    media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// The type of a manifest by a registry's `Content-Type`. Whatever is not a manifest's type stands for signed schema 1,
/// without a look at the content (MC-11).
pub fn of_registry_manifest(content_type: Option<&str>) -> &'static str {
    let named = without_parameters(content_type.unwrap_or_default());
    ALL_MANIFESTS
        .into_iter()
        .find(|known| *known == named)
        .unwrap_or(DOCKER_V1_SIGNED)
}

/// The same layer type with another compression.
///
/// # Errors
/// If the type is not a layer's, or no type of its family stands for that compression.
pub fn with_compression(media_type: &str, compression: Compression) -> Result<String, MediaTypeError> {
    let known = layer(media_type).ok_or_else(|| MediaTypeError::Unknown(media_type.to_owned()))?;
    let changed = LayerType { compression, ..known };
    changed
        .to_media_type()
        .ok_or_else(|| match (known.docker, compression) {
            (true, Compression::Zstd) => MediaTypeError::ZstdInDocker(media_type.to_owned()),
            _ => MediaTypeError::Compression {
                media_type: media_type.to_owned(),
                compression,
            },
        })
}

/// The OCI type that says what Docker's says, for configs and layers; an OCI type stays as it is.
///
/// # Errors
/// If the type is not one of a config or layer (MC-15).
pub fn to_oci(media_type: &str) -> Result<String, MediaTypeError> {
    if is_image_config(media_type) {
        return Ok(OCI_CONFIG.to_owned());
    }
    let known = layer(media_type).ok_or_else(|| MediaTypeError::Unknown(media_type.to_owned()))?;
    LayerType { docker: false, ..known }
        .to_media_type()
        .ok_or_else(|| MediaTypeError::Unknown(media_type.to_owned()))
}

/// The Docker type that says what OCI's says, for configs and layers; a Docker type stays as it is, but for zstd.
///
/// # Errors
/// If the type is not one of a config or layer, or says zstd or encrypted (MC-08, MC-15).
pub fn to_docker(media_type: &str) -> Result<String, MediaTypeError> {
    if is_image_config(media_type) {
        return Ok(DOCKER_CONFIG.to_owned());
    }
    let known = layer(media_type).ok_or_else(|| MediaTypeError::Unknown(media_type.to_owned()))?;
    if known.encrypted {
        return Err(MediaTypeError::EncryptedInDocker(media_type.to_owned()));
    }
    LayerType { docker: true, ..known }
        .to_media_type()
        .ok_or_else(|| MediaTypeError::ZstdInDocker(media_type.to_owned()))
}

#[cfg(test)]
mod tests;
