use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use longshore_types::{Compression, Digest};

use super::{BlobInfoCache, Fact, MAX_LOCATIONS, Variant};

/// A cache that is gone with the program.
#[derive(Debug, Default)]
pub struct MemoryCache {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Compression and content of each blob, with the time of the record.
    contents: HashMap<Digest, (usize, Compression, Digest)>,
    /// By blob and domain, the oldest first.
    locations: HashMap<(Digest, String), Vec<String>>,
    /// Counts records.
    now: usize,
}

impl MemoryCache {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlobInfoCache for MemoryCache {
    fn variants(&self, digest: &Digest) -> Vec<Variant> {
        let known = self.known();
        let content = known.contents.get(digest).map_or(digest, |(_, _, content)| content);
        let mut found: Vec<_> = known
            .contents
            .iter()
            .filter(|(other, (_, _, uncompressed))| uncompressed == content && *other != digest)
            .collect();
        found.sort_by_key(|(_, (time, ..))| std::cmp::Reverse(*time));
        found
            .into_iter()
            .map(|(digest, (_, compression, _))| Variant {
                digest: digest.clone(),
                compression: *compression,
            })
            .collect()
    }

    fn locations(&self, digest: &Digest, domain: &str) -> Vec<String> {
        let known = self.known();
        let found = known.locations.get(&(digest.clone(), domain.to_owned()));
        let newest = found.into_iter().flatten().rev();
        newest.take(MAX_LOCATIONS).cloned().collect()
    }

    fn record(&self, facts: &[Fact]) {
        let mut known = self.known();
        for fact in facts {
            known.now += 1;
            let now = known.now;
            match fact.clone() {
                Fact::Content {
                    digest,
                    compression,
                    uncompressed,
                } => {
                    known.contents.insert(digest, (now, compression, uncompressed));
                }
                Fact::Location {
                    digest,
                    domain,
                    repository,
                } => {
                    let places = known.locations.entry((digest, domain)).or_default();
                    places.retain(|place| *place != repository);
                    places.push(repository);
                }
            }
        }
    }
}
