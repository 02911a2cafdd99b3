//! Uploads of blobs: a session, its data in one streaming request, its end (OP-05).

use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use longshore_types::Digest;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use reqwest::{Body, Method, Request, StatusCode};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use crate::client::lock;
use crate::error::{BoxError, Problem, RegistryError, Subject};
use crate::fault::{Fault, RequestLine, causes};
use crate::http::location;
use crate::limits::{CANCEL_TIMEOUT, CHUNK, COMMIT_STALLS};
use crate::reply::Reply;
use crate::repository::Repository;
use crate::request::Call;
use crate::scope::{Access, Scopes};
use crate::tap::{Source, Tap};

const CHUNK_MIN_LENGTH: HeaderName = HeaderName::from_static("oci-chunk-min-length");

/// An open upload session. One that is not finished is cancelled: awaited after a failure, in the
/// background if it is dropped ([`Client::settle`](crate::Client::settle) waits for these).
pub struct Upload {
    pub(crate) repository: Repository,
    pub(crate) scopes: Scopes,
    /// Where the session is to be continued; none once it is over.
    pub(crate) location: Option<Url>,
    /// Smallest piece that the registry takes, but for the last one.
    pub(crate) min_piece: usize,
}

impl Repository {
    /// Opens an upload session for one blob.
    pub async fn start_upload(&self) -> Result<Upload, RegistryError> {
        self.post_upload().await.map_err(|fault| {
            let operation = format!("initiating layer upload to {}", self.name());
            fault.during(Subject::Other, operation)
        })
    }

    async fn post_upload(&self) -> Result<Upload, Fault> {
        let scopes = self.scopes(Access::Write);
        let url = self.url(["blobs", "uploads", ""]).await?;
        let reply = self.client.send(Call::new(Method::POST, url, &scopes)).await?;
        match reply.status() {
            StatusCode::ACCEPTED => Upload::opened(self.clone(), reply).await,
            _ => Err(reply.refused().await),
        }
    }
}

impl Upload {
    /// The session that an answer opened.
    pub(crate) async fn opened(repository: Repository, reply: Reply) -> Result<Self, Fault> {
        if !reply.headers().contains_key(LOCATION) {
            return Err(reply.malformed("the registry opened an upload without a Location"));
        }
        let min_piece = reply.header(CHUNK_MIN_LENGTH);
        let mut upload = Self {
            min_piece: min_piece.and_then(|text| text.parse().ok()).unwrap_or(0),
            scopes: repository.scopes(Access::Write),
            location: None,
            repository,
        };
        upload.moved(&reply)?;
        reply.drain().await;
        Ok(upload)
    }

