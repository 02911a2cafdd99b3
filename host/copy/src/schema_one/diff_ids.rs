//! What layers are when they are uncompressed.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use longshore_blob::{BlobError, ChunkSink, ChunkSource, LayerWish, Observer, TransferPlan, transfer};
use longshore_types::{Compression, Descriptor, Digest};
use tokio_util::sync::CancellationToken;

use crate::blob::Shared;
use crate::error::{CopyError, Side};

/// What was found out about one layer.
#[derive(Clone, Debug)]
pub(super) struct Uncompressed {
    pub(super) diff_id: Digest,
    /// How the layer is compressed at the source.
    pub(super) compression: Compression,
}

/// What the layers of a source turned out to be, by the digest under which the source has them.
#[derive(Default)]
pub(super) struct DiffIds {
    wanted: AtomicBool,
    found: Mutex<HashMap<Digest, Uncompressed>>,
}

impl DiffIds {
    pub(super) fn want(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    pub(super) fn wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    pub(super) fn record(&self, layer: Digest, found: Uncompressed) {
        let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(layer, found);
    }

    fn get(&self, layer: &Digest) -> Option<Uncompressed> {
        let all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(layer).cloned()
    }

    /// What is known of a layer, or what its bytes say: those that the destination had already are read for that alone
    /// (LC-13, MC-05).
    pub(super) async fn of(&self, shared: &Shared<'_>, layer: &Descriptor) -> Result<Uncompressed, CopyError> {
        if let Some(found) = self.get(&layer.digest) {
            return Ok(found);
        }
        let doing = || format!("reading blob {}", layer.digest);
        let opened = shared.step(shared.source.blob(&layer.to_blob_info("layer"))).await?;
        let body = opened.map_err(|source| CopyError::Transport {
            side: Side::Source,
            name: shared.source_name.to_owned(),
            doing: doing(),
            source,
        })?;
        let (digest, cancel) = (layer.digest.clone(), shared.cancel.clone());
        let reading = tokio::task::spawn_blocking(move || uncompressed(body.source, digest, &Until(cancel)));
        let found = shared.step(reading).await?;
        let found = found.map_err(|error| CopyError::Internal(error.to_string()))?;
        let found = found.map_err(|source| match source {
            BlobError::Cancelled => CopyError::Interrupted,
            source => CopyError::Blob {
                side: Side::Source,
                name: shared.source_name.to_owned(),
                doing: doing(),
                source,
            },
        })?;
        self.record(layer.digest.clone(), found.clone());
        Ok(found)
    }
}

/// Reads a layer to its end and decompresses it on the way.
pub(super) fn uncompressed(
    source: Box<dyn ChunkSource + '_>,
    digest: Digest,
    observer: &dyn Observer,
) -> Result<Uncompressed, BlobError> {
    let plan = TransferPlan::verify(digest, None).with_wish(LayerWish::Decompress);
    let done = transfer(source, &mut Nowhere, &plan, observer)?;
    Ok(Uncompressed {
        diff_id: done.digest,
        compression: done.source_compression,
    })
}

struct Nowhere;

impl ChunkSink for Nowhere {
    fn write_chunk(&mut self, _chunk: Bytes) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lets a transfer end with the copy.
struct Until(CancellationToken);

impl Observer for Until {
    fn cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}
