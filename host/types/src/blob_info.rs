//! What is known about a blob before and after it moves.

use std::collections::BTreeMap;

use crate::{Compression, Digest};

/// What one side of a copy tells the other about a blob. Anything but the media type may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobInfo {
    /// The digest of the blob as stored; `None` if it is to be computed.
    pub digest: Option<Digest>,
    /// Length in bytes; `None` if unknown.
    pub size: Option<u64>,
    /// As in the manifest; empty if unknown.
    pub media_type: String,
    /// The descriptor's annotations.
    pub annotations: BTreeMap<String, String>,
    /// Other places where the blob lies, as in the descriptor.
    pub urls: Vec<String>,
    /// The contract's open set: `role` (`layer`, `config`, `other`), `layer-index`, `diff-id` (unverified),
    /// `compression`, `empty-layer`.
    pub extras: BTreeMap<String, String>,
}

impl BlobInfo {
    /// The extras' key of the role that a blob plays in its image.
    pub const ROLE: &'static str = "role";
    /// The extras' key of a layer's position, counted from the base, which is 0.
    pub const LAYER_INDEX: &'static str = "layer-index";
    /// The extras' key of the digest of a layer's uncompressed form. A claim, not verified by who passes it on.
    pub const DIFF_ID: &'static str = "diff-id";
    /// The extras' key of a compression's name.
    pub const COMPRESSION: &'static str = "compression";

    /// A blob of which nothing but the digest is known.
    pub fn from_digest(digest: Digest) -> Self {
        Self {
            digest: Some(digest),
            ..Self::default()
        }
    }

    /// The same with one of the extras set.
    #[must_use]
    pub fn with_extra(mut self, key: &str, value: impl Into<String>) -> Self {
        self.extras.insert(key.to_owned(), value.into());
        self
    }

    /// The role in the image, if it was said.
    pub fn role(&self) -> Option<&str> {
        self.extras.get(Self::ROLE).map(String::as_str)
    }

    /// The claimed digest of the uncompressed form; `None` if absent or malformed.
    pub fn diff_id(&self) -> Option<Digest> {
        self.extras.get(Self::DIFF_ID).and_then(|text| Digest::parse(text).ok())
    }

    /// The claimed compression; `None` if absent or not known by name.
    pub fn compression(&self) -> Option<Compression> {
        self.extras
            .get(Self::COMPRESSION)
            .and_then(|name| Compression::from_name(name))
    }
}

#[cfg(test)]
mod tests {
    use super::BlobInfo;
    use crate::{Compression, Digest};

    #[test]
    fn extras_are_read_with_care() {
        let digest = Digest::sha256(b"layer");
        let info = BlobInfo::from_digest(digest.clone())
            .with_extra(BlobInfo::ROLE, "layer")
            .with_extra(BlobInfo::DIFF_ID, digest.as_str())
            .with_extra(BlobInfo::COMPRESSION, "zstd");
        assert_eq!(
            (info.role(), info.diff_id(), info.compression()),
            (Some("layer"), Some(digest), Some(Compression::Zstd))
        );

        let hostile = BlobInfo::default()
            .with_extra(BlobInfo::DIFF_ID, "sha256:../../x")
            .with_extra(BlobInfo::COMPRESSION, "rot13");
        assert_eq!(
            (hostile.role(), hostile.diff_id(), hostile.compression()),
            (None, None, None)
        );
    }
}
