use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::blob_info_cache::{BlobInfoCache, MemoryCache};
use crate::error::CopyError;
use crate::event::{Events, Reporter};
use crate::list::{self, AcceptedList};
use crate::open::{self, AcceptedImage};
use crate::options::{CopyReport, Instances, Options};
use crate::policy::SignaturePolicy;
use crate::single;
use crate::source::ImageSource;
use crate::transport::{Location, Purpose};
use crate::transports::{Endpoint, Transports};

/// What an accepted source gives.
enum Accepted {
    Image(Box<AcceptedImage>),
    List(Box<AcceptedList>),
}

impl Accepted {
    fn source(&self) -> &dyn ImageSource {
        match self {
            Self::Image(image) => image.source.as_ref(),
            Self::List(list) => list.source(),
        }
    }
}

/// What all steps of one copy are given.
pub(crate) struct Work<'a> {
    pub(crate) options: &'a Options,
    pub(crate) cache: &'a Arc<dyn BlobInfoCache>,
    pub(crate) reporter: &'a Reporter,
    pub(crate) cancel: &'a CancellationToken,
}

/// Copies one image, or the images of a list.
///
/// ```no_run
/// # async fn example(transports: longshore_copy::Transports, policy: longshore_copy::SignaturePolicy,
/// #     source: longshore_copy::Endpoint, destination: longshore_copy::Endpoint) -> Result<(), longshore_copy::CopyError> {
/// let (copy, mut events) = longshore_copy::Copier::new(transports, source, destination, policy).start();
/// let (report, ()) = tokio::join!(copy, async { while let Some(_event) = events.next().await {} });
/// assert_eq!(report?.blobs_copied, 2);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Copier {
    transports: Transports,
    source: Endpoint,
    destination: Endpoint,
    policy: SignaturePolicy,
    options: Options,
    cache: Arc<dyn BlobInfoCache>,
}

impl Copier {
    /// A copy with default options. It begins when the future of [`Copier::start`] is polled.
    pub fn new(transports: Transports, source: Endpoint, destination: Endpoint, policy: SignaturePolicy) -> Self {
        Self {
            transports,
            source,
            destination,
            policy,
            options: Options::default(),
            cache: Arc::new(MemoryCache::default()),
        }
    }

    /// Sets the options.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Sets what remembers blobs from copy to copy (BR-04); without it every copy starts with nothing.
    #[must_use]
    pub fn blob_info_cache(mut self, cache: Arc<dyn BlobInfoCache>) -> Self {
        self.cache = cache;
        self
    }

    /// The copy itself, and what it reports on the way. The events may be dropped.
    pub fn start(self) -> (Copying, Events) {
        let (reporter, events) = Reporter::new();
        let cancel = CancellationToken::new();
        let work = self.run(reporter, cancel.clone());
        (
            Copying {
                work: Box::pin(work),
                cancel: cancel.clone(),
                _guard: cancel.drop_guard(),
            },
            events,
        )
    }

    async fn run(self, reporter: Reporter, cancel: CancellationToken) -> Result<CopyReport, CopyError> {
        let source_location = self.transports.locate(&self.source, Purpose::Source).await?;
        let destination_location = self.transports.locate(&self.destination, Purpose::Destination).await?;
        let reading = self.accepted(source_location, destination_location.as_ref());
        let accepted = cancel
            .run_until_cancelled(reading)
            .await
            .ok_or(CopyError::Interrupted)??;
        let opening = open::destination(destination_location, accepted.source().identity());
        let destination = cancel
            .run_until_cancelled(opening)
            .await
            .ok_or(CopyError::Interrupted)??;
        let work = Work {
            options: &self.options,
            cache: &self.cache,
            reporter: &reporter,
            cancel: &cancel,
        };
        match &accepted {
            Accepted::Image(image) => single::copy(image, destination, &work).await,
            Accepted::List(list) => list::copy(list, destination, &work).await,
        }
    }

    /// Reads and judges what is to be copied. After this the destination may be touched.
    async fn accepted(&self, source: Box<dyn Location>, destination: &dyn Location) -> Result<Accepted, CopyError> {
        let opened = open::source(source, &self.policy).await?;
        if self.options.instances == Instances::System || !opened.top.is_list() {
            let accepting = opened.accept_one(&self.policy, &self.options.platform, destination);
            let image = accepting.await?;
            return Ok(Accepted::Image(Box::new(image)));
        }
        let list = AcceptedList::read(opened, &self.policy, &self.options).await?;
        Ok(Accepted::List(Box::new(list)))
    }
}

/// A copy at work: a future that needs a tokio runtime. Dropping it cancels the copy; nothing half-done becomes visible.
pub struct Copying {
    /// Dropped first, so that transfers know before what they work for is gone.
    _guard: DropGuard,
    cancel: CancellationToken,
    work: Pin<Box<dyn Future<Output = Result<CopyReport, CopyError>> + Send>>,
}

impl Copying {
    /// A handle that ends the copy in good order: uploads are cancelled and transfers awaited, then the future gives
    /// [`CopyError::Interrupted`].
    pub fn cancel_handle(&self) -> CancelHandle {
        CancelHandle(self.cancel.clone())
    }
}

impl Future for Copying {
    type Output = Result<CopyReport, CopyError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.work.as_mut().poll(context)
    }
}

/// Cancels a copy from elsewhere, such as a signal handler.
#[derive(Clone, Debug)]
pub struct CancelHandle(CancellationToken);

impl CancelHandle {
    /// Asks the copy to end. It has no effect on a copy that has ended.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

#[cfg(test)]
mod tests;
