use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use longshore_blob::{Change, LayerWish};
use longshore_types::{Algorithm, Descriptor, Digest, ErrorKind, ImageFormat, RawManifest};

use crate::blob::{BlobJob, MovedBlobs, Outcome, Shared, Turns};
use crate::copier::Work;
use crate::destination::ImageDestination;
use crate::error::{CopyError, Side, TransportError};
use crate::event::{BlobKind, Event, SkipReason};
use crate::layers::{LayerPlan, copy_layers, updated};
use crate::manifest_types::{TypeChoice, render};
use crate::open::AcceptedImage;
use crate::options::{CopyReport, Options};
use crate::reuse::claimed;
use crate::schema_one::Rendered;
use crate::signing::{Signing, check_signature_support, has_sigstore};

/// How long a failed copy waits for its destination to clean up.
const SETTLE_GRACE: Duration = Duration::from_secs(5);

/// Copies an accepted image into an opened destination (P-05 to P-15).
pub(crate) async fn copy(
    image: &AcceptedImage,
    destination: Box<dyn ImageDestination>,
    work: &Work<'_>,
) -> Result<CopyReport, CopyError> {
    let placed = Placed::Alone;
    let stored = store(image, destination.as_ref(), work, &placed).await;
    let (manifest, report) = settled(stored, destination.as_ref(), work).await?;
    commit(destination, &manifest).await?;
    Ok(report)
}

/// What an image is in its destination.
pub(crate) enum Placed<'a> {
    /// All there is.
    Alone,
    /// One of a list's.
    InList {
        /// Why no instance may change, if the list may not (M-05).
        unmodifiable: Option<&'static str>,
        /// What was moved for the images before this one.
        moved: &'a MovedBlobs,
    },
}

/// Does all that makes an image complete but not yet visible. Gives the manifest as it was written.
pub(crate) async fn store(
    image: &AcceptedImage,
    destination: &dyn ImageDestination,
    work: &Work<'_>,
    placed: &Placed<'_>,
) -> Result<(RawManifest, CopyReport), CopyError> {
    let name = destination.identity().display();
    let alone = MovedBlobs::default();
    let shared = Shared {
        source: image.source.as_ref(),
        destination,
        source_name: &image.name,
        destination_name: &name,
        reporter: work.reporter,
        compression: &work.options.compression,
        cache: work.cache,
        cancel: work.cancel.child_token(),
        moved: match placed {
            Placed::Alone => &alone,
            Placed::InList { moved, .. } => moved,
        },
        turns: Turns::default(),
    };
    let options = work.options;
    let single = Single {
        image,
        options,
        signing: Signing::new(work, destination),
        shared,
        placed,
    };
    single.store().await
}

/// Waits for a destination that failed to clean up, and tells a copy that was cancelled from one that failed.
pub(crate) async fn settled<T>(
    stored: Result<T, CopyError>,
    destination: &dyn ImageDestination,
    work: &Work<'_>,
) -> Result<T, CopyError> {
    if stored.is_err() {
        // Whatever does not end by then is beyond help.
        let _ = tokio::time::timeout(SETTLE_GRACE, destination.settle()).await;
    }
    match stored {
        Err(_) if work.cancel.is_cancelled() => Err(CopyError::Interrupted),
        stored => stored,
    }
}

/// Makes visible what was stored. To stop half-way would help nobody, so this is not cancelled.
pub(crate) async fn commit(destination: Box<dyn ImageDestination>, top: &RawManifest) -> Result<(), CopyError> {
    let name = destination.identity().display();
    let committed = destination.commit(top).await;
    committed.map_err(|source| CopyError::Transport {
        side: Side::Destination,
        name,
        doing: "committing image".into(),
        source,
    })
}

/// M-01.
pub(crate) const WOULD_INVALIDATE: &str = "Would invalidate signatures";

/// Why what the reference names must not change (M-02, M-03).
pub(crate) fn unmodifiable_by_request(destination: &dyn ImageDestination, options: &Options) -> Option<&'static str> {
    let reference = destination.identity().docker_reference.as_ref();
    if reference.is_some_and(|reference| reference.digest().is_some()) {
        Some("Destination specifies a digest")
    } else if options.preserve_digests {
        Some("Instructed to preserve digests")
    } else {
        None
    }
}

struct Single<'a> {
    image: &'a AcceptedImage,
    options: &'a Options,
    signing: Signing<'a>,
    shared: Shared<'a>,
    placed: &'a Placed<'a>,
}

