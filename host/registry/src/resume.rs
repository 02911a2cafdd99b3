//! A blob's body that goes on after its connection broke (PI-07).

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::FutureExt as _;
use longshore_types::Digest;
use reqwest::header::{CONTENT_RANGE, HeaderValue, RANGE};
use reqwest::{Method, StatusCode};
use tokio::time::Instant;

use crate::error::{Problem, RegistryError, Subject};
use crate::fault::{Fault, shown};
use crate::limits::{RESUME_AFTER_BYTES, RESUME_AFTER_TIME, RESUME_WAIT};
use crate::reply::{Chunks, Reply};
use crate::repository::Repository;
use crate::request::Call;
use crate::scope::Access;

/// The bytes of a blob as they arrive, in pieces of up to some hundred KiB that nobody copied.
///
/// A connection that breaks is made again for what is missing, as long as that leads on. The body ends with an error if
/// it does not, if the registry sends less than it announced, or if nothing comes for the stall time. The digest is for
/// the caller to verify. Dropping it closes the connection.
pub struct BlobBody {
    state: State,
    size: Option<u64>,
    url: String,
    operation: String,
    /// How many bytes came, over all connections.
    received: u64,
    /// Where the rest of the blob is to be had; none: a broken connection is the end.
    origin: Option<(Repository, Digest)>,
    /// When the last connection was made to go on, and how many bytes had come then.
    last: Option<(Instant, u64)>,
}

enum State {
    Reading(Chunks),
    Reconnecting(Pin<Box<dyn Future<Output = Result<Chunks, Fault>> + Send>>),
    Ended,
}

impl BlobBody {
    /// The body of a blob that a repository sends.
    pub(crate) fn of_repository(reply: Reply, operation: String, repository: Repository, digest: Digest) -> Self {
        Self {
            origin: Some((repository, digest)),
            ..Self::of_elsewhere(reply, operation)
        }
    }

    /// A body that ends with its connection.
    pub(crate) fn of_elsewhere(reply: Reply, operation: String) -> Self {
        Self {
            size: reply.content_length(),
            url: shown(reply.url()),
            state: State::Reading(reply.chunks()),
            operation,
            received: 0,
            origin: None,
            last: None,
        }
    }

    /// The size in bytes, if the registry announced one.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The URL that the bytes come from, fit to be shown.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What to do about a body that broke off.
    fn broken(&mut self, fault: Fault) -> Result<State, Fault> {
        let Some((repository, digest)) = self.origin.clone() else {
            return Err(fault);
        };
        let leads_on = self.last.is_none_or(|(when, received)| {
            self.received - received >= RESUME_AFTER_BYTES || when.elapsed() >= RESUME_AFTER_TIME
        });
        // A blob that is whole by its length needs no more, and a registry that said nothing for the stall time was waited
        // for long enough.
        if !leads_on || !matches!(fault.problem(), Problem::Network(_)) || self.size == Some(self.received) {
            return Err(fault);
        }
        self.last = Some((Instant::now(), self.received));
        tracing::info!("fetching blob {digest}: {}; going on from there", fault.problem());
        let (received, size) = (self.received, self.size);
        let reconnect = async move {
            tokio::time::sleep(RESUME_WAIT).await;
            let rest = rest(&repository, &digest, received, size).await;
            rest.map_err(|second| fault.and_then(&second))
        };
        Ok(State::Reconnecting(reconnect.boxed()))
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        loop {
            match &mut self.state {
                State::Ended => return Poll::Ready(None),
                State::Reading(chunks) => match std::task::ready!(Pin::new(chunks).poll_next(cx)) {
                    Some(Ok(chunk)) => {
                        self.received += chunk.len() as u64;
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                    Some(Err(fault)) => match self.broken(fault) {
                        Ok(state) => self.state = state,
                        Err(fault) => {
                            self.state = State::Ended;
                            return Poll::Ready(Some(Err(fault)));
                        }
                    },
                    None => self.state = State::Ended,
                },
                State::Reconnecting(next) => match std::task::ready!(next.poll_unpin(cx)) {
                    Ok(chunks) => self.state = State::Reading(chunks),
                    Err(fault) => {
                        self.state = State::Ended;
                        return Poll::Ready(Some(Err(fault)));
                    }
                },
            }
        }
    }
}

impl Stream for BlobBody {
    type Item = Result<Bytes, RegistryError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.poll_chunk(cx)
            .map(|next| next.map(|chunk| chunk.map_err(|fault| fault.during(Subject::Blob, this.operation.clone()))))
    }
}

/// The rest of a blob from an offset on.
async fn rest(repository: &Repository, digest: &Digest, offset: u64, size: Option<u64>) -> Result<Chunks, Fault> {
    let scopes = repository.scopes(Access::Read);
    let url = repository.url(["blobs", digest.as_str()]).await?;
    let mut call = Call::new(Method::GET, url, &scopes);
    if let Ok(range) = HeaderValue::try_from(format!("bytes={offset}-")) {
        call.headers.insert(RANGE, range);
    }
    let reply = repository.client.send(call).await?;
    match reply.status() {
        StatusCode::PARTIAL_CONTENT => {}
        StatusCode::OK => return Err(reply.malformed("the server ignores the Range header")),
        _ => return Err(reply.refused().await),
    }
    let Some(value) = reply.header(CONTENT_RANGE) else {
        return Err(reply.malformed("a partial answer without a Content-Range header"));
    };
    if !is_rest(value, offset, size) {
        let value: String = value.chars().take(64).collect();
        return Err(reply.malformed(format!("asked for bytes from {offset} on, got Content-Range {value:?}")));
    }
    Ok(reply.chunks())
}

/// Whether a Content-Range names everything from `offset` to the end, and the end is where it was before.
fn is_rest(value: &str, offset: u64, size: Option<u64>) -> bool {
    let parse = || {
        let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let number = |text: &str| text.trim().parse::<u64>().ok();
        Some((number(first)?, number(last)?, total.trim()))
    };
    let Some((first, last, total)) = parse() else {
        return false;
    };
    let Some(end) = last.checked_add(1) else {
        return false;
    };
    // `*` stands for a total that the server does not know.
    let whole = total == "*" || total.parse() == Ok(end);
    first == offset && last >= first && whole && size.is_none_or(|size| size == end)
}

#[cfg(test)]
mod tests {
    use super::is_rest;

    #[test]
    fn content_ranges() {
        let cases = [
            ("bytes 4-9/10", Some(10), true),
            ("bytes 4-9/10", None, true),
            ("bytes 4-9/*", Some(10), true),
            ("bytes 4-9/*", None, true),
            ("bytes 4-9/11", None, false),
            ("bytes 4-8/10", Some(10), false),
            ("bytes 4-9/10", Some(11), false),
            ("bytes 3-9/10", Some(10), false),
            ("bytes 0-9/10", Some(10), false),
            ("bytes 4-3/4", None, false),
            ("bytes */10", Some(10), false),
            ("bytes=4-9/10", Some(10), false),
            ("bytes 4-18446744073709551615/*", None, false),
            ("bytes 4-99999999999999999999/*", None, false),
            ("bytes -4-9/10", Some(10), false),
            ("lines 4-9/10", Some(10), false),
            ("", None, false),
        ];
        for (value, size, expected) in cases {
            assert_eq!(is_rest(value, 4, size), expected, "{value} {size:?}");
        }
    }
}
