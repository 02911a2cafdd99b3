mod peeked;
mod precomputed;
mod turns;
mod watch;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use longshore_blob::{
    BlobError, Change, ChunkSink, ChunkSource, LayerWish, SliceSource, TransferPlan, Transferred, transfer,
};
use longshore_types::{BlobInfo, Compression, Descriptor, Digest};
use tokio_util::sync::CancellationToken;

use crate::blob_info_cache::BlobInfoCache;
use crate::compression::CompressionOptions;
use crate::destination::{ImageDestination, PendingBlob};
use crate::error::{CopyError, Side, TransportError};
use crate::event::{BlobKind, Event, Reporter, SkipReason};
use crate::source::{Body, ImageSource};
use peeked::Peeked;
pub(crate) use turns::Turns;
use watch::Watch;

/// How long what is under way may take to notice that the copy was cancelled before it is left to end by itself: it may wait for a peer that never
/// answers.
const GRACE: Duration = Duration::from_secs(2);

/// How long a destination may take to remove an unfinished blob.
const ABORT_GRACE: Duration = Duration::from_secs(5);

/// What all blob transfers of one copy share.
pub(crate) struct Shared<'a> {
    pub(crate) source: &'a dyn ImageSource,
    pub(crate) destination: &'a dyn ImageDestination,
    pub(crate) source_name: &'a str,
    pub(crate) destination_name: &'a str,
    pub(crate) reporter: &'a Reporter,
    pub(crate) compression: &'a CompressionOptions,
    pub(crate) cache: &'a Arc<dyn BlobInfoCache>,
    /// Set when the copy is cancelled or another of its blobs has failed.
    pub(crate) cancel: CancellationToken,
    /// What the other images of the same copy have moved.
    pub(crate) moved: &'a MovedBlobs,
    /// Which blobs are being written.
    pub(crate) turns: Turns,
}

/// What a copy has moved so far, by digest in the source and what was to be done to it: the images of a list share layers.
#[derive(Default)]
pub(crate) struct MovedBlobs(Mutex<HashMap<(Digest, LayerWish), Stored>>);

impl MovedBlobs {
    fn get(&self, job: &BlobJob<'_>) -> Option<Stored> {
        let moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        moved.get(&(job.descriptor.digest.clone(), job.wish)).cloned()
    }

    fn add(&self, job: &BlobJob<'_>, done: &Transferred) {
        let mut moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        moved.insert((job.descriptor.digest.clone(), job.wish), Stored::from(done));
    }
}

/// One blob to be moved.
pub(crate) struct BlobJob<'a> {
    /// Number in events.
    pub(crate) number: usize,
    pub(crate) kind: BlobKind,
    pub(crate) descriptor: &'a Descriptor,
    /// The same with all that is known about it.
    pub(crate) info: BlobInfo,
    pub(crate) wish: LayerWish,
    /// Whether the manifest to be written can name it if it is compressed with zstd.
    pub(crate) zstd: bool,
    /// The bytes, if they are at hand; none: asked of the source.
    pub(crate) bytes: Option<Bytes>,
}

/// What became of a blob.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// Its bytes were moved.
    Moved(Box<Transferred>),
    /// What it became at another position of the same image.
    Repeated(Box<Stored>),
    /// The destination had another blob with the same content.
    Substituted(Box<Stored>),
    /// No bytes were moved.
    Skipped,
}

/// A layer as the destination has it.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) compression: Compression,
    /// The digest of its content, if this copy has read it.
    pub(crate) seen_diff_id: Option<Digest>,
}

impl From<&Transferred> for Stored {
    fn from(done: &Transferred) -> Self {
        Self {
            digest: done.digest.clone(),
            size: done.size,
            compression: done.compression,
            seen_diff_id: done.diff_id.clone(),
        }
    }
}

impl Outcome {
    /// How the blob is stored, if that is not just as the source has it.
    pub(crate) fn stored(&self) -> Option<Stored> {
        match self {
            Self::Moved(done) => Some(Stored::from(done.as_ref())),
            Self::Repeated(stored) | Self::Substituted(stored) => Some(stored.as_ref().clone()),
            Self::Skipped => None,
        }
    }

    /// The digest of the uncompressed bytes that passed.
    pub(crate) fn seen_diff_id(&self) -> Option<&Digest> {
        match self {
            Self::Moved(done) => done.diff_id.as_ref(),
            Self::Substituted(stored) => stored.seen_diff_id.as_ref(),
            Self::Repeated(_) | Self::Skipped => None,
        }
    }
}

