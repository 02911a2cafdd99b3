//! Streams of which the host keeps count while a guest reads them.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use longshore_blob::ChunkSource;
use wasmtime::Result;
use wasmtime::component::Resource;

use super::checksums::Checksums;
use crate::bindings::transport::longshore::transport::bytes::{Copied, HostTally};
use crate::bindings::transport::longshore::transport::types::Error as GuestError;
use crate::files::{GuestResult, guest_error};
use crate::state::State;

/// What went through a stream; nothing before its end.
#[derive(Default)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Tally(Arc<Mutex<Option<Copied>>>);

/// A stream whose bytes are counted as they pass.
pub(super) struct Observed {
    source: Box<dyn ChunkSource>,
    /// Until the end.
    checksums: Option<Checksums>,
    size: u64,
    total: Arc<Mutex<Option<Copied>>>,
}

impl Observed {
    pub(super) fn new(source: Box<dyn ChunkSource>, checksums: &[String]) -> GuestResult<(Self, Tally)> {
        let tally = Tally::default();
        let observed = Self {
            source,
            checksums: Some(Checksums::new(checksums)?),
            size: 0,
            total: Arc::clone(&tally.0),
        };
        Ok((observed, tally))
    }
}

impl ChunkSource for Observed {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let chunk = self.source.next_chunk()?;
        if let Some(chunk) = &chunk {
            self.size += chunk.len() as u64;
            if let Some(checksums) = &mut self.checksums {
                checksums.update(chunk);
            }
        } else if let Some(checksums) = self.checksums.take() {
            *self.total.lock().unwrap_or_else(PoisonError::into_inner) = Some(Copied {
                size: self.size,
                checksums: checksums.finish(),
            });
        }
        Ok(chunk)
    }
}

impl Tally {
    fn total(&self) -> GuestResult<Copied> {
        let total = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        total.ok_or_else(|| guest_error("invalid-data", "the stream was not read to its end"))
    }
}

impl HostTally for State {
    fn total(&mut self, tally: Resource<Tally>) -> Result<Result<Copied, GuestError>> {
        self.enter();
        Ok(self.table.get(&tally)?.total())
    }

    fn drop(&mut self, tally: Resource<Tally>) -> Result<()> {
        self.enter();
        self.table.delete(tally)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use longshore_blob::ReadSource;

    use super::*;

    #[test]
    fn a_total_is_there_at_the_end() {
        let source = Box::new(ReadSource::new(&b"123456789"[..]));
        let (mut observed, tally) = Observed::new(source, &["crc64-go-iso".to_owned()]).unwrap();
        assert_eq!(observed.next_chunk().unwrap().unwrap(), "123456789");
        assert!(tally.total().is_err());
        assert!(observed.next_chunk().unwrap().is_none());
        assert!(observed.next_chunk().unwrap().is_none());
        let total = tally.total().unwrap();
        assert_eq!(total.size, 9);
        assert_eq!(total.checksums[0].1, "b90956c775a41001");
    }
}
