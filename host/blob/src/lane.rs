//! Hashing beside the data's way.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use bytes::Bytes;
use longshore_types::{Algorithm, Digest, Hasher};

use crate::chunk::CHUNK_SIZE;

/// Blobs up to this size in bytes are hashed where they are moved: starting a thread would take longer.
pub(crate) const INLINE_LIMIT: u64 = 1024 * 1024;

/// How many batches may wait for the hashing thread.
const QUEUE: usize = 3;

/// Chunks that are passed on together, so that a short one costs no message and no system call of its own.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    chunks: Vec<Bytes>,
    bytes: usize,
}

impl Batch {
    /// Adds a chunk; says whether the batch should be passed on now.
    pub(crate) fn add(&mut self, chunk: Bytes) -> bool {
        self.bytes += chunk.len();
        self.chunks.push(chunk);
        self.bytes >= CHUNK_SIZE
    }

    /// The chunks in order.
    pub(crate) fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// Empties the batch and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.chunks.clear();
        self.bytes = 0;
    }
}

/// Digests a stream, in a thread of its own if that pays.
///
/// A lane that is dropped unfinished lets its thread end by itself.
#[derive(Debug)]
pub(crate) enum Lane {
    /// Hashes at once.
    Inline(Hasher),
    /// Hashes what it receives.
    Thread {
        batches: SyncSender<Vec<Bytes>>,
        worker: JoinHandle<Digest>,
    },
}

impl Lane {
    /// A lane for a stream of `size` bytes, if that is known.
    pub(crate) fn new(algorithm: Algorithm, size: Option<u64>) -> Self {
        if size.is_some_and(|size| size <= INLINE_LIMIT) {
            return Self::Inline(Hasher::new(algorithm));
        }
        let (batches, received) = sync_channel::<Vec<Bytes>>(QUEUE);
        let worker = Builder::new().name("blob-hash".to_owned()).spawn(move || {
            let mut hasher = Hasher::new(algorithm);
            for batch in received {
                for chunk in batch {
                    hasher.update(&chunk);
                }
            }
            hasher.finish()
        });
        match worker {
            Ok(worker) => Self::Thread { batches, worker },
            Err(_) => Self::Inline(Hasher::new(algorithm)),
        }
    }

    /// Adds `chunks` in order.
    pub(crate) fn feed(&mut self, chunks: &[Bytes]) {
        match self {
            Self::Inline(hasher) => chunks.iter().for_each(|chunk| hasher.update(chunk)),
            // The worker only goes away by a panic, which `finish` passes on.
            Self::Thread { batches, .. } => drop(batches.send(chunks.to_vec())),
        }
    }

    /// The digest of all that was fed.
    pub(crate) fn finish(self) -> Digest {
        match self {
            Self::Inline(hasher) => hasher.finish(),
            Self::Thread { batches, worker } => {
                drop(batches);
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thread_and_inline_agree() {
        let chunks: Vec<Bytes> = (0..50u8).map(|i| Bytes::from(vec![i; 1000])).collect();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512] {
            for size in [None, Some(0), Some(INLINE_LIMIT), Some(INLINE_LIMIT + 1)] {
                let mut lane = Lane::new(algorithm, size);
                let inline = matches!(lane, Lane::Inline(_));
                assert_eq!(inline, size.is_some_and(|size| size <= INLINE_LIMIT));
                chunks.chunks(7).for_each(|batch| lane.feed(batch));
                assert_eq!(lane.finish(), Digest::of(algorithm, &chunks.concat()));
            }
        }
    }
}