impl Single<'_> {
    /// Everything but the last step.
    async fn store(&self) -> Result<(RawManifest, CopyReport), CopyError> {
        if let Placed::Alone = self.placed {
            check_destination_digest(self.shared.destination, &self.image.selected.manifest)?;
        }
        let keeps_signatures = self.check_signatures()?;
        self.signing.check()?;
        let unmodifiable = self.unmodifiable(keeps_signatures);
        self.check_embedded_reference(unmodifiable)?;
        self.check_layers(unmodifiable)?;
        let candidates = self.candidates(unmodifiable)?;
        if let (Some(original), Some(first)) = (&self.image.schema_one, candidates.first()) {
            original.will_be_written_as(*first);
        }

        let layers = &self.image.manifest.layers;
        let wish = self.layer_wish(unmodifiable);
        let has_signatures = keeps_signatures || self.signing.is_wanted();
        if !has_signatures && candidates.first() == Some(&self.image.format()) && self.is_there(wish).await? {
            return Ok(self.skip());
        }
        let config = &self.image.config;
        let plan = self.layer_plan(wish, &candidates, &config.diff_ids);
        let outcomes = copy_layers(&self.shared, &plan).await?;
        let copied_config = match self.image.schema_one {
            // There is none, or one that needs to know the layers first.
            Some(_) => None,
            None if candidates == [ImageFormat::SchemaOne] => None,
            None => Some(self.copy_config(layers.len(), config.bytes.clone()).await?),
        };
        let changed = updated(layers, &outcomes).map_err(|error| CopyError::Convert {
            media_type: self.image.manifest.media_type().to_owned(),
            source: error.into(),
        })?;
        let changed = changed.or_else(|| self.image.has_other_layers.then(|| layers.clone()));
        let Rendered { manifest, mut blobs } = self.write_manifest(&candidates, changed.as_deref()).await?;
        blobs.extend(copied_config.map(|outcome| (self.image.manifest.config.clone(), outcome)));
        if has_signatures {
            self.store_signatures(keeps_signatures, &manifest).await?;
        }
        self.shared.remember(layers, &outcomes).await;
        let report = self.report(&manifest, &outcomes, &blobs);
        Ok((manifest, report))
    }

    /// Whether the destination's name stands for the very image that would be written (P-09).
    async fn is_there(&self, wish: LayerWish) -> Result<bool, CopyError> {
        let Shared {
            destination,
            compression,
            ..
        } = self.shared;
        // A layer whose compression is another one than its type says is written under another type (LC-04).
        let stays = |layer: &Descriptor| {
            let wish = if compression.force { LayerWish::Compress } else { wish };
            compression.plan(layer, wish).change(claimed(&layer.media_type)) == Change::Keep
        };
        let alone = matches!(self.placed, Placed::Alone) && self.image.schema_one.is_none();
        if !alone || self.image.has_other_layers || !self.image.manifest.layers.iter().all(stays) {
            return Ok(false);
        }
        self.shared
            .step(destination.has_manifest(&self.image.selected.manifest))
            .await
    }

    /// Reports that nothing had to be moved.
    fn skip(&self) -> (RawManifest, CopyReport) {
        let image = &self.image.manifest;
        let layers = image.layers.iter().map(|layer| (BlobKind::Layer, layer));
        for (blob, (kind, descriptor)) in layers.chain([(BlobKind::Config, &image.config)]).enumerate() {
            self.shared.reporter.send(Event::BlobStarted {
                blob,
                kind,
                digest: descriptor.digest.clone(),
                size: descriptor.size,
            });
            self.shared.reporter.send(Event::BlobSkipped {
                blob,
                reason: SkipReason::AlreadyExists,
            });
        }
        self.shared.reporter.send(Event::AlreadyPresent);
        let manifest = self.image.selected.manifest.clone();
        let skipped = vec![Outcome::Skipped; image.layers.len()];
        let report = self.report(&manifest, &skipped, &[(image.config.clone(), Outcome::Skipped)]);
        (manifest, report)
    }

    /// A schema 1 manifest takes the destination's name, unless it must stay as it is (TD-09).
    fn check_embedded_reference(&self, unmodifiable: Option<&'static str>) -> Result<(), CopyError> {
        let reference = self.shared.destination.identity().docker_reference.as_ref();
        match (&self.image.schema_one, reference, unmodifiable) {
            (Some(original), Some(reference), Some(reason)) if original.image.conflicts_with(reference) => {
                Err(CopyError::EmbeddedReference {
                    name: self.shared.destination_name.to_owned(),
                    reference: reference.to_string(),
                    reason,
                })
            }
            _ => Ok(()),
        }
    }

    /// A source that has other layers than its manifest names needs another manifest (CS-08).
    fn check_layers(&self, unmodifiable: Option<&'static str>) -> Result<(), CopyError> {
        match unmodifiable {
            Some(reason) if self.image.has_other_layers => Err(CopyError::OtherLayers { reason }),
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
        check_signature_support(self.shared.destination, has_sigstore(&self.image.signatures))?;
        Ok(true)
    }

    /// Why not a byte of the manifest may change (M-01 to M-03, M-05).
    fn unmodifiable(&self, keeps_signatures: bool) -> Option<&'static str> {
        match self.placed {
            _ if keeps_signatures => Some(WOULD_INVALIDATE),
            Placed::InList { unmodifiable, .. } => *unmodifiable,
            Placed::Alone => unmodifiable_by_request(self.shared.destination, self.options),
        }
    }

    fn candidates(&self, unmodifiable: Option<&'static str>) -> Result<Vec<ImageFormat>, CopyError> {
        let choice = TypeChoice {
            source: self.image.format(),
            accepted: &self.shared.destination.traits().manifest_types,
            format: self.options.format,
            needs_oci: self.options.compression.needs_oci(),
            unmodifiable,
            name: self.shared.destination_name,
        };
        choice.candidates()
    }

    fn layer_wish(&self, unmodifiable: Option<&'static str>) -> LayerWish {
        match unmodifiable {
            Some(_) => LayerWish::Preserve,
            None => {
                let wanted = self.shared.destination.traits().layer_compression;
                self.options.layers.unwrap_or(wanted)
            }
        }
    }

    fn layer_plan<'a>(&'a self, wish: LayerWish, candidates: &[ImageFormat], diff_ids: &'a [Digest]) -> LayerPlan<'a> {
        let traits = self.shared.destination.traits();
        let parallel = if traits.has("one-at-a-time") {
            NonZeroUsize::MIN
        } else {
            self.options.parallel
        };
        LayerPlan {
            image: &self.image.manifest,
            wish,
            zstd: candidates.first() == Some(&ImageFormat::Oci),
            parallel,
            diff_ids,
        }
    }

    async fn copy_config(&self, number: usize, config: Bytes) -> Result<Outcome, CopyError> {
        let job = BlobJob {
            number,
            kind: BlobKind::Config,
            descriptor: &self.image.manifest.config,
            info: self.image.manifest.config_info(),
            wish: LayerWish::Preserve,
            zstd: false,
            bytes: Some(config),
        };
        self.shared.copy_blob(&job).await
    }

    /// Writes the manifest as the first type that the destination takes (P-12).
    async fn write_manifest(
        &self,
        candidates: &[ImageFormat],
        layers: Option<&[Descriptor]>,
    ) -> Result<Rendered, CopyError> {
        self.shared.reporter.send(Event::WritingManifest);
        let mut attempts = Vec::new();
        for format in candidates {
            match self.put_manifest(*format, layers).await {
                Ok(written) => return Ok(written),
                Err(error) if may_try_next(&error) => attempts.push((format.image_type().to_owned(), error)),
                Err(error) => return Err(error),
            }
        }
        none_accepted(attempts)
    }

    async fn put_manifest(&self, format: ImageFormat, layers: Option<&[Descriptor]>) -> Result<Rendered, CopyError> {
        let rendered = render(&self.shared, self.image, format, layers).await?;
        let manifest = &rendered.manifest;
        let put = self
            .shared
            .step(
                self.shared
                    .destination
                    .put_manifest(manifest, self.instance(manifest).as_ref()),
            )
            .await?;
        put.map_err(|error| self.on_destination("writing manifest", error))?;
        Ok(rendered)
    }

    /// The digest by which a list will name the manifest; none without a list.
    fn instance(&self, written: &RawManifest) -> Option<Digest> {
        let named = self.image.selected.instance.as_ref();
        let algorithm = named.map_or(Algorithm::Sha256, Digest::algorithm);
        matches!(self.placed, Placed::InList { .. }).then(|| written.digest(algorithm))
    }

    /// Stores the image's own signatures, if they are kept, and new ones (P-13).
    async fn store_signatures(&self, keep: bool, manifest: &RawManifest) -> Result<(), CopyError> {
        let mut signatures = if keep {
            self.image.signatures.clone()
        } else {
            Vec::new()
        };
        signatures.extend(self.shared.step(self.signing.sign(manifest)).await??);
        self.shared.reporter.send(Event::StoringSignatures);
        let instance = self.instance(manifest);
        let storing = self.shared.destination.put_signatures(&signatures, instance.as_ref());
        let stored = self.shared.step(storing).await?;
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

    fn report(&self, written: &RawManifest, layers: &[Outcome], others: &[(Descriptor, Outcome)]) -> CopyReport {
        let mut report = CopyReport {
            source: self.image.name.clone(),
            destination: self.shared.destination_name.to_owned(),
            images: 1,
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
            .chain(others.iter().map(|(blob, outcome)| (blob, outcome)));
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

/// The error for a manifest that was refused as every type (P-12).
pub(crate) fn none_accepted<T>(mut attempts: Vec<(String, CopyError)>) -> Result<T, CopyError> {
    match (attempts.len(), attempts.pop()) {
        (1, Some((_, only))) => Err(only),
        (_, last) => Err(CopyError::ManifestRejected(attempts.into_iter().chain(last).collect())),
    }
}

/// P-05: what a destination by digest will hold is known before anything is written.
pub(crate) fn check_destination_digest(destination: &dyn ImageDestination, top: &RawManifest) -> Result<(), CopyError> {
    let reference = destination.identity().docker_reference.as_ref();
    match reference.and_then(|reference| reference.digest()) {
        Some(digest) if top.digest(digest.algorithm()) != *digest => Err(CopyError::DestinationDigest),
        _ => Ok(()),
    }
}

/// A conversion that is impossible does not keep the next type from being tried.
pub(crate) fn may_try_next(error: &CopyError) -> bool {
    matches!(error, CopyError::Convert { .. }) || error.kind() == ErrorKind::ManifestTypeRejected
}
