//! The near end of a transfer: counts, checks and hashes what the source gives.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use longshore_types::{Algorithm, Compression, Digest};

use crate::chunk::ChunkSource;
use crate::detect::{DETECT_LENGTH, detect};
use crate::error::BlobError;
use crate::lane::{Batch, Lane};
use crate::observer::Observer;
use crate::plan::TransferPlan;

/// A source that is held to what was announced for it.
///
/// Decoders read it through layers that rewrite errors, so it keeps its own failure until it is asked for.
pub(crate) struct Inlet<'a> {
    source: Box<dyn ChunkSource + 'a>,
    observer: &'a dyn Observer,
    expected_digest: Option<&'a Digest>,
    expected_size: Option<u64>,
    front: VecDeque<Bytes>,
    read: u64,
    ended: bool,
    failure: Option<BlobError>,
}

impl<'a> Inlet<'a> {
    pub(crate) fn new(source: Box<dyn ChunkSource + 'a>, plan: &'a TransferPlan, observer: &'a dyn Observer) -> Self {
        Self {
            source,
            observer,
            expected_digest: plan.expected_digest.as_ref(),
            expected_size: plan.expected_size,
            front: VecDeque::new(),
            read: 0,
            ended: false,
            failure: None,
        }
    }

    /// Reads as far as needed to tell the compression; what was read is handed out again.
    pub(crate) fn detect(&mut self) -> Result<Compression, BlobError> {
        while self.read < DETECT_LENGTH as u64 {
            match self.pull()? {
                Some(chunk) => self.front.push_back(chunk),
                None => break,
            }
        }
        let prefix: Vec<u8> = self.front.iter().flatten().take(DETECT_LENGTH).copied().collect();
        Ok(detect(&prefix))
    }

    /// How many bytes the source gave.
    pub(crate) fn size(&self) -> u64 {
        self.read
    }

    /// The failure that stopped the source, if it was that.
    pub(crate) fn take_failure(&mut self) -> Option<BlobError> {
        self.failure.take()
    }

    /// Holds the digest of the whole source against the expected one.
    pub(crate) fn verify(&self, actual: &Digest) -> Result<(), BlobError> {
        match self.expected_digest {
            Some(expected) if expected != actual => Err(BlobError::DigestMismatch {
                expected: expected.clone(),
                actual: actual.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        match self.front.pop_front() {
            Some(chunk) => Ok(Some(chunk)),
            None => self.pull(),
        }
    }

    fn pull(&mut self) -> Result<Option<Bytes>, BlobError> {
        while !self.ended {
            let Some(chunk) = self.source.next_chunk().map_err(BlobError::Read)? else {
                self.ended = true;
                self.check_end()?;
                break;
            };
            if chunk.is_empty() {
                continue;
            }
            self.read += chunk.len() as u64;
            self.observer.moved(chunk.len() as u64);
            if let Some(expected) = self.expected_size
                && self.read > expected
            {
                return Err(BlobError::TooLong {
                    blob: self.blob(),
                    expected,
                    seen: self.read,
                });
            }
            return Ok(Some(chunk));
        }
        Ok(None)
    }

    fn check_end(&self) -> Result<(), BlobError> {
        match self.expected_size {
            Some(expected) if self.read < expected => Err(BlobError::TooShort {
                blob: self.blob(),
                expected,
                actual: self.read,
            }),
            _ => Ok(()),
        }
    }

    fn blob(&self) -> String {
        self.expected_digest
            .map_or_else(|| "blob".to_owned(), Digest::to_string)
    }
}

impl ChunkSource for Inlet<'_> {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        if self.failure.is_none() {
            match self.next() {
                Ok(chunk) => return Ok(chunk),
                Err(error) => self.failure = Some(error),
            }
        }
        Err(io::Error::other("source failed"))
    }
}

/// An [`Inlet`] whose bytes do not leave as they came, and so are hashed where they come in.
pub(crate) struct HashedInlet<'i, 'a> {
    inlet: &'i mut Inlet<'a>,
    lane: Lane,
    batch: Batch,
}

impl<'i, 'a> HashedInlet<'i, 'a> {
    /// Hashes all of `inlet`, of which nothing was taken yet.
    pub(crate) fn new(inlet: &'i mut Inlet<'a>, algorithm: Algorithm) -> Self {
        let lane = Lane::new(algorithm, inlet.expected_size);
        Self {
            inlet,
            lane,
            batch: Batch::default(),
        }
    }

    /// As [`Inlet::take_failure`].
    pub(crate) fn take_failure(&mut self) -> Option<BlobError> {
        self.inlet.take_failure()
    }

    /// Reads what is left and holds the digest of the whole source against the expected one.
    pub(crate) fn verify(mut self) -> Result<Digest, BlobError> {
        while self.next()?.is_some() {
            if self.inlet.observer.cancelled() {
                return Err(BlobError::Cancelled);
            }
        }
        self.lane.feed(self.batch.chunks());
        let digest = self.lane.finish();
        self.inlet.verify(&digest)?;
        Ok(digest)
    }

    fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        let chunk = self.inlet.next()?;
        if let Some(chunk) = &chunk
            && self.batch.add(chunk.clone())
        {
            self.lane.feed(self.batch.chunks());
            self.batch.clear();
        }
        Ok(chunk)
    }
}

impl ChunkSource for HashedInlet<'_, '_> {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        if self.inlet.failure.is_none() {
            match self.next() {
                Ok(chunk) => return Ok(chunk),
                Err(error) => self.inlet.failure = Some(error),
            }
        }
        Err(io::Error::other("source failed"))
    }
}
