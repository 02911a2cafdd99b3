//! Finding blobs at the destination instead of moving them (BR-01 to BR-03), and remembering them for next time.

use std::collections::HashSet;
use std::sync::Arc;

use longshore_blob::{Change, LayerWish};
use longshore_types::{BlobInfo, Compression, Descriptor, Digest, media_type};

use crate::blob::{BlobJob, Outcome, Shared, Stored};
use crate::blob_info_cache::{BlobInfoCache, Fact, MAX_LOCATIONS, Variant};
use crate::destination::Reused;
use crate::docker;
use crate::error::CopyError;
use crate::event::{BlobKind, SkipReason};
use crate::transport::Identity;

/// How many other blobs with the same content the destination is asked for.
const MAX_SUBSTITUTES: usize = 5;

impl Shared<'_> {
    /// What the destination has in place of the blob, if anything.
    pub(crate) async fn find(&self, job: &BlobJob<'_>) -> Result<Option<Outcome>, CopyError> {
        let own = Variant {
            digest: job.descriptor.digest.clone(),
            compression: claimed(&job.descriptor.media_type),
        };
        if self.suits(job, own.compression) {
            let asked = self.step(self.destination.reuse(&job.info, false)).await?;
            if let Some(reused) = asked.map_err(|error| self.on_destination(job, "looking for", error))? {
                if holds(&reused, job.descriptor) {
                    return Ok(Some(self.skipped(job, reason(&reused))));
                }
                let digest = &own.digest;
                tracing::warn!(%digest, "the blob at the destination has another size than the manifest says and is written again");
                return Ok(None);
            }
        }
        if job.kind != BlobKind::Layer || !self.worth_a_search(job, own.compression) {
            return Ok(None);
        }
        let (repositories, substitutes) = self.recall(job, &own).await?;
        for from in &repositories {
            let asked = self.step(self.destination.mount(&job.info, from)).await?;
            let mounted = asked.map_err(|error| self.on_destination(job, "looking for", error))?;
            if mounted.is_some_and(|reused| holds(&reused, job.descriptor)) {
                return Ok(Some(self.skipped(job, SkipReason::Mounted)));
            }
        }
        for substitute in substitutes {
            if let Some(outcome) = self.substitute(job, &substitute).await? {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }

    /// Whether a blob of this compression may stand in the image (LC-06).
    fn suits(&self, job: &BlobJob<'_>, compression: Compression) -> bool {
        !self.compression.force
            || job.wish != LayerWish::Compress
            || compression == self.compression.compressor.format()
    }

    /// Whether something may be saved: an upload, or the work of changing the compression.
    fn worth_a_search(&self, job: &BlobJob<'_>, compression: Compression) -> bool {
        let plan = self.compression.plan(job.descriptor, job.wish);
        place(self.destination.identity()).is_some() || plan.change(compression) != Change::Keep
    }

    /// The repositories that may have the blob itself, and the blobs that may stand in for it, the best first.
    async fn recall(&self, job: &BlobJob<'_>, own: &Variant) -> Result<(Vec<String>, Vec<Variant>), CopyError> {
        let domain = place(self.destination.identity()).map(|(domain, _)| domain);
        let locate = domain.filter(|_| self.suits(job, own.compression));
        let substitute = job.wish != LayerWish::Preserve;
        let (cache, digest) = (Arc::clone(self.cache), own.digest.clone());
        let recalling = tokio::task::spawn_blocking(move || {
            let repositories = locate.map_or_else(Vec::new, |domain| cache.locations(&digest, &domain));
            let variants = if substitute {
                cache.variants(&digest)
            } else {
                Vec::new()
            };
            (repositories, variants)
        });
        let (mut repositories, mut variants) = self.thread(recalling).await?;
        self.keep_new(&mut repositories);
        variants.retain(|variant| self.may_substitute(job, variant.compression));
        let format = self.compression.compressor.format();
        variants.sort_by_key(|variant| variant.compression != format);
        variants.truncate(MAX_SUBSTITUTES);
        Ok((repositories, variants))
    }

    fn may_substitute(&self, job: &BlobJob<'_>, compression: Compression) -> bool {
        let wished = match job.wish {
            LayerWish::Preserve => false,
            LayerWish::Compress => compression.is_compressed(),
            LayerWish::Decompress => !compression.is_compressed(),
        };
        let nameable = match compression {
            Compression::None | Compression::Gzip => true,
            Compression::Zstd => job.zstd,
            Compression::Bzip2 | Compression::Xz => false,
        };
        wished && nameable && self.suits(job, compression)
    }

    /// Leaves out the repositories that were asked before: the destination's and the source's.
    fn keep_new(&self, repositories: &mut Vec<String>) {
        let asked: Vec<String> = [self.destination.identity(), self.source.identity()]
            .into_iter()
            .filter_map(place)
            .map(|(_, repository)| repository)
            .collect();
        repositories.retain(|repository| !asked.contains(repository));
    }

    async fn substitute(&self, job: &BlobJob<'_>, variant: &Variant) -> Result<Option<Outcome>, CopyError> {
        let info = BlobInfo::from_digest(variant.digest.clone()).with_extra(BlobInfo::ROLE, "layer");
        let asked = self.step(self.destination.reuse(&info, false)).await?;
        let mut found = asked.map_err(|error| self.on_destination(job, "looking for", error))?;
        if let (None, Some((domain, _))) = (&found, place(self.destination.identity())) {
            let (cache, digest) = (Arc::clone(self.cache), variant.digest.clone());
            let recalling = tokio::task::spawn_blocking(move || cache.locations(&digest, &domain));
            let mut repositories = self.thread(recalling).await?;
            self.keep_new(&mut repositories);
            for from in repositories.iter().take(MAX_LOCATIONS) {
                let asked = self.step(self.destination.mount(&info, from)).await?;
                found = asked.map_err(|error| self.on_destination(job, "looking for", error))?;
                if found.is_some() {
                    break;
                }
            }
        }
        let Some(reused) = found else { return Ok(None) };
        let (Some(digest), Some(size)) = (&reused.info.digest, reused.info.size) else {
            return Ok(None);
        };
        if *digest != variant.digest {
            return Ok(None);
        }
        self.skipped(job, reason(&reused));
        Ok(Some(Outcome::Substituted(Box::new(Stored {
            digest: digest.clone(),
            size,
            compression: variant.compression,
            seen_diff_id: None,
        }))))
    }

    /// Records what this copy has learnt about its layers (BR-05), all at once so that it costs little.
    pub(crate) async fn remember(&self, layers: &[Descriptor], outcomes: &[Outcome]) {
        let [source, destination] = [self.source.identity(), self.destination.identity()].map(place);
        let mut facts = HashSet::new();
        for (layer, outcome) in layers.iter().zip(outcomes) {
            let plain = media_type::layer(&layer.media_type).is_some_and(|known| !known.encrypted);
            if !plain || !layer.urls.is_empty() {
                continue;
            }
            facts.extend(contents(outcome));
            facts.extend(location(&source, &layer.digest));
            let stored = outcome.stored();
            facts.extend(location(
                &destination,
                stored.as_ref().map_or(&layer.digest, |it| &it.digest),
            ));
        }
        if facts.is_empty() {
            return;
        }
        let facts: Vec<Fact> = facts.into_iter().collect();
        let cache: Arc<dyn BlobInfoCache> = Arc::clone(self.cache);
        // A cache that cannot be written is no failure.
        let _ = tokio::task::spawn_blocking(move || cache.record(&facts)).await;
    }
}

/// What the transferred bytes proved.
fn contents(outcome: &Outcome) -> Vec<Fact> {
    let Outcome::Moved(moved) = outcome else {
        return Vec::new();
    };
    let Some(uncompressed) = &moved.diff_id else {
        return Vec::new();
    };
    [
        (&moved.source_digest, moved.source_compression),
        (&moved.digest, moved.compression),
    ]
    .map(|(digest, compression)| Fact::Content {
        digest: digest.clone(),
        compression,
        uncompressed: uncompressed.clone(),
    })
    .to_vec()
}

fn location(place: &Option<(String, String)>, digest: &Digest) -> Option<Fact> {
    let (domain, repository) = place.clone()?;
    Some(Fact::Location {
        digest: digest.clone(),
        domain,
        repository,
    })
}

/// Registry and repository of an image that is in one.
fn place(identity: &Identity) -> Option<(String, String)> {
    let reference = identity.docker_reference.as_ref()?;
    (identity.transport == docker::NAME).then(|| (reference.domain().to_owned(), reference.path().to_owned()))
}

/// The compression that a media type claims; nobody has seen the bytes yet.
pub(crate) fn claimed(media_type: &str) -> Compression {
    media_type::layer(media_type).map_or(Compression::None, |layer| layer.compression)
}

fn reason(reused: &Reused) -> SkipReason {
    if reused.mounted {
        SkipReason::Mounted
    } else {
        SkipReason::AlreadyExists
    }
}

/// Whether what the destination has is the blob that the manifest names.
fn holds(reused: &Reused, named: &Descriptor) -> bool {
    reused.info.digest.as_ref() == Some(&named.digest) && reused.info.size == Some(named.size)
}
