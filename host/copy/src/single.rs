use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use longshore_blob::LayerWish;
use longshore_types::{Algorithm, Descriptor, ErrorKind, Kind, RawManifest};
use tokio_util::sync::CancellationToken;

use crate::blob::{BlobJob, Outcome, Shared};
use crate::blob_info_cache::BlobInfoCache;
use crate::destination::ImageDestination;
use crate::error::{CopyError, Side, TransportError};
use crate::event::{BlobKind, Event, Reporter};
use crate::layers::{LayerPlan, copy_layers, updated};
use crate::manifest_types::{TypeChoice, render};
use crate::open::AcceptedImage;
use crate::options::{CopyReport, Options};

/// How long a failed copy waits for its destination to clean up.
const SETTLE_GRACE: Duration = Duration::from_secs(5);

/// Copies an accepted image into an opened destination (P-05 to P-15).
pub(crate) async fn copy(
    image: &AcceptedImage,
    destination: Box<dyn ImageDestination>,
    options: &Options,
    cache: &Arc<dyn BlobInfoCache>,
    reporter: &Reporter,
    cancel: &CancellationToken,
) -> Result<CopyReport, CopyError> {
    let name = destination.identity().display();
    let shared = Shared {
        source: image.source.as_ref(),
        destination: destination.as_ref(),
        source_name: &image.name,
        destination_name: &name,
        reporter,
        compression: &options.compression,
        cache,
        cancel: cancel.child_token(),
    };
    let stored = Single { image, options, shared }.store().await;
    if stored.is_err() {
        // Whatever does not end by then is beyond help.
        let _ = tokio::time::timeout(SETTLE_GRACE, destination.settle()).await;
    }
    let (manifest, report) = match stored {
        Err(_) if cancel.is_cancelled() => return Err(CopyError::Interrupted),
        stored => stored?,
    };
    // From here on the image becomes visible; to stop half-way would help nobody.
    let committed = destination.commit(&manifest).await;
    committed.map_err(|source| CopyError::Transport {
        side: Side::Destination,
        name,
        doing: "committing image".into(),
        source,
    })?;
    Ok(report)
}

struct Single<'a> {
    image: &'a AcceptedImage,
    options: &'a Options,
    shared: Shared<'a>,
}

