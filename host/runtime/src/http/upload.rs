//! The body of a request on its way from who writes it.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use futures_util::Stream;
use longshore_blob::ChunkSink;
use tokio::sync::mpsc;

use super::network::Network;
use crate::control::Control;
use crate::host::bytes::CANCEL_POLL;

/// Pieces that were written and are not sent yet.
const PIECES_AHEAD: usize = 2;

/// What both ends see of a body.
#[derive(Default)]
pub(super) struct Flow {
    moved: AtomicU64,
    /// The connection takes more than it is given.
    is_starved: AtomicBool,
    is_sent: AtomicBool,
    /// Why nothing more is taken, though the body has not ended.
    refusal: OnceLock<String>,
}

impl Flow {
    /// A number that changes when something was sent.
    pub(super) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Whether it is not the server that is waited for.
    pub(super) fn is_starved(&self) -> bool {
        self.is_starved.load(Ordering::Relaxed)
    }

    /// Whether all of it was sent.
    pub(super) fn is_sent(&self) -> bool {
        self.is_sent.load(Ordering::Acquire)
    }

    pub(super) fn refuse(&self, reason: String) {
        // The first reason is the cause of the others.
        let _ = self.refusal.set(reason);
    }
}

/// Where the body is written. All clones write one stream.
#[derive(Clone)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct UploadSink(Arc<Shared>);

struct Shared {
    /// None is the end; a channel that just breaks is a broken body.
    pieces: mpsc::UnboundedSender<Option<Bytes>>,
    room: Receiver<()>,
    flow: Arc<Flow>,
    ended: AtomicBool,
    control: Arc<Control>,
    _network: Arc<Network>,
}

/// The end that the connection reads.
pub(super) struct UploadBody {
    pieces: mpsc::UnboundedReceiver<Option<Bytes>>,
    room: Sender<()>,
    flow: Arc<Flow>,
}

/// Both ends, and a third that keeps a writer waiting until it is known why the connection does not read any more.
pub(super) fn channel(control: &Arc<Control>, network: &Arc<Network>) -> (UploadSink, UploadBody, Sender<()>) {
    let (sender, pieces) = mpsc::unbounded_channel();
    let (free, room) = crossbeam_channel::bounded(PIECES_AHEAD);
    for _ in 0..PIECES_AHEAD {
        // There is room for them.
        let _ = free.try_send(());
    }
    let flow = Arc::new(Flow::default());
    let shared = Shared {
        pieces: sender,
        room,
        flow: Arc::clone(&flow),
        ended: AtomicBool::new(false),
        control: Arc::clone(control),
        _network: Arc::clone(network),
    };
    let body = UploadBody {
        pieces,
        room: free.clone(),
        flow,
    };
    (UploadSink(Arc::new(shared)), body, free)
}

impl UploadBody {
    pub(super) fn flow(&self) -> Arc<Flow> {
        Arc::clone(&self.flow)
    }
}

impl UploadSink {
    /// Has all handles take nothing more.
    pub(super) fn close(&self) {
        self.0.ended.store(true, Ordering::Release);
    }

    /// Ends the body: it is complete.
    pub(super) fn end(&self) {
        self.close();
        // A connection that is gone has an answer of its own.
        let _ = self.0.pieces.send(None);
    }

    fn refused(&self) -> io::Error {
        let reason = self.0.flow.refusal.get();
        io::Error::other(reason.map_or("the connection is gone", String::as_str))
    }
}

impl ChunkSink for UploadSink {
    fn write_chunk(&mut self, mut chunk: Bytes) -> io::Result<()> {
        if chunk.is_empty() {
            return Ok(());
        }
        if self.0.ended.load(Ordering::Acquire) {
            return Err(io::Error::other("the body of the request has ended"));
        }
        loop {
            if self.0.flow.refusal.get().is_some() {
                return Err(self.refused());
            }
            match self.0.room.recv_timeout(CANCEL_POLL) {
                Ok(()) => match self.0.pieces.send(Some(chunk)) {
                    Ok(()) => return Ok(()),
                    // Why nobody takes it is told by the next turns.
                    Err(refused) => chunk = refused.0.unwrap_or_default(),
                },
                Err(RecvTimeoutError::Disconnected) => return Err(self.refused()),
                Err(RecvTimeoutError::Timeout) if self.0.control.is_cancelled() => {
                    return Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted"));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for UploadBody {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.pieces.poll_recv(context);
        self.flow.is_starved.store(next.is_pending(), Ordering::Relaxed);
        next.map(|next| match next {
            Some(Some(piece)) => {
                self.flow.moved.fetch_add(1, Ordering::Relaxed);
                // There is room for it: it came out of there.
                let _ = self.room.try_send(());
                Some(Ok(piece))
            }
            Some(None) => {
                self.flow.is_sent.store(true, Ordering::Release);
                None
            }
            None => Some(Err(io::Error::other("the body was given up"))),
        })
    }
}
