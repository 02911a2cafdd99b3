//! A source whose layers are hashed uncompressed while they pass.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_blob::{BlobError, ChunkSource};
use longshore_types::{BlobInfo, Digest, RawManifest};

use super::diff_ids::{DiffIds, Uncompressed, uncompressed};
use crate::error::TransportError;
use crate::source::{Body, ImageSource, RepositoryTags};
use crate::transport::Identity;

/// Chunks that the hashing thread may lag behind the copy.
const LAG: usize = 4;

/// Passes everything on from another source.
pub(super) struct Recording {
    inner: Arc<dyn ImageSource>,
    diff_ids: Arc<DiffIds>,
}

impl Recording {
    pub(super) fn new(inner: Arc<dyn ImageSource>, diff_ids: Arc<DiffIds>) -> Self {
        Self { inner, diff_ids }
    }
}

#[async_trait]
impl ImageSource for Recording {
    fn identity(&self) -> &Identity {
        self.inner.identity()
    }

    async fn manifest(&self, instance: Option<&Digest>) -> Result<RawManifest, TransportError> {
        self.inner.manifest(instance).await
    }

    async fn blob(&self, info: &BlobInfo) -> Result<Body, TransportError> {
        let body = self.inner.blob(info).await?;
        match &info.digest {
            Some(digest) if self.diff_ids.wanted() => Ok(Body {
                source: Box::new(Tee::start(body.source, digest.clone(), Arc::clone(&self.diff_ids))?),
                size: body.size,
            }),
            _ => Ok(body),
        }
    }

    async fn blob_size(&self, info: &BlobInfo) -> Result<Option<u64>, TransportError> {
        self.inner.blob_size(info).await
    }

    async fn signatures(&self, instance: Option<&Digest>) -> Result<Vec<Vec<u8>>, TransportError> {
        self.inner.signatures(instance).await
    }

    async fn repository_tags(&self) -> Result<Option<RepositoryTags>, TransportError> {
        self.inner.repository_tags().await
    }
}

/// Hands out a blob's chunks and lets a thread have them too. A blob that cannot be decompressed passes all the same:
/// whoever needs its DiffID reads it once more and says what is wrong with it.
struct Tee {
    inner: Box<dyn ChunkSource>,
    feed: Option<SyncSender<Bytes>>,
    hashing: Option<JoinHandle<Result<Uncompressed, BlobError>>>,
    digest: Digest,
    diff_ids: Arc<DiffIds>,
}

impl Tee {
    fn start(inner: Box<dyn ChunkSource>, digest: Digest, diff_ids: Arc<DiffIds>) -> Result<Self, TransportError> {
        let (feed, chunks) = sync_channel(LAG);
        let named = digest.clone();
        let hashing = std::thread::Builder::new()
            .name("diff-id".into())
            .spawn(move || uncompressed(Box::new(Fed(chunks)), named, &()))
            .map_err(|error| TransportError::wrap(longshore_types::ErrorKind::Other, error))?;
        Ok(Self {
            inner,
            feed: Some(feed),
            hashing: Some(hashing),
            digest,
            diff_ids,
        })
    }

    fn end(&mut self) {
        drop(self.feed.take());
        if let Some(Ok(Ok(found))) = self.hashing.take().map(JoinHandle::join) {
            self.diff_ids.record(self.digest.clone(), found);
        }
    }
}

impl ChunkSource for Tee {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let chunk = self.inner.next_chunk()?;
        match &chunk {
            Some(chunk) => {
                let sent = self.feed.as_ref().map(|feed| feed.send(chunk.clone()));
                if let Some(Err(_)) = sent {
                    self.feed = None;
                }
            }
            None => self.end(),
        }
        Ok(chunk)
    }
}

struct Fed(Receiver<Bytes>);

impl ChunkSource for Fed {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        Ok(self.0.recv().ok())
    }
}
