use std::sync::Arc;

use async_trait::async_trait;
use longshore_blob::{Durability, LayerWish};
use longshore_copy::{DestinationTraits, Identity, ImageDestination, PendingBlob, Publish, Reused, TransportError};
use longshore_native_guest::export::{DestinationOpener, OpenDestination};
use longshore_native_guest::{BlobWriter, Manifest, Session, Target};
use longshore_types::{Algorithm, BlobInfo, Digest, ErrorKind, RawManifest};

use crate::thread::{Thread, refused};
use crate::transport::to_guest;

/// What lives on the thread, in the order in which it ends.
struct Live {
    /// By position; none once they are finished.
    writers: Vec<Option<Box<dyn BlobWriter>>>,
    destination: Box<dyn OpenDestination>,
    session: Session,
}

/// A place that a native plugin writes an image to.
pub(crate) struct Destination {
    thread: Arc<Thread<Live>>,
    identity: Identity,
    traits: DestinationTraits,
    durability: Durability,
}

impl Destination {
    pub(crate) async fn open(
        begin: impl FnOnce() -> Result<(Session, Identity), TransportError> + Send + 'static,
        open: DestinationOpener,
        durability: Durability,
    ) -> Result<Self, TransportError> {
        let (thread, (identity, traits)) = Thread::start(move || {
            let (session, identity) = begin()?;
            let destination = open(session.clone()).map_err(refused)?;
            let traits = destination.traits();
            let live = Live {
                writers: Vec::new(),
                destination,
                session,
            };
            Ok((live, (identity, traits)))
        })
        .await?;
        Ok(Self {
            thread: Arc::new(thread),
            identity,
            traits: DestinationTraits {
                manifest_types: traits.manifest_types,
                layer_compression: match traits.layer_compression.as_str() {
                    "compress" => LayerWish::Compress,
                    "decompress" => LayerWish::Decompress,
                    _ => LayerWish::Preserve,
                },
                abilities: traits.abilities.into_iter().collect(),
                signatures_refused: None,
            },
            durability,
        })
    }
}

#[async_trait]
impl ImageDestination for Destination {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn traits(&self) -> &DestinationTraits {
        &self.traits
    }

    async fn reuse(&self, info: &BlobInfo, substitute: bool) -> Result<Option<Reused>, TransportError> {
        let asked = info.clone();
        let find = move |live: &mut Live| {
            let found = live.destination.reuse(to_guest(&asked), substitute).map_err(refused)?;
            let Some(found) = found else { return Ok(None) };
            let digest = found.digest.as_deref().map(Digest::parse).transpose();
            let digest = digest.map_err(|error| TransportError::new(ErrorKind::InvalidData, error.to_string()))?;
            let info = BlobInfo {
                digest,
                size: found.size,
                media_type: found.media_type,
                ..asked
            };
            Ok(Some(Reused { info, mounted: false }))
        };
        self.thread.call(find).await
    }

    async fn begin_blob(&self, info: &BlobInfo) -> Result<Option<PendingBlob>, TransportError> {
        let (info, durability) = (to_guest(info), self.durability);
        let begin = move |live: &mut Live| {
            let writer = live.destination.begin_blob(info).map_err(refused)?;
            match writer.target().map_err(refused)? {
                Target::AlreadyHere => Ok(None),
                Target::Range(range) => {
                    live.writers.push(Some(writer));
                    Ok(Some((range.into_sink(durability), live.writers.len() - 1)))
                }
                Target::Streamed(writer) => match writer {},
                Target::Consumed => Err(TransportError::unsupported("native", "consuming blobs")),
            }
        };
        let begun = self.thread.call(begin).await?;
        Ok(begun.map(|(sink, position)| PendingBlob {
            sink: Box::new(sink),
            publish: Box::new(Pending {
                thread: Arc::clone(&self.thread),
                position,
            }),
        }))
    }

    async fn put_manifest(&self, manifest: &RawManifest, instance: Option<&Digest>) -> Result<(), TransportError> {
        let (manifest, instance) = (manifest_to_guest(manifest), instance.map(ToString::to_string));
        let put = move |live: &mut Live| live.destination.put_manifest(manifest, instance).map_err(refused);
        self.thread.call(put).await
    }

    async fn put_signatures(&self, signatures: &[Vec<u8>], instance: Option<&Digest>) -> Result<(), TransportError> {
        let (signatures, instance) = (signatures.to_vec(), instance.map(ToString::to_string));
        let put = move |live: &mut Live| live.destination.put_signatures(signatures, instance).map_err(refused);
        self.thread.call(put).await
    }

    async fn commit(self: Box<Self>, top: &RawManifest) -> Result<(), TransportError> {
        let manifest = manifest_to_guest(top);
        let commit = move |live: &mut Live| {
            live.destination.commit(manifest).map_err(refused)?;
            live.session.commit().map_err(refused)
        };
        self.thread.call(commit).await
    }
}

fn manifest_to_guest(manifest: &RawManifest) -> Manifest {
    Manifest {
        bytes: manifest.bytes().to_vec(),
        media_type: manifest.media_type().to_owned(),
        digest: Some(manifest.digest(Algorithm::Sha256).to_string()),
    }
}

/// A blob on its way in.
struct Pending {
    thread: Arc<Thread<Live>>,
    position: usize,
}

#[async_trait]
impl Publish for Pending {
    async fn finish(self: Box<Self>, digest: &Digest, size: u64) -> Result<(), TransportError> {
        let (position, digest) = (self.position, digest.to_string());
        let finish = move |live: &mut Live| match live.writers[position].take() {
            Some(writer) => writer.finish(digest, size).map_err(refused),
            None => Ok(()),
        };
        self.thread.call(finish).await
    }

    /// What is not finished ends with the operation.
    async fn abort(self: Box<Self>) -> Option<TransportError> {
        None
    }
}
