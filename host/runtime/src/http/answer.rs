//! What a server answered, and its body on the way to who reads it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};
use longshore_blob::{CHUNK_SIZE, ChunkSource};
use reqwest::header::HeaderMap;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::network::{Network, Running};
use crate::control::Control;
use crate::files::{GuestError, GuestResult, guest_error};
use crate::host::bytes::ChannelSource;
use crate::limits;

/// Pieces of a body that were fetched and are not read yet.
const PIECES_AHEAD: usize = 4;

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: AnswerBody,
}

/// The body of an answer.
pub(crate) struct AnswerBody {
    source: ChannelSource,
    room: Arc<Semaphore>,
    _running: Running,
    _network: Arc<Network>,
}

impl ChunkSource for AnswerBody {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let chunk = self.source.next_chunk()?;
        self.room.add_permits(1);
        Ok(chunk)
    }
}

/// The head of an answer, as the network's thread passes it on.
pub(super) struct Head {
    status: u16,
    headers: Vec<(String, String)>,
    pieces: Receiver<io::Result<Bytes>>,
    complete: Arc<AtomicBool>,
    room: Arc<Semaphore>,
}

impl Head {
    pub(super) fn into_answer(self, running: Running, network: Arc<Network>, control: &Arc<Control>) -> Answer {
        let control = Arc::clone(control);
        Answer {
            status: self.status,
            headers: self.headers,
            body: AnswerBody {
                source: ChannelSource::new(self.pieces, self.complete, move || control.is_cancelled()),
                room: self.room,
                _running: running,
                _network: network,
            },
        }
    }
}

/// An answer on the network's thread.
pub(super) struct Incoming {
    response: reqwest::Response,
    /// Read already.
    front: Option<Bytes>,
    sender: Sender<io::Result<Bytes>>,
    complete: Arc<AtomicBool>,
    room: Arc<Semaphore>,
}

impl Incoming {
    pub(super) fn new(response: reqwest::Response) -> GuestResult<(Self, Head)> {
        let (sender, pieces) = crossbeam_channel::unbounded();
        let complete = Arc::new(AtomicBool::new(false));
        let room = Arc::new(Semaphore::new(PIECES_AHEAD));
        let head = Head {
            status: response.status().as_u16(),
            headers: headers(response.headers())?,
            pieces,
            complete: Arc::clone(&complete),
            room: Arc::clone(&room),
        };
        let incoming = Self {
            response,
            front: None,
            sender,
            complete,
            room,
        };
        Ok((incoming, head))
    }

    pub(super) fn status(&self) -> reqwest::StatusCode {
        self.response.status()
    }

    /// The beginning of the body, for a message; it is handed out again.
    pub(super) async fn peek(&mut self, wait: Duration) -> String {
        if let Ok(Ok(Some(chunk))) = timeout(wait, self.response.chunk()).await {
            let end = chunk.len().min(limits::HTTP_QUOTED);
            let text = String::from_utf8_lossy(&chunk[..end]).trim().to_owned();
            self.front = Some(chunk);
            return text;
        }
        String::new()
    }

    /// Fetches the body as it is read. Errors say what was asked, which is `name`.
    pub(super) async fn fetch(mut self, name: &str, stall: Duration) {
        loop {
            let next = match self.front.take() {
                Some(chunk) => Ok(Some(chunk)),
                None => match timeout(stall, self.response.chunk()).await {
                    Ok(next) => next.map_err(|error| failed(name, &error)),
                    Err(_) => Err(stalled(name, stall)),
                },
            };
            let mut chunk = match next {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return self.complete.store(true, Ordering::Release),
                // Who does not listen any more aborts this task.
                Err(error) => return drop(self.sender.send(Err(io::Error::other(error.message)))),
            };
            while !chunk.is_empty() {
                let piece = chunk.split_to(chunk.len().min(CHUNK_SIZE));
                match self.room.acquire().await {
                    Ok(permit) => permit.forget(),
                    Err(_) => return,
                }
                if self.sender.send(Ok(piece)).is_err() {
                    return;
                }
            }
        }
    }
}

fn headers(map: &HeaderMap) -> GuestResult<Vec<(String, String)>> {
    let size: usize = map.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if size > limits::HTTP_ANSWER_HEADER_BYTES {
        return Err(guest_error(
            "invalid-data",
            format!(
                "an answer with header fields of more than {} bytes",
                limits::HTTP_ANSWER_HEADER_BYTES
            ),
        ));
    }
    let visible = map.iter().filter_map(|(name, value)| {
        let value = value.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    Ok(visible.collect())
}

/// The innermost cause: it says best what is wrong, the layers around it name each other.
pub(super) fn cause(error: &reqwest::Error) -> &dyn std::error::Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

/// A connection or request that failed.
pub(super) fn failed(name: &str, error: &reqwest::Error) -> GuestError {
    let cause = cause(error);
    let is_connect = error.is_connect();
    GuestError {
        retryable: is_connect,
        ..guest_error(
            if is_connect { "unreachable" } else { "other" },
            format!("{name}: {cause}"),
        )
    }
}

pub(super) fn stalled(name: &str, stall: Duration) -> GuestError {
    GuestError {
        retryable: true,
        ..guest_error("other", format!("{name}: nothing came for {} s", stall.as_secs()))
    }
}