impl Single<'_> {
    /// Everything but the last step.
    async fn store(&self) -> Result<(RawManifest, CopyReport), CopyError> {
        self.check_destination_digest()?;
        let keeps_signatures = self.check_signatures()?;
        let unmodifiable = self.unmodifiable(keeps_signatures);
        let candidates = self.candidates(unmodifiable)?;

        let layers = &self.image.manifest.layers;
        let outcomes = copy_layers(&self.shared, &self.layer_plan(unmodifiable, &candidates)).await?;
        let config = self.copy_config(layers.len()).await?;
        let changed = updated(layers, &outcomes).map_err(|error| CopyError::Convert {
            media_type: self.image.manifest.media_type().to_owned(),
            source: error.into(),
        })?;
        let written = self.write_manifest(&candidates, changed.as_deref()).await?;
        if keeps_signatures {
            self.store_signatures().await?;
        }
        self.shared.remember(layers, &outcomes).await;
        let report = self.report(&written, &outcomes, &config);
        Ok((written, report))
    }

    /// P-05: what a destination by digest will hold is known before anything is written.
    fn check_destination_digest(&self) -> Result<(), CopyError> {
        let reference = self.shared.destination.identity().docker_reference.as_ref();
        match reference.and_then(|reference| reference.digest()) {
            Some(digest) if self.image.selected.manifest.digest(digest.algorithm()) != *digest => {
                Err(CopyError::DestinationDigest)
            }
            _ => Ok(()),
        }
    }

    /// Whether signatures are copied (P-06).
    fn check_signatures(&self) -> Result<bool, CopyError> {
        if self.options.remove_signatures {
            return Ok(false);
        }
        self.shared.reporter.send(Event::SourceSignatures);
        if self.image.signatures.is_empty() {
            return Ok(false);
        }
        self.shared.reporter.send(Event::CheckingSignatureSupport);
        let traits = self.shared.destination.traits();
        if traits.has("signatures") {
            return Ok(true);
        }
        let own_words = traits.signatures_refused.clone();
        let transport = &self.shared.destination.identity().transport;
        let reason = own_words.unwrap_or_else(|| TransportError::unsupported(transport, "signatures").to_string());
        Err(CopyError::Signatures {
            name: self.shared.destination_name.to_owned(),
            reason,
        })
    }

    /// Why not a byte of the manifest may change (M-01 to M-03).
    fn unmodifiable(&self, keeps_signatures: bool) -> Option<&'static str> {
        let by_digest = self
            .shared
            .destination
            .identity()
            .docker_reference
            .as_ref()
            .is_some_and(|reference| reference.digest().is_some());
        if keeps_signatures {
            Some("Would invalidate signatures")
        } else if by_digest {
            Some("Destination specifies a digest")
        } else if self.options.preserve_digests {
            Some("Instructed to preserve digests")
        } else {
            None
        }
    }

    fn candidates(&self, unmodifiable: Option<&'static str>) -> Result<Vec<Kind>, CopyError> {
        let choice = TypeChoice {
            source: self.image.manifest.kind,
            accepted: &self.shared.destination.traits().manifest_types,
            format: self.options.format,
            needs_oci: self.options.compression.needs_oci(),
            unmodifiable,
            name: self.shared.destination_name,
        };
        choice.candidates()
    }

    fn layer_plan(&self, unmodifiable: Option<&'static str>, candidates: &[Kind]) -> LayerPlan<'_> {
        let traits = self.shared.destination.traits();
        let wish = match unmodifiable {
            Some(_) => LayerWish::Preserve,
            None => self.options.layers.unwrap_or(traits.layer_compression),
        };
        let parallel = if traits.has("one-at-a-time") {
            NonZeroUsize::MIN
        } else {
            self.options.parallel
        };
        LayerPlan {
            image: &self.image.manifest,
            wish,
            zstd: candidates.first() == Some(&Kind::Oci),
            parallel,
            diff_ids: &self.image.diff_ids,
        }
    }

    async fn copy_config(&self, number: usize) -> Result<Outcome, CopyError> {
        let job = BlobJob {
            number,
            kind: BlobKind::Config,
            descriptor: &self.image.manifest.config,
            info: self.image.manifest.config_info(),
            wish: LayerWish::Preserve,
            zstd: false,
            bytes: Some(self.image.config.clone()),
        };
        self.shared.copy_blob(&job).await
    }

    /// Writes the manifest as the first type that the destination takes (P-12).
    async fn write_manifest(
        &self,
        candidates: &[Kind],
        layers: Option<&[Descriptor]>,
    ) -> Result<RawManifest, CopyError> {
        self.shared.reporter.send(Event::WritingManifest);
        let mut attempts = Vec::new();
        for kind in candidates {
            match self.put_manifest(*kind, layers).await {
                Ok(written) => return Ok(written),
                Err(error) if may_try_next(&error) => attempts.push((kind.image_type().to_owned(), error)),
                Err(error) => return Err(error),
            }
        }
        match (attempts.len(), attempts.pop()) {
            (1, Some((_, only))) => Err(only),
            (_, last) => Err(CopyError::ManifestRejected(attempts.into_iter().chain(last).collect())),
        }
    }

    async fn put_manifest(&self, kind: Kind, layers: Option<&[Descriptor]>) -> Result<RawManifest, CopyError> {
        let converted = render(kind, &self.image.selected.manifest, &self.image.manifest, layers);
        let manifest = converted.map_err(|source| CopyError::Convert {
            media_type: kind.image_type().to_owned(),
            source,
        })?;
        let put = self
            .shared
            .step(self.shared.destination.put_manifest(&manifest, None))
            .await?;
        put.map_err(|error| self.on_destination("writing manifest", error))?;
        Ok(manifest)
    }

    async fn store_signatures(&self) -> Result<(), CopyError> {
        self.shared.reporter.send(Event::StoringSignatures);
        let stored = self
            .shared
            .step(self.shared.destination.put_signatures(&self.image.signatures, None))
            .await?;
        stored.map_err(|error| self.on_destination("storing signatures", error))
    }

    fn on_destination(&self, doing: &str, source: TransportError) -> CopyError {
        CopyError::Transport {
            side: Side::Destination,
            name: self.shared.destination_name.to_owned(),
            doing: doing.to_owned(),
            source,
        }
    }

    fn report(&self, written: &RawManifest, layers: &[Outcome], config: &Outcome) -> CopyReport {
        let mut report = CopyReport {
            source: self.image.name.clone(),
            destination: self.shared.destination_name.to_owned(),
            manifest_digest: written.digest(Algorithm::Sha256),
            manifest_type: written.media_type().to_owned(),
            blobs_copied: 0,
            bytes_copied: 0,
            blobs_reused: 0,
            bytes_reused: 0,
        };
        let blobs = self
            .image
            .manifest
            .layers
            .iter()
            .zip(layers)
            .chain([(&self.image.manifest.config, config)]);
        for (blob, outcome) in blobs {
            match outcome {
                Outcome::Moved(moved) => {
                    report.blobs_copied += 1;
                    report.bytes_copied += moved.source_size;
                }
                Outcome::Repeated(_) | Outcome::Substituted(_) | Outcome::Skipped => {
                    report.blobs_reused += 1;
                    report.bytes_reused += blob.size;
                }
            }
        }
        report
    }
}

/// A conversion that is impossible does not keep the next type from being tried.
fn may_try_next(error: &CopyError) -> bool {
    matches!(error, CopyError::Convert { .. }) || error.kind() == ErrorKind::ManifestTypeRejected
}