impl Shared<'_> {
    /// Brings one blob to the destination, verified, unless it is there already.
    pub(crate) async fn copy_blob(&self, job: &BlobJob<'_>) -> Result<Outcome, CopyError> {
        if self.cancel.is_cancelled() {
            return Err(CopyError::Interrupted);
        }
        let Descriptor { digest, size, urls, .. } = job.descriptor;
        self.reporter.send(Event::BlobStarted {
            blob: job.number,
            kind: job.kind,
            digest: digest.clone(),
            size: *size,
        });
        if job.kind == BlobKind::Layer && !urls.is_empty() && self.destination.traits().has("foreign-layers") {
            return Ok(self.skipped(job, SkipReason::Foreign));
        }
        if let Some(stored) = self.moved.get(job) {
            self.skipped(job, SkipReason::AlreadyExists);
            // This image's config is yet to be compared with the content that passed.
            return Ok(Outcome::Substituted(Box::new(stored)));
        }
        if let Some(found) = self.find(job).await? {
            return Ok(found);
        }
        match self.move_blob(job).await {
            Err(CopyError::Transport {
                side: Side::Destination,
                source,
                ..
            }) if source.wants_repeat() => self.move_blob(job).await,
            outcome => outcome,
        }
    }

    async fn move_blob(&self, job: &BlobJob<'_>) -> Result<Outcome, CopyError> {
        let mut info = job.info.clone();
        let mut body = self.body(job, &info).await?;
        let plan = self.compression.plan(job.descriptor, job.wish);
        if job.wish != LayerWish::Preserve {
            let (source, compression) = self.peek(job, body.source).await?;
            body.source = source;
            if plan.change(compression) != Change::Keep {
                if let Some(folder) = self.compression.folder_for(self.destination.traits()) {
                    return self.precomputed(job, body.source, plan, &folder).await;
                }
                info.digest = None;
                info.size = None;
            }
        }
        match self.store(job, &info, body.source, plan).await? {
            Some(done) => Ok(Outcome::Moved(Box::new(done))),
            None => Ok(self.skipped(job, SkipReason::AlreadyExists)),
        }
    }

    /// Moves bytes to the destination; none if it turns out to have them.
    async fn store(
        &self,
        job: &BlobJob<'_>,
        info: &BlobInfo,
        source: Box<dyn ChunkSource>,
        plan: TransferPlan,
    ) -> Result<Option<Transferred>, CopyError> {
        // Two layers may become the same blob. The second waits, and then the destination has it.
        let _turn = match &info.digest {
            Some(digest) => Some(self.step(self.turns.take(digest)).await?),
            None => None,
        };
        let begun = self.patiently(self.destination.begin_blob(info)).await?;
        let Some(PendingBlob { sink, publish }) = begun.map_err(|error| self.on_destination(job, "writing", error))?
        else {
            return Ok(None);
        };
        let done = match self.transfer(job, source, sink, plan).await {
            Ok(done) => done,
            Err(error) => {
                let cause = tokio::time::timeout(ABORT_GRACE, publish.abort())
                    .await
                    .unwrap_or_default();
                return Err(self.on_transfer(job, error, cause));
            }
        };
        let published = self.patiently(publish.finish(&done.digest, done.size)).await?;
        published.map_err(|error| self.on_destination(job, "writing", error))?;
        self.reporter.send(Event::BlobDone {
            blob: job.number,
            digest: done.digest.clone(),
            size: done.size,
        });
        self.moved.add(job, &done);
        Ok(Some(done))
    }

    async fn body(&self, job: &BlobJob<'_>, info: &BlobInfo) -> Result<Body, CopyError> {
        if let Some(bytes) = &job.bytes {
            return Ok(Body {
                source: Box::new(SliceSource::new(bytes.clone())),
                size: Some(bytes.len() as u64),
            });
        }
        let body = self.step(self.source.blob(info)).await?;
        let body = body.map_err(|error| self.on_source(job, error))?;
        match body.size {
            Some(size) if size != job.descriptor.size => Err(CopyError::Mismatch {
                what: format!("blob {}", job.descriptor.digest),
                name: self.source_name.to_owned(),
                detail: format!("the manifest says {} bytes, it has {size}", job.descriptor.size),
            }),
            _ => Ok(body),
        }
    }

    /// Tells a blob's compression by its first bytes, before the destination is told what comes.
    async fn peek(
        &self,
        job: &BlobJob<'_>,
        source: Box<dyn ChunkSource>,
    ) -> Result<(Box<dyn ChunkSource>, Compression), CopyError> {
        let reading = tokio::task::spawn_blocking(move || Peeked::read(source));
        let peeked = self
            .thread(reading)
            .await?
            .map_err(|error| self.on_transfer(job, BlobError::Read(error), None))?;
        let compression = peeked.compression();
        Ok((Box::new(peeked), compression))
    }

    async fn transfer(
        &self,
        job: &BlobJob<'_>,
        source: Box<dyn ChunkSource>,
        mut sink: Box<dyn ChunkSink>,
        plan: TransferPlan,
    ) -> Result<Transferred, BlobError> {
        let watch = Watch::new(job.number, self.reporter.clone(), self.cancel.clone());
        // The sink ends with the thread: its file handles are closed before anything is published.
        let moving = tokio::task::spawn_blocking(move || transfer(source, sink.as_mut(), &plan, &watch));
        match self.thread(moving).await {
            Ok(result) => result,
            Err(CopyError::Interrupted) => Err(BlobError::Cancelled),
            Err(error) => Err(BlobError::Read(io::Error::other(error))),
        }
    }

    /// Awaits a thread's end.
    pub(crate) async fn thread<T>(&self, handle: tokio::task::JoinHandle<T>) -> Result<T, CopyError> {
        self.patiently(handle)
            .await?
            .map_err(|error| CopyError::Internal(error.to_string()))
    }

    /// Awaits what is better not cut short; after a cancellation only for the grace time.
    async fn patiently<T>(&self, work: impl Future<Output = T>) -> Result<T, CopyError> {
        let out_of_patience = async {
            self.cancel.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = out_of_patience => Err(CopyError::Interrupted),
        }
    }

    /// Awaits a transport's answer unless the copy ends meanwhile.
    pub(crate) async fn step<T>(&self, answer: impl Future<Output = T>) -> Result<T, CopyError> {
        self.cancel
            .run_until_cancelled(answer)
            .await
            .ok_or(CopyError::Interrupted)
    }

    pub(crate) fn skipped(&self, job: &BlobJob<'_>, reason: SkipReason) -> Outcome {
        self.reporter.send(Event::BlobSkipped {
            blob: job.number,
            reason,
        });
        Outcome::Skipped
    }

    pub(crate) fn on_destination(&self, job: &BlobJob<'_>, doing: &str, source: TransportError) -> CopyError {
        CopyError::Transport {
            side: Side::Destination,
            name: self.destination_name.to_owned(),
            doing: format!("{doing} blob {}", job.descriptor.digest),
            source,
        }
    }

    /// Gives a failed transfer the side it failed at. `cause` is what the destination knows about its own failure.
    fn on_transfer(&self, job: &BlobJob<'_>, error: BlobError, cause: Option<TransportError>) -> CopyError {
        match (error, cause) {
            (BlobError::Cancelled, _) => CopyError::Interrupted,
            (BlobError::Write(_) | BlobError::Finish(_), Some(cause)) => self.on_destination(job, "writing", cause),
            (BlobError::Write(error), None) => self.on_sink(job, error, BlobError::Write),
            (BlobError::Finish(error), None) => self.on_sink(job, error, BlobError::Finish),
            (BlobError::Read(error), _) => match error.downcast::<TransportError>() {
                Ok(error) => self.on_source(job, error),
                Err(error) => self.on_bytes(job, BlobError::Read(error)),
            },
            (error, _) => self.on_bytes(job, error),
        }
    }

    fn on_sink(&self, job: &BlobJob<'_>, error: io::Error, wrap: fn(io::Error) -> BlobError) -> CopyError {
        match error.downcast::<TransportError>() {
            Ok(error) => self.on_destination(job, "writing", error),
            Err(error) => {
                let name = self.destination_name.to_owned();
                CopyError::Blob {
                    side: Side::Destination,
                    name,
                    doing: format!("writing blob {}", job.descriptor.digest),
                    source: wrap(error),
                }
            }
        }
    }

    fn on_bytes(&self, job: &BlobJob<'_>, source: BlobError) -> CopyError {
        let name = self.source_name.to_owned();
        CopyError::Blob {
            side: Side::Source,
            name,
            doing: format!("reading blob {}", job.descriptor.digest),
            source,
        }
    }

    fn on_source(&self, job: &BlobJob<'_>, source: TransportError) -> CopyError {
        let name = self.source_name.to_owned();
        CopyError::Transport {
            side: Side::Source,
            name,
            doing: format!("reading blob {}", job.descriptor.digest),
            source,
        }
    }
}
