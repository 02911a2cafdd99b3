//! What earlier copies learnt about blobs (BR-02 to BR-05): which of them hold the same content, and where they lie.

mod memory;
mod sqlite;

use longshore_types::{Compression, Digest};

pub use memory::MemoryCache;
pub use sqlite::SqliteCache;

/// How many places of one blob are remembered and tried; registries are asked for each in turn.
pub(crate) const MAX_LOCATIONS: usize = 5;

/// Remembers blobs between copies.
///
/// Only what this program has digested itself may be recorded. A cache is a help, never a condition: one that cannot
/// be read answers with nothing, one that cannot be written forgets. All methods may block, for a short time.
pub trait BlobInfoCache: Send + Sync {
    /// The other blobs with the same uncompressed content as `digest`, which may itself be compressed or not; the
    /// newest first.
    fn variants(&self, digest: &Digest) -> Vec<Variant>;

    /// Repositories of the registry `domain` that had the blob, the newest first; at most five.
    fn locations(&self, digest: &Digest, domain: &str) -> Vec<String>;

    /// Remembers all of `facts`, or none of them.
    fn record(&self, facts: &[Fact]);
}

/// A blob that holds a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The digest of the blob as stored.
    pub digest: Digest,
    /// How it is compressed.
    pub compression: Compression,
}

/// One thing to remember.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// The bytes of `digest`, uncompressed, have the digest `uncompressed`.
    Content {
        /// The digest of the blob as stored.
        digest: Digest,
        /// How it is compressed.
        compression: Compression,
        /// The digest of the content; the blob's own if it is not compressed.
        uncompressed: Digest,
    },
    /// A repository of a registry has the blob.
    Location {
        /// The digest of the blob as stored.
        digest: Digest,
        /// The registry, as in references: host and port.
        domain: String,
        /// The repository's path in it.
        repository: String,
    },
}

#[cfg(test)]
mod tests;
