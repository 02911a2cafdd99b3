//! Buffers that come back when the last chunk over them is gone.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::chunk::CHUNK_SIZE;

/// Buffers start at a multiple of this many bytes, a page: the kernel's copies to and from a buffer that starts in the
/// middle of a cache line, as large allocations do, take up to twice the time.
const ALIGNMENT: usize = 4096;

/// How many buffers are kept for later, in the whole process: 4 MiB.
const MOST_FREE: usize = 16;

/// Buffers that nobody uses. Sources share them: an image of many small layers would have the kernel fill fresh pages
/// with zeros for each layer, which takes longer than to read them.
static FREE: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

/// A buffer on loan. Those of [`CHUNK_SIZE`] bytes are used again.
#[derive(Debug)]
pub(crate) struct PooledBuffer {
    data: Box<[u8]>,
    start: usize,
    length: usize,
    end: usize,
}

impl PooledBuffer {
    /// A buffer of `length` bytes with arbitrary content.
    pub(crate) fn take(length: usize) -> Self {
        let reused = if length == CHUNK_SIZE { free().pop() } else { None };
        let data = reused.unwrap_or_else(|| vec![0; length + ALIGNMENT].into_boxed_slice());
        let start = data.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self {
            data,
            start,
            length,
            end: start,
        }
    }

    /// The whole buffer, to be filled.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        &mut self.data[self.start..self.start + self.length]
    }

    /// The first `filled` bytes as a chunk; the buffer goes back when the last clone of it is dropped.
    pub(crate) fn freeze(mut self, filled: usize) -> Bytes {
        self.end = self.start + filled;
        Bytes::from_owner(self)
    }
}

fn free() -> std::sync::MutexGuard<'static, Vec<Box<[u8]>>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AsRef<[u8]> for PooledBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.data[self.start..self.end]
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        let data = std::mem::take(&mut self.data);
        let mut free = free();
        if self.length == CHUNK_SIZE && free.len() < MOST_FREE {
            free.push(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_used_again_once_no_chunk_holds_them() {
        let mut buffer = PooledBuffer::take(CHUNK_SIZE);
        buffer.space()[..8].copy_from_slice(b"12345678");
        let first = buffer.space().as_ptr();
        assert_eq!(first.align_offset(ALIGNMENT), 0);
        let chunk = buffer.freeze(5);
        let clone = chunk.clone();
        assert_eq!(chunk, b"12345"[..]);
        drop(chunk);
        // Other tests take and give back, too, but nobody gets a buffer that is held.
        let mut others: Vec<_> = (0..2 * MOST_FREE).map(|_| PooledBuffer::take(CHUNK_SIZE)).collect();
        assert!(others.iter_mut().all(|other| other.space().as_ptr() != first));
        assert_eq!(clone, b"12345"[..]);
        drop(others);
        assert!((1..=MOST_FREE).contains(&free().len()));
        assert_eq!(PooledBuffer::take(8).space().len(), 8);
    }
}
