use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender};
use longshore_blob::{ChunkSink as _, ChunkSource, ReadSource};
use longshore_types::{Algorithm, Hasher};
use wasmtime::Result;
use wasmtime::component::Resource;

use super::checksums::Checksums;
use super::tally::{Observed, Tally};
use crate::bindings::transport::longshore::transport::bytes::{Copied, Host, HostReader, HostWriter};
use crate::bindings::transport::longshore::transport::types::Error as GuestError;
use crate::control::Control;
use crate::files::{GuestResult, RangeSink, StreamSink, guest_error};
use crate::http::UploadSink;
use crate::inflate::inflate;
use crate::limits;
use crate::state::State;

/// How often a waiting stream looks whether it was cancelled.
pub(crate) const CANCEL_POLL: Duration = Duration::from_millis(20);

/// A stream that a guest reads, or gives back to the host to read.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Reader {
    source: Box<dyn ChunkSource>,
    rest: Bytes,
    failed: bool,
    shared: Arc<ReaderState>,
    /// How many streams it is made of, one within the other.
    depth: usize,
}

/// What the host sees of a stream that it lent to a guest.
#[derive(Default)]
pub(crate) struct ReaderState {
    at_end: AtomicBool,
    revoked: AtomicBool,
}

impl ReaderState {
    /// Whether the guest read the end.
    pub(crate) fn is_at_end(&self) -> bool {
        self.at_end.load(Ordering::Acquire)
    }

    /// Makes every later read an error.
    pub(crate) fn revoke(&self) {
        self.revoked.store(true, Ordering::Release);
    }
}

impl Reader {
    pub(crate) fn new(source: Box<dyn ChunkSource>) -> Self {
        Self {
            source,
            rest: Bytes::new(),
            failed: false,
            shared: Arc::default(),
            depth: 0,
        }
    }

    /// A stream around another one of this depth.
    fn wrapping(source: Box<dyn ChunkSource>, depth: usize) -> Self {
        Self {
            depth: depth + 1,
            ..Self::new(source)
        }
    }

    pub(crate) fn shared(&self) -> Arc<ReaderState> {
        Arc::clone(&self.shared)
    }

    fn read(&mut self, max: usize) -> GuestResult<Vec<u8>> {
        self.piece(max).map(|piece| piece.to_vec())
    }

    /// At least one byte and at most `max`; nothing at the end.
    pub(super) fn piece(&mut self, max: usize) -> GuestResult<Bytes> {
        if self.shared.revoked.load(Ordering::Acquire) {
            return Err(guest_error("other", "the host took the stream back"));
        }
        if self.failed {
            return Err(guest_error("other", "the stream failed before"));
        }
        // An empty piece has no meaning: only the end is answered with one.
        while self.rest.is_empty() {
            match self.source.next_chunk() {
                Ok(Some(chunk)) => self.rest = chunk,
                Ok(None) => {
                    self.shared.at_end.store(true, Ordering::Release);
                    return Ok(Bytes::new());
                }
                Err(error) => {
                    self.failed = true;
                    let code = crate::error::io_kind(&error).as_code();
                    return Err(guest_error(code, error.to_string()));
                }
            }
        }
        Ok(self.rest.split_to(max.min(self.rest.len())))
    }

    /// What was not read yet, for the host to read on natively.
    pub(crate) fn into_source(self) -> Box<dyn ChunkSource> {
        Box::new(Remainder {
            rest: Some(self.rest).filter(|rest| !rest.is_empty()),
            source: self.source,
            shared: self.shared,
        })
    }
}

/// Still the stream that it was: who lent it learns that its end was read, and can take it back.
struct Remainder {
    rest: Option<Bytes>,
    source: Box<dyn ChunkSource>,
    shared: Arc<ReaderState>,
}

impl ChunkSource for Remainder {
    fn next_chunk(&mut self) -> std::io::Result<Option<Bytes>> {
        if self.shared.revoked.load(Ordering::Acquire) {
            return Err(std::io::Error::other("the host took the stream back"));
        }
        if let Some(rest) = self.rest.take() {
            return Ok(Some(rest));
        }
        let chunk = self.source.next_chunk()?;
        if chunk.is_none() {
            self.shared.at_end.store(true, Ordering::Release);
        }
        Ok(chunk)
    }
}

