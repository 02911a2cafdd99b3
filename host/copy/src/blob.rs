mod peeked;
mod watch;

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use longshore_blob::{BlobError, ChunkSink, ChunkSource, LayerWish, SliceSource, TransferPlan, Transferred, transfer};
use longshore_types::{BlobInfo, Compression, Descriptor, Digest};
use tokio_util::sync::CancellationToken;

use crate::destination::{ImageDestination, PendingBlob, Reused};
use crate::error::{CopyError, Side, TransportError};
use crate::event::{BlobKind, Event, Reporter, SkipReason};
use crate::source::{Body, ImageSource};
use peeked::Peeked;
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
    /// Set when the copy is cancelled or another of its blobs has failed.
    pub(crate) cancel: CancellationToken,
    /// What the other images of the same copy have moved.
    pub(crate) moved: &'a MovedBlobs,
}

/// What a copy has moved so far, by digest in the source and what was to be done to it: the images of a list share layers.
#[derive(Default)]
pub(crate) struct MovedBlobs(Mutex<HashMap<(Digest, LayerWish), Transferred>>);

impl MovedBlobs {
    fn get(&self, job: &BlobJob<'_>) -> Option<Transferred> {
        let moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        moved.get(&(job.descriptor.digest.clone(), job.wish)).cloned()
    }

    fn add(&self, job: &BlobJob<'_>, done: &Transferred) {
        let mut moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        moved.insert((job.descriptor.digest.clone(), job.wish), done.clone());
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
    /// The bytes, if they are at hand; none: asked of the source.
    pub(crate) bytes: Option<Bytes>,
}

/// What became of a blob.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// Its bytes were moved.
    Moved(Box<Transferred>),
    /// Its bytes were moved at another position of the same image.
    Repeated(Box<Transferred>),
    /// No bytes were moved.
    Skipped,
}

impl Outcome {
    /// What the transfer saw, if there was one.
    pub(crate) fn transferred(&self) -> Option<&Transferred> {
        match self {
            Self::Moved(done) | Self::Repeated(done) => Some(done),
            Self::Skipped => None,
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
        if let Some(done) = self.moved.get(job) {
            self.skipped(job, SkipReason::AlreadyExists);
            return Ok(Outcome::Repeated(Box::new(done)));
        }
        let asked = self.step(self.destination.reuse(&job.info, false)).await?;
        if let Some(reused) = asked.map_err(|error| self.on_destination(job, "looking for", error))? {
            if holds(&reused, job.descriptor) {
                let reason = if reused.mounted {
                    SkipReason::Mounted
                } else {
                    SkipReason::AlreadyExists
                };
                return Ok(self.skipped(job, reason));
            }
            tracing::warn!(%digest, "the blob at the destination has another size than the manifest says and is written again");
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
        if job.wish != LayerWish::Preserve {
            let (source, compression) = self.peek(job, body.source).await?;
            body.source = source;
            if changes(job.wish, compression) {
                info.digest = None;
                info.size = None;
            }
        }
        let begun = self.patiently(self.destination.begin_blob(&info)).await?;
        let Some(PendingBlob { sink, publish }) = begun.map_err(|error| self.on_destination(job, "writing", error))?
        else {
            return Ok(self.skipped(job, SkipReason::AlreadyExists));
        };
        let done = match self.transfer(job, body.source, sink).await {
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
        Ok(Outcome::Moved(Box::new(done)))
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
    ) -> Result<Transferred, BlobError> {
        let Descriptor { digest, size, .. } = job.descriptor;
        let plan = TransferPlan::verify(digest.clone(), Some(*size)).with_wish(job.wish);
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
    async fn thread<T>(&self, handle: tokio::task::JoinHandle<T>) -> Result<T, CopyError> {
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

    fn skipped(&self, job: &BlobJob<'_>, reason: SkipReason) -> Outcome {
        self.reporter.send(Event::BlobSkipped {
            blob: job.number,
            reason,
        });
        Outcome::Skipped
    }

    fn on_destination(&self, job: &BlobJob<'_>, doing: &str, source: TransportError) -> CopyError {
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

/// Whether what the destination has is the blob that the manifest names.
fn holds(reused: &Reused, named: &Descriptor) -> bool {
    reused.info.digest.as_ref() == Some(&named.digest) && reused.info.size == Some(named.size)
}

/// Whether a blob of this compression will leave with other bytes than it came with.
fn changes(wish: LayerWish, compression: Compression) -> bool {
    match wish {
        LayerWish::Preserve => false,
        LayerWish::Compress => compression == Compression::None,
        LayerWish::Decompress => compression != Compression::None,
    }
}
