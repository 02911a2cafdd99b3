//! Buffers that come back when the last chunk over them is gone.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Buffers start at a multiple of this many bytes, a page: the kernel's copies to and from a buffer that starts in the
/// middle of a cache line, as large allocations do, take up to twice the time.
const ALIGNMENT: usize = 4096;

/// A supply of equally long buffers for one source.
///
/// It never holds more buffers than were in flight at once.
#[derive(Clone, Debug)]
pub(crate) struct BufferPool {
    free: Arc<Mutex<Vec<Box<[u8]>>>>,
    length: usize,
}

impl BufferPool {
    /// A pool of buffers of `length` bytes, empty at first.
    pub(crate) fn new(length: usize) -> Self {
        Self {
            free: Arc::default(),
            length,
        }
    }

    /// A buffer with arbitrary content.
    pub(crate) fn take(&self) -> PooledBuffer {
        let reused = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let data = reused.unwrap_or_else(|| vec![0; self.length + ALIGNMENT].into_boxed_slice());
        let start = data.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        PooledBuffer {
            data,
            start,
            end: start,
            pool: self.clone(),
        }
    }
}

/// A buffer on loan from a [`BufferPool`].
#[derive(Debug)]
pub(crate) struct PooledBuffer {
    data: Box<[u8]>,
    start: usize,
    end: usize,
    pool: BufferPool,
}

impl PooledBuffer {
    /// The whole buffer, to be filled.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        &mut self.data[self.start..self.start + self.pool.length]
    }

    /// The first `filled` bytes as a chunk; the buffer goes back when the last clone of it is dropped.
    pub(crate) fn freeze(mut self, filled: usize) -> Bytes {
        self.end = self.start + filled;
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for PooledBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.data[self.start..self.end]
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        let data = std::mem::take(&mut self.data);
        self.pool.free.lock().unwrap_or_else(PoisonError::into_inner).push(data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_reused_once_no_chunk_holds_them() {
        let pool = BufferPool::new(8);
        let mut buffer = pool.take();
        buffer.space().copy_from_slice(b"12345678");
        let first = buffer.space().as_ptr();
        assert_eq!(first.align_offset(ALIGNMENT), 0);
        let chunk = buffer.freeze(5);
        let clone = chunk.clone();
        assert_eq!(chunk, b"12345"[..]);
        drop(chunk);

        let mut second = pool.take();
        assert_ne!(second.space().as_ptr(), first);
        drop(clone);
        assert_eq!(pool.take().space().as_ptr(), first);
    }
}