/// A stream that a guest writes, or gives back to the host to write.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum Writer {
    /// Into a file.
    File(RangeSink),
    /// Into a new file that is a stream.
    Stream(StreamSink),
    /// Into the body of a request.
    Upload(UploadSink),
    /// To whoever reads the other end, on another thread.
    Channel(ChannelSink),
}

impl Writer {
    pub(super) fn write(&mut self, data: Bytes, control: &Control) -> GuestResult<()> {
        let failed = |error: std::io::Error| guest_error(crate::error::io_kind(&error).as_code(), error.to_string());
        match self {
            Self::File(sink) => sink.write_chunk(data).map_err(failed),
            Self::Stream(sink) => sink.write_chunk(data).map_err(failed),
            Self::Upload(sink) => sink.write_chunk(data).map_err(failed),
            Self::Channel(sink) => sink.write(data, control),
        }
    }

    /// Has what was gathered go on.
    pub(crate) fn flush(&mut self, control: &Control) -> GuestResult<()> {
        match self {
            Self::File(_) | Self::Stream(_) | Self::Upload(_) => Ok(()),
            Self::Channel(sink) => sink.flush(control),
        }
    }
}

/// The writing end of a channel that another thread empties.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct ChannelSink {
    sender: Sender<std::io::Result<Bytes>>,
    /// Small pieces on their way.
    gathered: Vec<u8>,
}

impl ChannelSink {
    pub(crate) fn new(sender: Sender<std::io::Result<Bytes>>) -> Self {
        Self {
            sender,
            gathered: Vec::new(),
        }
    }

    fn write(&mut self, data: Bytes, control: &Control) -> GuestResult<()> {
        let is_large = data.len() > limits::GATHERED / 2;
        if is_large || self.gathered.len() + data.len() > limits::GATHERED {
            self.flush(control)?;
        }
        if is_large {
            return self.send(data, control);
        }
        self.gathered.extend_from_slice(&data);
        Ok(())
    }

    fn flush(&mut self, control: &Control) -> GuestResult<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let data = std::mem::take(&mut self.gathered);
        self.send(data.into(), control)
    }

    fn send(&self, data: Bytes, control: &Control) -> GuestResult<()> {
        let mut message = Ok(data);
        loop {
            message = match self.sender.send_timeout(message, CANCEL_POLL) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Disconnected(_)) => {
                    return Err(guest_error("interrupted", "nobody reads the stream any more"));
                }
                Err(SendTimeoutError::Timeout(message)) => message,
            };
            if control.is_cancelled() {
                return Err(guest_error("interrupted", "interrupted while writing a stream"));
            }
        }
    }
}

/// The reading end of a channel that another thread fills. The other side says
/// that it is complete before it lets go; a channel that just breaks is an error.
pub(crate) struct ChannelSource {
    receiver: Receiver<std::io::Result<Bytes>>,
    complete: Arc<AtomicBool>,
    cancelled: Box<dyn Fn() -> bool + Send>,
}

impl ChannelSource {
    pub(crate) fn new(
        receiver: Receiver<std::io::Result<Bytes>>,
        complete: Arc<AtomicBool>,
        cancelled: impl Fn() -> bool + Send + 'static,
    ) -> Self {
        Self {
            receiver,
            complete,
            cancelled: Box::new(cancelled),
        }
    }
}

