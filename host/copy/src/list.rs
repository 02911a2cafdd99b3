//! Copying the images of a list, and the list.

use std::sync::Arc;

use longshore_types::{
    Algorithm, Compression, Descriptor, Digest, ImageFormat, Kind, ManifestList, Parsed, Platform, PlatformWish,
    RawManifest,
};

use crate::blob::MovedBlobs;
use crate::copier::Work;
use crate::destination::ImageDestination;
use crate::error::{CopyError, Side, TransportError};
use crate::event::Event;
use crate::image::{on_source, read_instance};
use crate::manifest_types::ListChoice;
use crate::open::{AcceptedImage, OpenedSource};
use crate::options::{CopyReport, Instances, Options};
use crate::policy::SignaturePolicy;
use crate::reuse::claimed;
use crate::signing::{Signing, check_signature_support, has_sigstore};
use crate::single::{self, Placed};
use crate::source::ImageSource;

/// Most bytes that the manifests and configs of a list's images may have together: they are held in memory until the
/// last one has been judged, and a hostile list could name thousands.
const MAX_LIST_IMAGES: usize = 64 << 20;

/// A list whose images are known and accepted by the policy. The list itself is not judged (P-04).
pub(crate) struct AcceptedList {
    source: Arc<dyn ImageSource>,
    name: String,
    raw: RawManifest,
    list: ManifestList,
    /// Those to be copied, in the list's order.
    images: Vec<AcceptedImage>,
    signatures: Vec<Vec<u8>>,
}

impl AcceptedList {
    /// Reads and judges what is to be copied.
    pub(crate) async fn read(
        opened: OpenedSource,
        policy: &SignaturePolicy,
        options: &Options,
    ) -> Result<Self, CopyError> {
        let list = parsed(&opened, &options.instances)?;
        let mut images = Vec::new();
        let mut held = 0;
        for entry in wanted(&list, &options.instances)? {
            let selected = read_instance(opened.source.as_ref(), &opened.top, entry).await?;
            let image = opened.accept(policy, selected, None).await?;
            held += image.selected.manifest.bytes().len() + image.config.bytes.len();
            if held > MAX_LIST_IMAGES {
                return Err(CopyError::Mismatch {
                    what: "list".into(),
                    name: opened.name,
                    detail: format!("the manifests and configs of its images have more than {MAX_LIST_IMAGES} bytes"),
                });
            }
            images.push(image);
        }
        let signatures = if options.remove_signatures {
            Vec::new()
        } else {
            let read = opened.source.signatures(None).await;
            read.map_err(|error| on_source(opened.source.as_ref(), "reading list signatures", error))?
        };
        let OpenedSource { source, name, top } = opened;
        Ok(Self {
            source,
            name,
            raw: top,
            list,
            images,
            signatures,
        })
    }

    pub(crate) fn source(&self) -> &dyn ImageSource {
        self.source.as_ref()
    }
}

/// The list that a reference names. Its entries must be images, unless it is wanted alone, whatever it names.
pub(crate) fn parsed(opened: &OpenedSource, instances: &Instances) -> Result<ManifestList, CopyError> {
    let failed = |source| CopyError::Manifest {
        name: opened.name.clone(),
        source,
    };
    let Parsed::List(list) = opened.top.parse().map_err(failed)? else {
        return Err(CopyError::Internal("a list was read as an image".into()));
    };
    if *instances != Instances::ListOnly {
        list.refuse_nested().map_err(failed)?;
    }
    Ok(list)
}

/// The entries to copy, each digest once, in the list's order.
pub(crate) fn wanted<'a>(list: &'a ManifestList, instances: &Instances) -> Result<Vec<&'a Descriptor>, CopyError> {
    let is_wanted = |entry: &Descriptor| match instances {
        Instances::System | Instances::ListOnly => false,
        Instances::All => true,
        Instances::Platforms(platforms) => platforms.iter().any(|platform| is_for(entry, platform)),
    };
    if let Instances::Platforms(platforms) = instances {
        let missing = platforms
            .iter()
            .find(|platform| !list.manifests.iter().any(|entry| is_for(entry, platform)));
        if let Some(platform) = missing {
            return Err(CopyError::NoInstances(platform.to_string()));
        }
    }
    let mut entries: Vec<&Descriptor> = Vec::new();
    for entry in list.manifests.iter().filter(|entry| is_wanted(entry)) {
        if entries.iter().all(|other| other.digest != entry.digest) {
            entries.push(entry);
        }
    }
    Ok(entries)
}

