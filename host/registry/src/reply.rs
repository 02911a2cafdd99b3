//! One answer and the reading of its body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, Response, StatusCode};
use tokio::time::{Instant, Sleep};
use url::Url;

use crate::error::Problem;
use crate::fault::{Fault, RequestLine, causes};
use crate::limits::MAX_ERROR_BODY;
use crate::refusal::Refusal;

/// An answer whose body has not been read yet.
pub(crate) struct Reply {
    method: Method,
    response: Response,
    stall: Duration,
}

impl Reply {
    pub(crate) fn new(method: Method, response: Response, stall: Duration) -> Self {
        Self {
            method,
            response,
            stall,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The URL that answered, after redirects.
    pub(crate) fn url(&self) -> &Url {
        self.response.url()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// A header's value, if it is there once or more and readable.
    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The value of Content-Length. For HEAD, where there is no body, as sent.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.header(reqwest::header::CONTENT_LENGTH)?.parse().ok()
    }

    pub(crate) fn line(&self) -> RequestLine {
        RequestLine::new(&self.method, self.url(), Some(self.status()))
    }

    pub(crate) fn fault(&self, problem: Problem) -> Fault {
        Fault::new(problem, self.line())
    }

    pub(crate) fn malformed(&self, text: impl Into<String>) -> Fault {
        self.fault(Problem::Malformed(text.into()))
    }

    /// This answer as an error, with what its body says.
    pub(crate) async fn refused(self) -> Fault {
        let (status, line) = (self.status(), self.line());
        let mut body = BytesMut::new();
        let mut chunks = self.chunks();
        // A body that breaks off still says something.
        while let Some(Ok(chunk)) = chunks.next().await {
            let room = MAX_ERROR_BODY - body.len();
            body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if body.len() == MAX_ERROR_BODY {
                break;
            }
        }
        Fault::new(Problem::Refused(Refusal::read(status, &body)), line)
    }

    /// Reads a body that does not matter, so that its connection can be used again; gives up on a
    /// long one.
    pub(crate) async fn drain(self) {
        let _ = self.body(MAX_ERROR_BODY).await;
    }

    /// The whole body; more than `limit` bytes are an error, whatever Content-Length says.
    pub(crate) async fn body(self, limit: usize) -> Result<Bytes, Fault> {
        let too_large = self.fault(Problem::TooLarge { limit });
        let announced = self.content_length();
        if announced.is_some_and(|length| length > limit as u64) {
            return Err(too_large);
        }
        let mut chunks = self.chunks();
        let Some(first) = chunks.next().await.transpose()? else {
            return Ok(Bytes::new());
        };
        if first.len() > limit {
            return Err(too_large);
        }
        // Most manifests come in one piece, which needs no copy.
        if announced == Some(first.len() as u64) {
            return Ok(first);
        }
        let mut body = BytesMut::from(&first[..]);
        while let Some(chunk) = chunks.next().await.transpose()? {
            if body.len() + chunk.len() > limit {
                return Err(too_large);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// The body as it comes.
    pub(crate) fn chunks(self) -> Chunks {
        Chunks {
            line: self.line(),
            expected: self.content_length(),
            received: 0,
            stall: self.stall,
            deadline: None,
            stream: Box::pin(self.response.bytes_stream()),
        }
    }
}

/// A body in pieces, each as the network delivered it. Ends with an error if nothing comes for the
/// stall time or if the connection ends early.
pub(crate) struct Chunks {
    stream: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
    line: RequestLine,
    expected: Option<u64>,
    received: u64,
    stall: Duration,
    /// Running only while we wait, so that a slow consumer is no stall; kept to be reset.
    deadline: Option<(Pin<Box<Sleep>>, bool)>,
}

impl Chunks {
    fn broken(&self, error: &reqwest::Error) -> Fault {
        let cause = causes(error);
        let text = match self.expected {
            Some(expected) => format!(
                "the body broke off after {} of {expected} bytes: {cause}",
                self.received
            ),
            None => format!("the body broke off after {} bytes: {cause}", self.received),
        };
        Fault::new(Problem::Network(text), self.line.clone())
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        let until = Instant::now() + self.stall;
        let (sleep, running) = self
            .deadline
            .get_or_insert_with(|| (Box::pin(tokio::time::sleep_until(until)), true));
        if !*running {
            sleep.as_mut().reset(until);
            *running = true;
        }
        ready!(sleep.as_mut().poll(cx));
        let problem = Problem::Stalled(self.stall);
        Poll::Ready(Fault::new(problem, self.line.clone()))
    }
}

impl Stream for Chunks {
    type Item = Result<Bytes, Fault>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Poll::Ready(next) = this.stream.as_mut().poll_next(cx) else {
            return this.poll_stalled(cx).map(|fault| Some(Err(fault)));
        };
        if let Some((_, running)) = &mut this.deadline {
            *running = false;
        }
        Poll::Ready(next.map(|chunk| match chunk {
            Ok(chunk) => {
                this.received += chunk.len() as u64;
                Ok(chunk)
            }
            Err(error) => Err(this.broken(&error)),
        }))
    }
}
