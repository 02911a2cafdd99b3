//! What stands between a caller's stream and the request that sends it: counts, remembers the
//! beginning, and knows who is waiting for whom.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::time::Instant;

use crate::client::lock;
use crate::error::BoxError;
use crate::limits::{COMMIT_STALLS, REPLAY_WINDOW};

pub(crate) type Source = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>;

/// Handle of the sending side; [`Tap::stream`] is what the HTTP client reads.
pub(crate) struct Tap {
    state: Arc<Mutex<State>>,
}

/// The reading side.
pub(crate) struct TapStream {
    state: Arc<Mutex<State>>,
}

struct State {
    source: Source,
    size: Option<u64>,
    sent: u64,
    /// Everything sent so far, until it is more than the window.
    window: Option<Vec<Bytes>>,
    failure: Option<BoxError>,
    abandoned: bool,
    phase: Phase,
}

/// Who has to act.
enum Phase {
    /// The source: however long it takes is not the registry's fault.
    Reading,
    /// The registry has to take what it was given at this time.
    Sending(Instant),
    /// The registry has been given everything and has to answer.
    Sent(Instant),
}

/// Why the HTTP client gets no more. The true cause stays in the tap.
#[derive(Debug)]
pub(crate) struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the upload was stopped")
    }
}

impl std::error::Error for Stopped {}

impl Tap {
    pub(crate) fn new(source: Source, size: Option<u64>) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                source,
                size,
                sent: 0,
                window: Some(Vec::new()),
                failure: None,
                abandoned: false,
                phase: Phase::Sending(Instant::now()),
            })),
        }
    }

    pub(crate) fn stream(&self) -> TapStream {
        TapStream {
            state: Arc::clone(&self.state),
        }
    }

    /// Why the source failed, if it did.
    pub(crate) fn failure(&self) -> Option<BoxError> {
        lock(&self.state).failure.take()
    }

    /// When the registry has stalled if nothing moves until then; none while the source has to
    /// act.
    pub(crate) fn deadline(&self, stall: Duration) -> Option<Instant> {
        match lock(&self.state).phase {
            Phase::Reading => None,
            Phase::Sending(since) => Some(since + stall),
            Phase::Sent(since) => Some(since + stall * COMMIT_STALLS),
        }
    }

    /// Takes the source back, from its beginning; none if too much of it is gone. The reading side
    /// gets no more.
    pub(crate) fn reclaim(self) -> Option<Source> {
        let mut state = lock(&self.state);
        state.abandoned = true;
        let window = state.window.take()?;
        let source = std::mem::replace(&mut state.source, stream::empty().boxed());
        Some(stream::iter(window.into_iter().map(Ok)).chain(source).boxed())
    }
}

impl State {
    fn sending(&mut self, chunk: &Bytes) -> Result<(), BoxError> {
        self.sent += chunk.len() as u64;
        if let Some(size) = self.size.filter(|size| self.sent > *size) {
            return Err(format!("there is more to upload than the {size} bytes announced").into());
        }
        self.phase = match self.size {
            Some(size) if size == self.sent => Phase::Sent(Instant::now()),
            _ => Phase::Sending(Instant::now()),
        };
        if self.sent > REPLAY_WINDOW as u64 {
            self.window = None;
        }
        if let Some(window) = &mut self.window {
            window.push(chunk.clone());
        }
        Ok(())
    }

    fn ended(&mut self) -> Result<(), BoxError> {
        let sent = self.sent;
        if let Some(size) = self.size.filter(|size| sent < *size) {
            return Err(format!("there are only {sent} of {size} bytes to upload").into());
        }
        self.phase = Phase::Sent(Instant::now());
        Ok(())
    }
}

impl Stream for TapStream {
    type Item = Result<Bytes, Stopped>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = lock(&self.state);
        if state.abandoned {
            return Poll::Ready(Some(Err(Stopped)));
        }
        let Poll::Ready(next) = state.source.as_mut().poll_next(cx) else {
            state.phase = Phase::Reading;
            return Poll::Pending;
        };
        let checked = match next {
            Some(Ok(chunk)) => state.sending(&chunk).map(|()| Some(chunk)),
            Some(Err(error)) => Err(error),
            None => state.ended().map(|()| None),
        };
        Poll::Ready(match checked {
            Ok(chunk) => chunk.map(Ok),
            Err(error) => {
                state.failure = Some(error);
                state.abandoned = true;
                Some(Err(Stopped))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Source, Tap};
    use crate::limits::REPLAY_WINDOW;
    use bytes::Bytes;
    use futures_util::{StreamExt, stream};

    fn source(chunks: &[&'static [u8]]) -> Source {
        stream::iter(chunks.to_vec())
            .map(|chunk| Ok(Bytes::from_static(chunk)))
            .boxed()
    }

    async fn read(tap: &Tap) -> (Vec<u8>, Option<String>) {
        let mut stream = tap.stream();
        let mut bytes = Vec::new();
        while let Some(Ok(chunk)) = stream.next().await {
            bytes.extend_from_slice(&chunk);
        }
        (bytes, tap.failure().map(|error| error.to_string()))
    }

    #[tokio::test]
    async fn sizes_are_kept() {
        let cases = [
            (None, None),
            (Some(5), None),
            (Some(4), Some("there is more to upload than the 4 bytes announced")),
            (Some(6), Some("there are only 5 of 6 bytes to upload")),
        ];
        for (size, expected) in cases {
            let tap = Tap::new(source(&[b"abc", b"de"]), size);
            let (_, failure) = read(&tap).await;
            assert_eq!(failure.as_deref(), expected, "{size:?}");
        }
    }

    #[tokio::test]
    async fn the_source_is_given_back_whole_or_not_at_all() {
        let tap = Tap::new(source(&[b"abc", b"de", b"f"]), None);
        let mut stream = tap.stream();
        stream.next().await.unwrap().unwrap();
        stream.next().await.unwrap().unwrap();
        let again: Vec<_> = tap.reclaim().unwrap().map(Result::unwrap).collect().await;
        assert_eq!(again.concat(), b"abcdef");
        assert!(stream.next().await.unwrap().is_err(), "the reader is cut off");

        let large: &'static [u8] = vec![0; REPLAY_WINDOW].leak();
        let tap = Tap::new(source(&[large, b"x"]), None);
        read(&tap).await;
        assert!(tap.reclaim().is_none());
    }
}
