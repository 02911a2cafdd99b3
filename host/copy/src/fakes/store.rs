use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_blob::{ChunkSink, LayerWish};
use longshore_types::{BlobInfo, Digest, ErrorKind, RawManifest, Reference};

use crate::destination::{DestinationTraits, ImageDestination, PendingBlob, Publish, Reused};
use crate::error::TransportError;
use crate::transport::Identity;

/// What a destination is told to do, and what happened to it.
#[derive(Debug)]
pub(crate) struct FakeStore {
    pub(crate) traits: DestinationTraits,
    pub(crate) reference: Option<Reference>,
    /// Manifest types that `put_manifest` rejects.
    pub(crate) rejects: Vec<&'static str>,
    /// So many sinks fail in mid-blob.
    pub(crate) fails: AtomicUsize,
    /// What the destination says about its failed sinks.
    pub(crate) cause: Option<&'static str>,
    /// So many sinks fail with an error that asks for the blob once more.
    pub(crate) wants_repeats: AtomicUsize,
    /// What `reuse` says about sizes of blobs that are there.
    pub(crate) lies_about_size: bool,
    pub(crate) happened: Mutex<Happened>,
}

/// The traces of a copy.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    pub(crate) opened: usize,
    pub(crate) begun: Vec<BlobInfo>,
    pub(crate) open_blobs: usize,
    pub(crate) most_open_blobs: usize,
    pub(crate) aborted: usize,
    pub(crate) blobs: HashMap<Digest, Bytes>,
    pub(crate) manifests: Vec<RawManifest>,
    pub(crate) signatures: Vec<Vec<u8>>,
    pub(crate) committed: Option<RawManifest>,
}

impl Default for FakeStore {
    fn default() -> Self {
        Self {
            traits: DestinationTraits {
                manifest_types: Vec::new(),
                layer_compression: LayerWish::Preserve,
                abilities: BTreeSet::new(),
                signatures_refused: None,
            },
            reference: None,
            rejects: Vec::new(),
            fails: AtomicUsize::new(0),
            cause: None,
            wants_repeats: AtomicUsize::new(0),
            lies_about_size: false,
            happened: Mutex::default(),
        }
    }
}

impl FakeStore {
    pub(crate) fn accepting(manifest_types: &[&str]) -> Self {
        let mut store = Self::default();
        store.traits.manifest_types = manifest_types.iter().map(|name| (*name).to_owned()).collect();
        store
    }

    pub(crate) fn wishing(wish: LayerWish) -> Self {
        let mut store = Self::default();
        store.traits.layer_compression = wish;
        store
    }

    pub(crate) fn able(ability: &str) -> Self {
        let mut store = Self::default();
        store.traits.abilities.insert(ability.to_owned());
        store
    }

    pub(crate) fn holding(self, blobs: &[&[u8]]) -> Self {
        for blob in blobs {
            self.happened
                .lock()
                .unwrap()
                .blobs
                .insert(Digest::sha256(blob), Bytes::copy_from_slice(blob));
        }
        self
    }
}

pub(super) struct FakeDestination {
    pub(super) identity: Identity,
    pub(super) store: Arc<FakeStore>,
}

#[async_trait]
impl ImageDestination for FakeDestination {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn traits(&self) -> &DestinationTraits {
        &self.store.traits
    }

    async fn reuse(&self, info: &BlobInfo, substitute: bool) -> Result<Option<Reused>, TransportError> {
        assert!(!substitute);
        let happened = self.store.happened.lock().unwrap();
        let held = happened.blobs.get(info.digest.as_ref().unwrap());
        Ok(held.map(|bytes| {
            let size = bytes.len() as u64 + u64::from(self.store.lies_about_size);
            Reused {
                info: BlobInfo {
                    size: Some(size),
                    ..info.clone()
                },
                mounted: false,
            }
        }))
    }

    async fn begin_blob(&self, info: &BlobInfo) -> Result<Option<PendingBlob>, TransportError> {
        let mut happened = self.store.happened.lock().unwrap();
        happened.begun.push(info.clone());
        happened.open_blobs += 1;
        happened.most_open_blobs = happened.most_open_blobs.max(happened.open_blobs);
        let staged = Arc::new(Mutex::new(Vec::new()));
        let fails = self
            .store
            .fails
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1))
            .is_ok();
        let sink = FakeSink {
            staged: Arc::clone(&staged),
            fails,
        };
        let publish = FakePublish {
            staged,
            store: Arc::clone(&self.store),
            ended: false,
        };
        Ok(Some(PendingBlob {
            sink: Box::new(sink),
            publish: Box::new(publish),
        }))
    }

    async fn put_manifest(&self, manifest: &RawManifest, instance: Option<&Digest>) -> Result<(), TransportError> {
        assert_eq!(instance, None);
        if self.store.rejects.contains(&manifest.media_type()) {
            return Err(TransportError::new(ErrorKind::ManifestTypeRejected, "not this one"));
        }
        self.store.happened.lock().unwrap().manifests.push(manifest.clone());
        Ok(())
    }

    async fn put_signatures(&self, signatures: &[Vec<u8>], _: Option<&Digest>) -> Result<(), TransportError> {
        self.store.happened.lock().unwrap().signatures = signatures.to_vec();
        Ok(())
    }

    async fn commit(self: Box<Self>, top: &RawManifest) -> Result<(), TransportError> {
        self.store.happened.lock().unwrap().committed = Some(top.clone());
        Ok(())
    }
}

struct FakeSink {
    staged: Arc<Mutex<Vec<u8>>>,
    fails: bool,
}

impl ChunkSink for FakeSink {
    fn write_chunk(&mut self, chunk: Bytes) -> io::Result<()> {
        let mut staged = self.staged.lock().unwrap();
        staged.extend_from_slice(&chunk);
        if self.fails && staged.len() > 7 {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct FakePublish {
    staged: Arc<Mutex<Vec<u8>>>,
    store: Arc<FakeStore>,
    ended: bool,
}

#[async_trait]
impl Publish for FakePublish {
    async fn finish(mut self: Box<Self>, digest: &Digest, size: u64) -> Result<(), TransportError> {
        self.ended = true;
        let bytes = Bytes::from(self.staged.lock().unwrap().clone());
        assert_eq!(
            Arc::strong_count(&self.staged),
            1,
            "the sink is gone before the blob is published"
        );
        assert_eq!(
            (Digest::of(digest.algorithm(), &bytes), bytes.len() as u64),
            (digest.clone(), size)
        );
        let mut happened = self.store.happened.lock().unwrap();
        happened.open_blobs -= 1;
        happened.blobs.insert(digest.clone(), bytes);
        Ok(())
    }

    async fn abort(self: Box<Self>) -> Option<TransportError> {
        let error = self
            .store
            .cause
            .map(|cause| TransportError::new(ErrorKind::NoSpace, cause))?;
        let repeats = self
            .store
            .wants_repeats
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1));
        Some(if repeats.is_ok() { error.wanting_repeat() } else { error })
    }
}

impl Drop for FakePublish {
    fn drop(&mut self) {
        if !self.ended {
            let mut happened = self.store.happened.lock().unwrap();
            happened.open_blobs -= 1;
            happened.aborted += 1;
        }
    }
}
