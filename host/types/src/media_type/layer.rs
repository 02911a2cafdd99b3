//! What a layer's media type says.

use super::{
    DOCKER_FOREIGN_LAYER, DOCKER_FOREIGN_LAYER_GZIP, DOCKER_LAYER, DOCKER_LAYER_GZIP, DOCKER_LAYER_ZSTD,
    ENCRYPTED_SUFFIX, OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, OCI_NONDISTRIBUTABLE_LAYER,
    OCI_NONDISTRIBUTABLE_LAYER_GZIP, OCI_NONDISTRIBUTABLE_LAYER_ZSTD,
};
use crate::Compression;

/// The parts of a layer's media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerType {
    /// Docker's family, or else OCI's.
    pub docker: bool,
    /// Docker's foreign, OCI's non-distributable: the layer may lie elsewhere and should not be uploaded.
    pub foreign: bool,
    /// What the type says; the bytes may say otherwise.
    pub compression: Compression,
    /// Encrypted after compression.
    pub encrypted: bool,
}

/// Docker?, foreign?, compression, type. Docker's zstd type stands apart: it is only read.
const LAYERS: [(bool, bool, Compression, &str); 10] = [
    (true, false, Compression::None, DOCKER_LAYER),
    (true, false, Compression::Gzip, DOCKER_LAYER_GZIP),
    (true, true, Compression::None, DOCKER_FOREIGN_LAYER),
    (true, true, Compression::Gzip, DOCKER_FOREIGN_LAYER_GZIP),
    (false, false, Compression::None, OCI_LAYER),
    (false, false, Compression::Gzip, OCI_LAYER_GZIP),
    (false, false, Compression::Zstd, OCI_LAYER_ZSTD),
    (false, true, Compression::None, OCI_NONDISTRIBUTABLE_LAYER),
    (false, true, Compression::Gzip, OCI_NONDISTRIBUTABLE_LAYER_GZIP),
    (false, true, Compression::Zstd, OCI_NONDISTRIBUTABLE_LAYER_ZSTD),
];

/// The parts of a layer's media type; `None` if it is not one.
pub fn layer(media_type: &str) -> Option<LayerType> {
    if media_type == DOCKER_LAYER_ZSTD {
        return Some(LayerType {
            docker: true,
            foreign: false,
            compression: Compression::Zstd,
            encrypted: false,
        });
    }
    let (plain, encrypted) = media_type
        .strip_suffix(ENCRYPTED_SUFFIX)
        .map_or((media_type, false), |plain| (plain, true));
    LAYERS
        .into_iter()
        .find(|(docker, _, _, name)| *name == plain && !(*docker && encrypted))
        .map(|(docker, foreign, compression, _)| LayerType {
            docker,
            foreign,
            compression,
            encrypted,
        })
}

impl LayerType {
    /// The media type to write; `None` if there is none: Docker's zstd or encrypted layers, bzip2 and xz.
    pub fn to_media_type(self) -> Option<String> {
        if self.docker && self.encrypted {
            return None;
        }
        let suffix = if self.encrypted { ENCRYPTED_SUFFIX } else { "" };
        LAYERS
            .into_iter()
            .find(|(docker, foreign, compression, _)| {
                (*docker, *foreign, *compression) == (self.docker, self.foreign, self.compression)
            })
            .map(|(_, _, _, name)| format!("{name}{suffix}"))
    }
}