fn is_for(entry: &Descriptor, wanted: &Platform) -> bool {
    entry.platform.as_ref().is_some_and(|platform| {
        platform.os == wanted.os
            && platform.architecture == wanted.architecture
            && (wanted.variant.is_empty() || platform.variant == wanted.variant)
    })
}

/// Copies an accepted list and its images into an opened destination (P-11 to P-15).
pub(crate) async fn copy(
    list: &AcceptedList,
    destination: Box<dyn ImageDestination>,
    work: &Work<'_>,
) -> Result<CopyReport, CopyError> {
    let copying = ListCopy {
        list,
        destination: destination.as_ref(),
        work,
    };
    let stored = copying.store().await;
    let (written, report) = single::settled(stored, destination.as_ref(), work).await?;
    single::commit(destination, &written).await?;
    Ok(report)
}

struct ListCopy<'a> {
    list: &'a AcceptedList,
    destination: &'a dyn ImageDestination,
    work: &'a Work<'a>,
}

impl ListCopy<'_> {
    /// Everything but the last step: the images first, so that the list never names what is not there.
    async fn store(&self) -> Result<(RawManifest, CopyReport), CopyError> {
        self.check_destination()?;
        let keeps_signatures = self.check_signatures()?;
        let signing = Signing::new(self.work, self.destination);
        signing.check()?;
        let unmodifiable = if keeps_signatures {
            Some(single::WOULD_INVALIDATE)
        } else {
            single::unmodifiable_by_request(self.destination, self.work.options)
        };
        let choice = ListChoice {
            source: self.list.list.kind,
            accepted: &self.destination.traits().manifest_types,
            format: self.work.options.format.map(ImageFormat::list_kind),
            unmodifiable,
            name: &self.name(),
        };
        let candidates = choice.candidates()?;

        let mut report = self.empty_report();
        let mut edited = self.list.list.clone();
        let of = self.list.images.len();
        self.work.reporter.send(Event::CopyingImages {
            copied: of,
            listed: self.list.list.manifests.len(),
        });
        let moved = MovedBlobs::default();
        let placed = Placed::InList {
            unmodifiable,
            moved: &moved,
        };
        let mut blobs = 0;
        let mut zstd = Vec::new();
        for (index, image) in self.list.images.iter().enumerate() {
            let Some(named) = &image.selected.instance else {
                continue;
            };
            self.work.reporter.send(Event::CopyingImage {
                digest: named.clone(),
                number: index + 1,
                of,
            });
            let reporter = self.work.reporter.starting_at(blobs);
            blobs += image.manifest.layers.len() + 1;
            let work = Work {
                reporter: &reporter,
                ..*self.work
            };
            let (manifest, one) = single::store(image, self.destination, &work, &placed).await?;
            report.add(&one);
            rename(&mut edited, named, &manifest);
            if unmodifiable.is_none() && is_all_zstd(&manifest) {
                zstd.push(manifest.digest(named.algorithm()));
            }
        }
        let written = self.write(&candidates, &edited, &zstd).await?;
        if keeps_signatures || signing.is_wanted() {
            let mut signatures = if keeps_signatures {
                self.list.signatures.clone()
            } else {
                Vec::new()
            };
            signatures.extend(self.step(signing.sign(&written)).await??);
            self.work.reporter.send(Event::StoringListSignatures);
            let stored = self.step(self.destination.put_signatures(&signatures, None));
            let stored = stored.await?;
            stored.map_err(|error| self.on_destination("storing list signatures", error))?;
        }
        report.manifest_digest = written.digest(Algorithm::Sha256);
        report.manifest_type = written.media_type().to_owned();
        Ok((written, report))
    }

    fn check_destination(&self) -> Result<(), CopyError> {
        if !self.destination.traits().has("lists") {
            let transport = &self.destination.identity().transport;
            return Err(CopyError::Unsupported(format!(
                "copying multiple images: destination transport {transport:?} does not support copying multiple images \
                 as a group"
            )));
        }
        single::check_destination_digest(self.destination, &self.list.raw)
    }

    /// Whether the list has signatures to be kept.
    fn check_signatures(&self) -> Result<bool, CopyError> {
        if self.work.options.remove_signatures {
            return Ok(false);
        }
        self.work.reporter.send(Event::ListSignatures);
        if self.list.signatures.is_empty() {
            return Ok(false);
        }
        check_signature_support(self.destination, has_sigstore(&self.list.signatures))?;
        Ok(true)
    }

    /// Writes the list as the first type that the destination takes; as it was, if nothing in it changed. An OCI index
    /// says which images are all `zstd` (LC-09).
    async fn write(
        &self,
        candidates: &[Kind],
        edited: &ManifestList,
        zstd: &[Digest],
    ) -> Result<RawManifest, CopyError> {
        self.work.reporter.send(Event::WritingList);
        let mut attempts = Vec::new();
        for kind in candidates {
            match self.put(*kind, edited, zstd).await {
                Ok(written) => return Ok(written),
                Err(error) if single::may_try_next(&error) => attempts.push((kind.list_type().to_owned(), error)),
                Err(error) => return Err(error),
            }
        }
        single::none_accepted(attempts)
    }

    async fn put(&self, kind: Kind, edited: &ManifestList, zstd: &[Digest]) -> Result<RawManifest, CopyError> {
        let running = PlatformWish::running();
        let unknown = Platform::new(&running.os, &running.architecture, "");
        let failed = |source| CopyError::Convert {
            media_type: kind.list_type().to_owned(),
            source,
        };
        let mut list = edited.convert(kind, &unknown).map_err(failed)?;
        if kind == Kind::Oci {
            for digest in zstd {
                list.mark_as_zstd(digest);
            }
        }
        let raw = if list == self.list.list {
            self.list.raw.clone()
        } else {
            list.to_raw().map_err(failed)?
        };
        let put = self.step(self.destination.put_manifest(&raw, None)).await?;
        put.map_err(|error| self.on_destination("writing manifest list", error))?;
        Ok(raw)
    }

    async fn step<T>(&self, answer: impl Future<Output = T>) -> Result<T, CopyError> {
        let answered = self.work.cancel.run_until_cancelled(answer).await;
        answered.ok_or(CopyError::Interrupted)
    }

    fn on_destination(&self, doing: &str, source: TransportError) -> CopyError {
        CopyError::Transport {
            side: Side::Destination,
            name: self.name(),
            doing: doing.to_owned(),
            source,
        }
    }

    fn name(&self) -> String {
        self.destination.identity().display()
    }

    fn empty_report(&self) -> CopyReport {
        CopyReport {
            source: self.list.name.clone(),
            destination: self.name(),
            images: 0,
            manifest_digest: self.list.raw.digest(Algorithm::Sha256),
            manifest_type: self.list.raw.media_type().to_owned(),
            blobs_copied: 0,
            bytes_copied: 0,
            blobs_reused: 0,
            bytes_reused: 0,
        }
    }
}

/// Whether every layer is compressed with zstd.
fn is_all_zstd(manifest: &RawManifest) -> bool {
    let Ok(Parsed::Image(image)) = manifest.parse() else {
        return false;
    };
    let mut layers = image.layers.iter();
    !image.layers.is_empty() && layers.all(|layer| claimed(&layer.media_type) == Compression::Zstd)
}

/// Has every entry of an image name its manifest as it was written (P-14).
fn rename(list: &mut ManifestList, named: &Digest, written: &RawManifest) {
    let digest = written.digest(named.algorithm());
    if digest == *named {
        return;
    }
    for entry in list.manifests.iter_mut().filter(|entry| entry.digest == *named) {
        entry.digest = digest.clone();
        entry.size = written.size();
        written.media_type().clone_into(&mut entry.media_type);
        // The old manifest's own bytes, if the entry carried them.
        entry.data = None;
    }
}
