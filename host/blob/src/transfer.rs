//! One blob from its source to its sink.

use std::io;

use longshore_types::{Algorithm, Compression, Digest};

use crate::chunk::{ChunkReader, ChunkSink, ChunkSource};
use crate::compressor::Change;
use crate::decompress::decompress;
use crate::error::BlobError;
use crate::inlet::{HashedInlet, Inlet};
use crate::observer::Observer;
use crate::outlet::Outlet;
use crate::plan::{TransferPlan, Transferred};
use crate::read_source::ReadSource;
use crate::tapped::Tapped;

/// Moves one blob from `source` to `sink` and finishes the sink.
///
/// What comes from the source is held against the plan's digest and size; only then is the sink finished, so a sink
/// that publishes in `finish` never publishes a wrong blob. The bytes are compressed or decompressed if the plan's
/// wish and the blob's magic bytes ask for it, and what the sink takes is hashed; bytes that stay as they are are
/// hashed once. Blobs of more than 1 MiB are hashed in a thread of their own while this one reads and writes. At most
/// five chunks are in flight for an unchanged blob, ten for a decompressed one, and for a compressed one about four
/// for each compressing thread, as [`GzipSink`](crate::GzipSink) and [`ZstdSink`](crate::ZstdSink) say.
///
/// # Errors
///
/// See [`BlobError`]. The sink is then not finished and must be dropped.
pub fn transfer(
    source: Box<dyn ChunkSource + '_>,
    sink: &mut dyn ChunkSink,
    plan: &TransferPlan,
    observer: &dyn Observer,
) -> Result<Transferred, BlobError> {
    let mut inlet = Inlet::new(source, plan, observer);
    let found = inlet.detect()?;
    let job = Job { plan, observer, found };
    let transferred = match plan.change(found) {
        Change::Keep => job.keep(&mut inlet, sink),
        Change::Compress => job.compress(&mut inlet, sink),
        Change::Decompress => job.decompress(&mut inlet, sink),
        Change::Recompress => job.recompress(&mut inlet, sink),
    }?;
    sink.finish().map_err(BlobError::Finish)?;
    Ok(transferred)
}

/// What the four ways of moving a blob have in common.
struct Job<'a> {
    plan: &'a TransferPlan,
    observer: &'a dyn Observer,
    found: Compression,
}

impl Job<'_> {
    fn keep(&self, inlet: &mut Inlet<'_>, sink: &mut dyn ChunkSink) -> Result<Transferred, BlobError> {
        let mut outlet = Outlet::new(sink, self.source_algorithm(), self.plan.expected_size);
        self.pump(inlet, &mut outlet)
            .map_err(|error| inlet.take_failure().unwrap_or(error))?;
        let (digest, size) = outlet.measure();
        inlet.verify(&digest)?;
        let diff_id = (self.found == Compression::None).then(|| digest.clone());
        Ok(self.report(inlet, digest.clone(), (digest, size, self.found), diff_id))
    }

    fn decompress(&self, inlet: &mut Inlet<'_>, sink: &mut dyn ChunkSink) -> Result<Transferred, BlobError> {
        let mut hashed = HashedInlet::new(inlet, self.source_algorithm());
        let mut outlet = Outlet::new(sink, self.plan.algorithm, None);
        let compressed = Box::new(ChunkReader::new(&mut hashed));
        let moved = decompress(compressed, self.found)
            .map_err(BlobError::Read)
            .and_then(|decoder| self.pump(&mut ReadSource::new(decoder), &mut outlet));
        match moved {
            Ok(()) => {}
            Err(BlobError::Read(source)) => return Err(self.undecodable(hashed, source)),
            Err(error) => return Err(error),
        }
        let source_digest = hashed.verify()?;
        let (digest, size) = outlet.measure();
        let diff_id = Some(digest.clone());
        let written = (digest, size, Compression::None);
        Ok(self.report(inlet, source_digest, written, diff_id))
    }

    fn compress(&self, inlet: &mut Inlet<'_>, sink: &mut dyn ChunkSink) -> Result<Transferred, BlobError> {
        let mut hashed = HashedInlet::new(inlet, self.source_algorithm());
        let mut outlet = Outlet::new(sink, self.plan.algorithm, self.plan.expected_size);
        let compressor = self.plan.compressor;
        let mut compressing = compressor
            .sink(&mut outlet, self.plan.threads)
            .map_err(BlobError::Write)?;
        self.pump(&mut hashed, compressing.as_mut())
            .map_err(|error| hashed.take_failure().unwrap_or(error))?;
        drop(compressing);
        let source_digest = hashed.verify()?;
        let (digest, size) = outlet.measure();
        let diff_id = Some(source_digest.clone());
        Ok(self.report(inlet, source_digest, (digest, size, compressor.format()), diff_id))
    }

    fn recompress(&self, inlet: &mut Inlet<'_>, sink: &mut dyn ChunkSink) -> Result<Transferred, BlobError> {
        let mut hashed = HashedInlet::new(inlet, self.source_algorithm());
        let mut outlet = Outlet::new(sink, self.plan.algorithm, None);
        let compressor = self.plan.compressor;
        let mut compressing = compressor
            .sink(&mut outlet, self.plan.threads)
            .map_err(BlobError::Write)?;
        let compressed = Box::new(ChunkReader::new(&mut hashed));
        let moved = decompress(compressed, self.found)
            .map_err(BlobError::Read)
            .and_then(|decoder| {
                let mut tapped = Tapped::new(ReadSource::new(decoder), self.plan.algorithm);
                self.pump(&mut tapped, compressing.as_mut())?;
                Ok(tapped.digest())
            });
        drop(compressing);
        let diff_id = match moved {
            Ok(diff_id) => Some(diff_id),
            Err(BlobError::Read(source)) => return Err(self.undecodable(hashed, source)),
            Err(error) => return Err(error),
        };
        let source_digest = hashed.verify()?;
        let (digest, size) = outlet.measure();
        Ok(self.report(inlet, source_digest, (digest, size, compressor.format()), diff_id))
    }

    fn pump(&self, from: &mut dyn ChunkSource, to: &mut dyn ChunkSink) -> Result<(), BlobError> {
        loop {
            if self.observer.cancelled() {
                return Err(BlobError::Cancelled);
            }
            match from.next_chunk().map_err(BlobError::Read)? {
                Some(chunk) => to.write_chunk(chunk).map_err(BlobError::Write)?,
                None => return to.finish().map_err(BlobError::Write),
            }
        }
    }

    /// Tells a blob that was altered on its way from one that was never a valid stream.
    fn undecodable(&self, mut hashed: HashedInlet<'_, '_>, source: io::Error) -> BlobError {
        if let Some(failure) = hashed.take_failure() {
            return failure;
        }
        // Without a size the rest could go on for ever.
        if self.plan.expected_size.is_some()
            && let Err(error) = hashed.verify()
        {
            return error;
        }
        BlobError::Decompress {
            compression: self.found,
            source,
        }
    }

    fn source_algorithm(&self) -> Algorithm {
        self.plan
            .expected_digest
            .as_ref()
            .map_or(self.plan.algorithm, Digest::algorithm)
    }

    fn report(
        &self,
        inlet: &Inlet<'_>,
        source_digest: Digest,
        (digest, size, compression): (Digest, u64, Compression),
        diff_id: Option<Digest>,
    ) -> Transferred {
        Transferred {
            source_digest,
            source_size: inlet.size(),
            source_compression: self.found,
            digest,
            size,
            compression,
            diff_id,
        }
    }
}

#[cfg(test)]
mod tests;