    /// Sends the blob, in one request whose body is the stream. With a size the request has a
    /// Content-Length, and a stream of another length is an error; without, it is sent chunked.
    ///
    /// Where the registry refuses that (too large, no length, ranges wanted), the blob is sent in
    /// pieces of some MiB, each with its length and range, and so are all later ones. If too much
    /// of the stream is gone by then, the error is [`Problem::PiecesOnly`]: the same blob sent
    /// again will go in pieces.
    ///
    /// After an error the session is cancelled.
    pub async fn send<S, E>(&mut self, stream: S, size: Option<u64>) -> Result<(), RegistryError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let source: Source = stream.map_err(Into::into).boxed();
        let sent = match self.repository.client.inner.piece.load(Relaxed) {
            0 => self.send_whole(source, size).await,
            _ => self.send_pieces(source, size).await,
        };
        if sent.is_err() {
            self.abort().await;
        }
        sent.map_err(|fault| {
            let operation = format!("uploading layer to {}", self.repository.name());
            fault.during(Subject::Other, operation)
        })
    }

    async fn send_whole(&mut self, source: Source, size: Option<u64>) -> Result<(), Fault> {
        let tap = Tap::new(source, size);
        let reply = self.stream_from(&tap, size).await?;
        if reply.status().is_success() {
            self.moved(&reply)?;
            reply.drain().await;
            return Ok(());
        }
        let wants_pieces = matches!(reply.status().as_u16(), 400 | 405 | 411 | 413 | 416 | 501);
        let fault = reply.refused().await;
        if !wants_pieces {
            return Err(fault);
        }
        tracing::debug!("{}: sending blobs in pieces", fault.problem());
        self.repository.client.inner.piece.store(CHUNK, Relaxed);
        let Some(source) = tap.reclaim() else {
            return Err(fault.into_pieces_only());
        };
        // How much of the refused request the session took is anybody's guess.
        self.abort().await;
        *self = self.repository.post_upload().await?;
        self.send_pieces(source, size).await
    }

    /// One PATCH with the tapped stream as its body.
    async fn stream_from(&self, tap: &Tap, size: Option<u64>) -> Result<Reply, Fault> {
        let client = &self.repository.client;
        let url = self.place()?;
        let line = RequestLine::new(&Method::PATCH, &url, None);
        let mut request = Request::new(Method::PATCH, url);
        let authorization = client.authorization_for(request.url(), &self.scopes).await?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, octets());
        if let Some(size) = size {
            headers.insert(CONTENT_LENGTH, size.into());
        }
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value);
        }
        *request.body_mut() = Some(Body::wrap_stream(tap.stream()));

        let stall = client.inner.stall;
        let answer = client.http().await?.execute(request);
        tokio::pin!(answer);
        let answer = loop {
            let deadline = tap.deadline(stall);
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(Fault::new(Problem::Stalled(stall), line));
            }
            let look_again = deadline.unwrap_or_else(|| Instant::now() + stall);
            if let Ok(answer) = timeout_at(look_again, &mut answer).await {
                break answer;
            }
        };
        match (answer, tap.failure()) {
            (_, Some(error)) => Err(Fault::without_request(Problem::Source(error))),
            (Ok(response), None) => Ok(client.answered(Method::PATCH, response)),
            (Err(error), None) => Err(Fault::new(Problem::Network(causes(&error)), line)),
        }
    }

    /// Ends the session: what was sent becomes the blob `digest`, if it has that digest.
    pub async fn finish(mut self, digest: &Digest) -> Result<(), RegistryError> {
        let finished = self.put(digest).await;
        match finished {
            Ok(()) => self.location = None,
            Err(_) => self.abort().await,
        }
        finished.map_err(|fault| {
            let operation = format!("uploading layer {digest} to {}", self.repository.name());
            fault.during(Subject::Other, operation)
        })
    }

    async fn put(&self, digest: &Digest) -> Result<(), Fault> {
        let mut url = self.place()?;
        url.query_pairs_mut().append_pair("digest", digest.as_str());
        let mut call = Call::new(Method::PUT, url, &self.scopes);
        call.headers.insert(CONTENT_TYPE, octets());
        call.stalls = COMMIT_STALLS;
        let reply = self.repository.client.send(call).await?;
        if reply.status() != StatusCode::CREATED {
            return Err(reply.refused().await);
        }
        reply.drain().await;
        Ok(())
    }

    /// Cancels the session and waits for it, some seconds at most. That it fails is no error: a
    /// registry forgets its sessions some time.
    pub async fn cancel(mut self) {
        self.abort().await;
    }

    pub(crate) async fn abort(&mut self) {
        if let Some(location) = self.location.clone() {
            delete(&self.repository, location, &self.scopes).await;
            self.location = None;
        }
    }

    /// Where the session is to be continued.
    pub(crate) fn place(&self) -> Result<Url, Fault> {
        self.location.clone().ok_or_else(|| {
            let text = "the upload session is over".to_owned();
            Fault::without_request(Problem::Setup(text))
        })
    }

    /// Takes over the newest Location, if the answer has one.
    pub(crate) fn moved(&mut self, reply: &Reply) -> Result<(), Fault> {
        let Some(value) = reply.headers().get(LOCATION) else {
            return Ok(());
        };
        let verify = self.repository.client.inner.tls_verify;
        let value = value.to_str().map_err(|error| error.to_string());
        let next = value.and_then(|value| location(reply.url(), value, verify));
        self.location = Some(next.map_err(|text| reply.malformed(text))?);
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(location) = self.location.take() else {
            return;
        };
        // Without a runtime there is nobody to do it any more.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (repository, scopes) = (self.repository.clone(), self.scopes.clone());
        let client = repository.client.clone();
        let task = runtime.spawn(async move { delete(&repository, location, &scopes).await });
        let mut cancelling = lock(&client.inner.cancelling);
        cancelling.retain(|task| !task.is_finished());
        cancelling.push(task);
    }
}

async fn delete(repository: &Repository, location: Url, scopes: &Scopes) {
    let call = Call::new(Method::DELETE, location, scopes);
    let removal = async {
        let reply = repository.client.send(call).await?;
        if !reply.status().is_success() {
            return Err(reply.refused().await);
        }
        reply.drain().await;
        Ok(())
    };
    if let Ok(Err(fault)) = timeout(CANCEL_TIMEOUT, removal).await {
        tracing::debug!("cancelling an upload to {}: {}", repository.name(), fault.problem());
    }
}

pub(crate) fn octets() -> HeaderValue {
    HeaderValue::from_static("application/octet-stream")
}
