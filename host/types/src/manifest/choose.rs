//! Which image of a list is meant for a platform.

use super::{Kind, ManifestError, ManifestList};
use crate::{Descriptor, Digest, PlatformWish};

/// The annotation of an entry whose layers are all zstd; its value is `true` (LC-09).
const ZSTD_ANNOTATION: &str = "io.github.containers.compression.zstd";

impl ManifestList {
    /// Notes that the layers of the image `digest` are all zstd (LC-09). Only an OCI index can say so.
    pub fn mark_as_zstd(&mut self, digest: &Digest) {
        for entry in self.manifests.iter_mut().filter(|entry| entry.digest == *digest) {
            entry.annotations.insert(ZSTD_ANNOTATION.to_owned(), "true".to_owned());
        }
    }

    /// The entry for a platform (PS-02, PS-03, PS-05).
    ///
    /// In an index, entries are ranked by the wish's order of platforms, then zstd before gzip, then by position; those
    /// without any platform come last. In Docker's list the first entry of the best platform is taken.
    ///
    /// # Errors
    /// [`ManifestError::NoMatch`] in skopeo's words (PS-04).
    pub fn choose(&self, wish: &PlatformWish) -> Result<&Descriptor, ManifestError> {
        let candidates = wish.candidates();
        let rank = |entry: &Descriptor| match &entry.platform {
            Some(platform) => candidates.iter().position(|wanted| platform.matches(wanted)),
            None if self.kind == Kind::Oci => Some(usize::MAX),
            None => None,
        };
        let later = |entry: &Descriptor| {
            self.kind == Kind::Oci
                && entry
                    .annotations
                    .get(ZSTD_ANNOTATION)
                    .is_none_or(|value| value != "true")
        };
        let ranked = self
            .manifests
            .iter()
            .filter_map(|entry| rank(entry).map(|rank| (rank, later(entry), entry)));
        // Of equals `min_by_key` gives the first.
        ranked
            .min_by_key(|(rank, later, _)| (*rank, *later))
            .map(|(_, _, entry)| entry)
            .ok_or_else(|| {
                let (architecture, variant, os) = wish.first();
                ManifestError::NoMatch {
                    list_type: self.kind.list_type(),
                    architecture: architecture.to_owned(),
                    variant: variant.to_owned(),
                    os: os.to_owned(),
                }
            })
    }
}