impl ChunkSource for ChannelSource {
    fn next_chunk(&mut self) -> std::io::Result<Option<Bytes>> {
        let interrupted = || std::io::Error::new(std::io::ErrorKind::Interrupted, "interrupted");
        loop {
            match self.receiver.recv_timeout(CANCEL_POLL) {
                Ok(Ok(chunk)) if chunk.is_empty() => {}
                Ok(Ok(chunk)) => return Ok(Some(chunk)),
                Ok(Err(error)) => return Err(error),
                Err(RecvTimeoutError::Disconnected) if self.complete.load(Ordering::Acquire) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => return Err(interrupted()),
                Err(RecvTimeoutError::Timeout) if (self.cancelled)() => return Err(interrupted()),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl State {
    /// The source of a stream that a guest gives away.
    /// Takes a stream to put another one around it, and its depth.
    fn take_to_wrap(&mut self, reader: Resource<Reader>) -> Result<GuestResult<(Box<dyn ChunkSource>, usize)>> {
        self.enter();
        let reader = self.table.delete(reader)?;
        if reader.depth == limits::STREAM_DEPTH {
            let text = format!("a stream is made of more than {} others", limits::STREAM_DEPTH);
            return Ok(Err(guest_error("invalid-data", text)));
        }
        let depth = reader.depth;
        Ok(Ok((reader.into_source(), depth)))
    }

    pub(crate) fn take_source(&mut self, reader: Resource<Reader>) -> Result<Box<dyn ChunkSource>> {
        self.enter();
        Ok(self.table.delete(reader)?.into_source())
    }
}

impl Host for State {
    fn decompress(&mut self, data: Resource<Reader>) -> Result<Result<(Resource<Reader>, String), GuestError>> {
        let (source, depth) = match self.take_to_wrap(data)? {
            Ok(taken) => taken,
            Err(error) => return Ok(Err(error)),
        };
        Ok(match inflate(source) {
            Ok((reader, compression)) => {
                let reader = self.push(Reader::wrapping(Box::new(ReadSource::new(reader)), depth))?;
                Ok((reader, compression.to_string()))
            }
            Err(error) => Err(guest_error(crate::error::io_kind(&error).as_code(), error.to_string())),
        })
    }

    fn copy(
        &mut self,
        data: Resource<Reader>,
        to: Resource<Writer>,
        length: Option<u64>,
        checksums: Vec<String>,
    ) -> Result<Result<Copied, GuestError>> {
        self.enter();
        let mut checksums = match Checksums::new(&checksums) {
            Ok(checksums) => checksums,
            Err(error) => return Ok(Err(error)),
        };
        let control = Arc::clone(self.control());
        let mut size = 0;
        while length != Some(size) {
            if control.is_cancelled() {
                return Ok(Err(guest_error("interrupted", "interrupted while reading a stream")));
            }
            let rest = length.map_or(u64::MAX, |length| length - size);
            let most = usize::try_from(rest).unwrap_or(usize::MAX);
            let piece = match self.table.get_mut(&data)?.piece(most) {
                Ok(piece) => piece,
                Err(error) => return Ok(Err(error)),
            };
            if piece.is_empty() {
                break;
            }
            checksums.update(&piece);
            size += piece.len() as u64;
            control.moved(piece.len());
            if let Err(error) = self.table.get_mut(&to)?.write(piece, &control) {
                return Ok(Err(error));
            }
        }
        Ok(match length.filter(|length| *length != size) {
            Some(length) => Err(guest_error(
                "invalid-data",
                format!("the stream ended after {size} bytes of {length}"),
            )),
            None => Ok(Copied {
                size,
                checksums: checksums.finish(),
            }),
        })
    }

    fn convert(
        &mut self,
        data: Resource<Reader>,
        to: Resource<Writer>,
        form: String,
        length: u64,
        checksums: Vec<(String, Vec<u8>)>,
    ) -> Result<Result<Copied, GuestError>> {
        self.convert_bytes(&data, &to, &form, length, &checksums)
    }

    fn observe(
        &mut self,
        data: Resource<Reader>,
        checksums: Vec<String>,
    ) -> Result<Result<(Resource<Reader>, Resource<Tally>), GuestError>> {
        let (source, depth) = match self.take_to_wrap(data)? {
            Ok(taken) => taken,
            Err(error) => return Ok(Err(error)),
        };
        let (observed, tally) = match Observed::new(source, &checksums) {
            Ok(observed) => observed,
            Err(error) => return Ok(Err(error)),
        };
        let reader = self.push(Reader::wrapping(Box::new(observed), depth))?;
        Ok(Ok((reader, self.push(tally)?)))
    }

    fn measure(&mut self, data: Resource<Reader>) -> Result<Result<(String, u64), GuestError>> {
        let mut source = self.take_source(data)?;
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let mut size = 0;
        loop {
            if self.control().is_cancelled() {
                return Ok(Err(guest_error("interrupted", "interrupted while reading a stream")));
            }
            match source.next_chunk() {
                Ok(Some(chunk)) => {
                    hasher.update(&chunk);
                    size += chunk.len() as u64;
                }
                Ok(None) => {
                    // The time that this took was not the guest's.
                    self.control().moved(usize::try_from(size).unwrap_or(usize::MAX));
                    return Ok(Ok((hasher.finish().to_string(), size)));
                }
                Err(error) => {
                    let code = crate::error::io_kind(&error).as_code();
                    return Ok(Err(guest_error(code, error.to_string())));
                }
            }
        }
    }
}

impl HostReader for State {
    fn read(&mut self, reader: Resource<Reader>, max: u32) -> Result<Result<Vec<u8>, GuestError>> {
        self.enter();
        if self.control().is_cancelled() {
            return Ok(Err(guest_error("interrupted", "interrupted while reading a stream")));
        }
        if max == 0 {
            return Ok(Err(guest_error("invalid-data", "a read of at most 0 bytes")));
        }
        let max = (max as usize).min(limits::PIECE);
        let read = self.table.get_mut(&reader)?.read(max);
        Ok(self.moved(read, Vec::len))
    }

    fn drop(&mut self, reader: Resource<Reader>) -> Result<()> {
        self.enter();
        self.table.delete(reader)?;
        Ok(())
    }
}

impl HostWriter for State {
    fn write(&mut self, writer: Resource<Writer>, data: Vec<u8>) -> Result<Result<(), GuestError>> {
        self.enter();
        if data.len() > limits::PIECE {
            return Ok(Err(guest_error("invalid-data", "more than 1 MiB in one write")));
        }
        let control = Arc::clone(self.control());
        let size = data.len();
        let written = self.table.get_mut(&writer)?.write(data.into(), &control);
        Ok(self.moved(written, |()| size))
    }

    fn drop(&mut self, writer: Resource<Writer>) -> Result<()> {
        self.enter();
        self.table.delete(writer)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Hands out these pieces, as they are.
    struct Pieces(Vec<&'static [u8]>);

    impl ChunkSource for Pieces {
        fn next_chunk(&mut self) -> std::io::Result<Option<Bytes>> {
            Ok((!self.0.is_empty()).then(|| Bytes::from_static(self.0.remove(0))))
        }
    }

    #[test]
    fn empty_pieces_are_not_the_end() {
        let mut reader = Reader::new(Box::new(Pieces(vec![b"", b"ab", b"", b"", b"c", b""])));
        let read: Vec<_> = std::iter::repeat_with(|| reader.read(10).unwrap()).take(4).collect();
        assert_eq!(read, [&b"ab"[..], b"c", b"", b""]);
        assert!(reader.shared().is_at_end());

        let mut remainder = Reader::new(Box::new(Pieces(vec![b"", b"abc"])));
        assert_eq!(remainder.read(1).unwrap(), b"a");
        let shared = remainder.shared();
        let mut source = remainder.into_source();
        assert_eq!(source.next_chunk().unwrap().unwrap(), "bc");
        assert!(!shared.is_at_end());
        assert!(source.next_chunk().unwrap().is_none());
        assert!(shared.is_at_end());
        shared.revoke();
        assert!(source.next_chunk().is_err());
    }

    #[test]
    fn what_a_guest_writes_empty_is_not_the_end() {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let mut writer = Writer::Channel(ChannelSink::new(sender.clone()));
        sender.send(Ok(Bytes::new())).unwrap();
        drop(sender);
        let large = vec![b'x'; limits::GATHERED];
        for piece in [&b""[..], b"ab", b"", b"c", &large, b"", b"d"] {
            writer
                .write(Bytes::copy_from_slice(piece), &Control::default())
                .unwrap();
        }
        writer.flush(&Control::default()).unwrap();
        drop(writer);
        let mut source = ChannelSource::new(receiver, Arc::new(AtomicBool::new(true)), || false);
        for piece in [&b"abc"[..], &large, b"d"] {
            assert!(source.next_chunk().unwrap().unwrap() == piece);
        }
        assert!(source.next_chunk().unwrap().is_none());
    }

    #[test]
    fn pieces_of_any_size_stay_in_order() {
        const HALF: usize = limits::GATHERED / 2;
        for sizes in [
            [1, HALF + 1, 1],
            [HALF, HALF, 1],
            [HALF - 1, HALF + 1, HALF + 2],
            [HALF, HALF + 1, 2 * HALF],
        ] {
            let (sender, receiver) = crossbeam_channel::unbounded();
            let mut writer = Writer::Channel(ChannelSink::new(sender));
            let mut written = Vec::new();
            for (byte, size) in (1..).zip(sizes) {
                let piece = vec![byte; size];
                written.extend_from_slice(&piece);
                writer.write(piece.into(), &Control::default()).unwrap();
            }
            writer.flush(&Control::default()).unwrap();
            drop(writer);
            let read: Vec<u8> = receiver.iter().flat_map(Result::unwrap).collect();
            assert!(read == written, "{sizes:?}");
        }
    }
}
