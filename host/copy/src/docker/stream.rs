//! Bridges between HTTP bodies, which live on the async threads, and blob transfers, which do not.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use longshore_blob::{CHUNK_SIZE, ChunkSink, ChunkSource};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::failed;

/// Chunks on their way between a body and a transfer. Few: each blob in flight holds so many.
const CHUNKS_AHEAD: usize = 2;

/// A body that is downloaded ahead of who reads it.
pub(super) struct ChannelSource {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
}

impl ChannelSource {
    /// Downloads until the reader is gone or `closed`.
    pub(super) fn start<S>(mut body: S, closed: CancellationToken) -> Self
    where
        S: Stream<Item = Result<Bytes, longshore_registry::RegistryError>> + Send + Unpin + 'static,
    {
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        tokio::spawn(closed.run_until_cancelled_owned(async move {
            loop {
                let next = tokio::select! {
                    next = body.next() => next,
                    () = sender.closed() => return,
                };
                let sent = match next {
                    None => return,
                    Some(Ok(chunk)) => send_pieces(&sender, chunk).await,
                    Some(Err(error)) => sender.send(Err(io::Error::other(failed(error)))).await.map_err(|_| ()),
                };
                if sent.is_err() {
                    return;
                }
            }
        }));
        Self { receiver }
    }
}

async fn send_pieces(sender: &mpsc::Sender<io::Result<Bytes>>, mut chunk: Bytes) -> Result<(), ()> {
    while !chunk.is_empty() {
        let piece = chunk.split_to(chunk.len().min(CHUNK_SIZE));
        sender.send(Ok(piece)).await.map_err(|_| ())?;
    }
    Ok(())
}

impl ChunkSource for ChannelSource {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        self.receiver.blocking_recv().transpose()
    }
}

/// The sink's end of an upload.
pub(super) struct ChannelSink {
    /// None once finished.
    sender: Option<mpsc::Sender<Option<Bytes>>>,
}

/// The request body's end of an upload. It ends well only if the sink was finished: a body that just stops is an error, which breaks the request.
pub(super) struct UploadBody {
    receiver: mpsc::Receiver<Option<Bytes>>,
    ended: bool,
}

/// A sink and the body that sends what it takes.
pub(super) fn upload_channel() -> (ChannelSink, UploadBody) {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    (
        ChannelSink { sender: Some(sender) },
        UploadBody { receiver, ended: false },
    )
}

impl ChunkSink for ChannelSink {
    fn write_chunk(&mut self, chunk: Bytes) -> io::Result<()> {
        let sender = self
            .sender
            .as_ref()
            .ok_or_else(|| io::Error::other("the upload has been finished"))?;
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the upload has ended early");
        sender.blocking_send(Some(chunk)).map_err(gone)
    }

    fn finish(&mut self) -> io::Result<()> {
        // A request whose length is known ends with its last byte and hears no more. Whether it went well is what its answer says.
        if let Some(sender) = self.sender.take() {
            let _ = sender.blocking_send(None);
        }
        Ok(())
    }
}

impl Stream for UploadBody {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.receiver.poll_recv(context).map(|message| match message {
            Some(Some(chunk)) => Some(Ok(chunk)),
            Some(None) => {
                self.ended = true;
                None
            }
            None => {
                self.ended = true;
                Some(Err(io::Error::new(io::ErrorKind::Interrupted, "the blob was given up")))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    async fn collect(body: UploadBody) -> (Vec<u8>, bool) {
        let items: Vec<io::Result<Bytes>> = body.collect().await;
        let whole = items.iter().all(Result::is_ok);
        (items.into_iter().flatten().flatten().collect(), whole)
    }

    async fn upload(finish: bool) -> (Vec<u8>, bool) {
        let (mut sink, body) = upload_channel();
        let writing = tokio::task::spawn_blocking(move || {
            for chunk in ["one", "two", "three"] {
                sink.write_chunk(chunk.into()).unwrap();
            }
            if finish {
                sink.finish().unwrap();
                sink.write_chunk("four".into()).unwrap_err();
            }
        });
        let sent = collect(body).await;
        writing.await.unwrap();
        sent
    }

    #[tokio::test]
    async fn only_a_finished_sink_ends_the_body_well() {
        assert_eq!(upload(true).await, (b"onetwothree".to_vec(), true));
        assert_eq!(upload(false).await, (b"onetwothree".to_vec(), false));
    }

    #[tokio::test]
    async fn a_body_that_is_gone_fails_the_sink() {
        let (mut sink, body) = upload_channel();
        drop(body);
        let error = tokio::task::spawn_blocking(move || sink.write_chunk("one".into()))
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn a_body_comes_in_bounded_pieces_and_ends_when_closed() {
        let chunk = Bytes::from(vec![7; CHUNK_SIZE * 2 + 1]);
        let endless = futures_util::stream::repeat_with(move || Ok(chunk.clone()));
        let closed = CancellationToken::new();
        let mut source = ChannelSource::start(endless, closed.clone());
        let first = tokio::task::spawn_blocking(move || {
            let sizes: Vec<usize> = (0..4).map(|_| source.next_chunk().unwrap().unwrap().len()).collect();
            (sizes, source)
        });
        let (sizes, mut source) = first.await.unwrap();
        assert_eq!(sizes, [CHUNK_SIZE, CHUNK_SIZE, 1, CHUNK_SIZE]);
        closed.cancel();
        let ended = tokio::task::spawn_blocking(move || while source.next_chunk().unwrap().is_some() {});
        ended.await.unwrap();
    }
}
