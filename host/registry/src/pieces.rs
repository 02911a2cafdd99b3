//! Uploads in pieces, each with its range: what a registry gets that refuses a blob in one request
//! (distribution-spec, "Pushing a blob in chunks").

use std::sync::atomic::Ordering::Relaxed;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, RANGE};
use reqwest::{Method, StatusCode};

use crate::error::Problem;
use crate::fault::Fault;
use crate::limits::{CHUNK, MAX_CHUNK, MAX_CHUNK_TRIES, SMALL_CHUNK};
use crate::reply::Reply;
use crate::request::Call;
use crate::tap::Source;
use crate::upload::{Upload, octets};

impl Upload {
    /// Sends all of the source, one piece in memory at a time.
    pub(crate) async fn send_pieces(&mut self, mut source: Source, size: Option<u64>) -> Result<(), Fault> {
        let mut offset = 0;
        let mut left = Bytes::new();
        loop {
            let (piece, rest) = gather(&mut source, left, self.piece_size()).await?;
            if piece.is_empty() {
                break;
            }
            left = rest;
            offset += piece.len() as u64;
            if size.is_some_and(|size| offset > size) {
                return Err(wrong_size("more", offset, size));
            }
            self.send_piece(offset - piece.len() as u64, piece).await?;
        }
        match size {
            Some(size) if offset != size => Err(wrong_size("less", offset, Some(size))),
            _ => Ok(()),
        }
    }

    fn piece_size(&self) -> usize {
        let wanted = self.repository.client.inner.piece.load(Relaxed);
        wanted.max(self.min_piece).clamp(SMALL_CHUNK, MAX_CHUNK)
    }

    async fn send_piece(&mut self, mut offset: u64, mut piece: Bytes) -> Result<(), Fault> {
        let mut tries = 0;
        while !piece.is_empty() {
            let part = piece.slice(..piece.len().min(self.piece_size()));
            let end = offset + part.len() as u64;
            let reply = self.patch(offset, part).await?;
            let taken = match reply.status() {
                status if status.is_success() => {
                    self.moved(&reply)?;
                    // A registry may take less than it was sent. One byte is what an empty
                    // session looks like, and no registry would stop there.
                    range_end(&reply).filter(|taken| *taken > 1).unwrap_or(end)
                }
                StatusCode::PAYLOAD_TOO_LARGE if self.piece_size() > SMALL_CHUNK => {
                    self.repository.client.inner.piece.store(SMALL_CHUNK, Relaxed);
                    self.min_piece = 0;
                    offset
                }
                StatusCode::RANGE_NOT_SATISFIABLE => self.state().await?,
                _ => return Err(reply.refused().await),
            };
            let advance = taken
                .checked_sub(offset)
                .and_then(|advance| usize::try_from(advance).ok())
                .filter(|advance| *advance <= piece.len());
            let Some(advance) = advance else {
                return Err(reply.malformed(format!(
                    "the registry says that it has {taken} bytes of the upload, \
                     {offset} to {end} were sent"
                )));
            };
            tries = if advance == 0 { tries + 1 } else { 0 };
            if tries == MAX_CHUNK_TRIES {
                return Err(reply.refused().await);
            }
            reply.drain().await;
            piece = piece.slice(advance..);
            offset = taken;
        }
        Ok(())
    }

    async fn patch(&self, offset: u64, part: Bytes) -> Result<Reply, Fault> {
        let mut call = Call::new(Method::PATCH, self.place()?, &self.scopes);
        let last = offset + part.len() as u64 - 1;
        let range = HeaderValue::try_from(format!("{offset}-{last}"));
        if let Ok(range) = range {
            call.headers.insert(CONTENT_RANGE, range);
        }
        call.headers.insert(CONTENT_TYPE, octets());
        call.headers.insert(CONTENT_LENGTH, part.len().into());
        call.body = Some(part);
        self.repository.client.send(call).await
    }

    /// How many bytes the registry has, as it says itself.
    async fn state(&mut self) -> Result<u64, Fault> {
        let call = Call::new(Method::GET, self.place()?, &self.scopes);
        let reply = self.repository.client.send(call).await?;
        if !reply.status().is_success() {
            return Err(reply.refused().await);
        }
        self.moved(&reply)?;
        let has = range_end(&reply).unwrap_or(0);
        reply.drain().await;
        // `0-0` stands for nothing and for one byte; pieces are larger.
        Ok(if has == 1 { 0 } else { has })
    }
}

/// The first `size` bytes of `left` and what follows in the source, or fewer at its end, and what
/// was read beyond them.
async fn gather(source: &mut Source, left: Bytes, size: usize) -> Result<(Bytes, Bytes), Fault> {
    let mut piece = BytesMut::with_capacity(size.min(CHUNK));
    let mut next = left;
    loop {
        let room = size - piece.len();
        if next.len() > room {
            piece.extend_from_slice(&next.split_to(room));
            return Ok((piece.freeze(), next));
        }
        piece.extend_from_slice(&next);
        let chunk = source.next().await.transpose();
        match chunk.map_err(|error| Fault::without_request(Problem::Source(error)))? {
            Some(chunk) => next = chunk,
            None => return Ok((piece.freeze(), Bytes::new())),
        }
    }
}

/// One past the last byte that a `Range: 0-LAST` header names.
fn range_end(reply: &Reply) -> Option<u64> {
    let value = reply.header(RANGE)?;
    let value = value.strip_prefix("bytes=").unwrap_or(value);
    let (first, last) = value.split_once('-')?;
    let last: u64 = last.trim().parse().ok()?;
    (first.trim() == "0").then(|| last.saturating_add(1))
}

fn wrong_size(relation: &str, offset: u64, size: Option<u64>) -> Fault {
    let size = size.unwrap_or_default();
    let text = format!("there is {relation} to upload ({offset} bytes) than the {size} announced");
    Fault::without_request(Problem::Source(text.into()))
}
