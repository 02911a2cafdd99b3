//! Bytes that change their form while the host moves them.

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use wasmtime::Result;
use wasmtime::component::Resource;

use super::bytes::{Reader, Writer};
use super::checksums::Checksums;
use crate::bindings::transport::longshore::transport::bytes::Copied;
use crate::bindings::transport::longshore::transport::types::Error as GuestError;
use crate::control::Control;
use crate::files::{GuestResult, guest_error};
use crate::state::State;

/// Bytes that are written at once.
const BUFFER: usize = 256 << 10;
/// That of OSTree, gzip and nearly everybody.
const LEVEL: u32 = 6;

/// What becomes of the bytes.
#[derive(Clone, Copy)]
enum Form {
    Same,
    Deflate,
    Inflate,
}

impl Form {
    fn parse(name: &str) -> GuestResult<Self> {
        match name {
            "same" => Ok(Self::Same),
            "deflate" => Ok(Self::Deflate),
            "inflate" => Ok(Self::Inflate),
            other => {
                let shown = crate::error::presentable(other);
                Err(guest_error("unsupported", format!("form \"{shown}\" is not known")))
            }
        }
    }
}

/// Where bytes come from and go to, and what is counted of them.
struct Conversion<'a, R, W> {
    /// At most that many bytes; none at the end.
    read: R,
    write: W,
    length: u64,
    checksums: &'a mut Checksums,
}

impl<R, W> Conversion<'_, R, W>
where
    R: FnMut(usize) -> GuestResult<Bytes>,
    W: FnMut(Bytes) -> GuestResult<()>,
{
    fn run(&mut self, form: Form) -> GuestResult<()> {
        match form {
            Form::Same => self.each_piece(|conversion, piece| (conversion.write)(piece)),
            Form::Deflate => self.deflate(),
            Form::Inflate => self.inflate(),
        }
    }

    /// Reads all bytes, none of which may be missing.
    fn each_piece(&mut self, mut take: impl FnMut(&mut Self, Bytes) -> GuestResult<()>) -> GuestResult<()> {
        let mut size = 0;
        while size < self.length {
            let most = usize::try_from(self.length - size).unwrap_or(usize::MAX);
            let piece = (self.read)(most)?;
            if piece.is_empty() {
                return Err(self.ended_after(size));
            }
            self.checksums.update(&piece);
            size += piece.len() as u64;
            take(self, piece)?;
        }
        Ok(())
    }

    fn deflate(&mut self) -> GuestResult<()> {
        let mut compress = Compress::new(Compression::new(LEVEL), false);
        let mut out = Vec::new();
        self.each_piece(|conversion, piece| {
            let mut taken = 0;
            while taken < piece.len() {
                let before = compress.total_in();
                conversion.make_room(&mut out)?;
                let done = compress.compress_vec(&piece[taken..], &mut out, FlushCompress::None);
                done.map_err(|error| guest_error("other", error.to_string()))?;
                taken += usize::try_from(compress.total_in() - before).unwrap_or(usize::MAX);
            }
            Ok(())
        })?;
        loop {
            self.make_room(&mut out)?;
            let done = compress.compress_vec(&[], &mut out, FlushCompress::Finish);
            if done.map_err(|error| guest_error("other", error.to_string()))? == Status::StreamEnd {
                return (self.write)(out.into());
            }
        }
    }

    /// Writes what is full.
    fn make_room(&mut self, out: &mut Vec<u8>) -> GuestResult<()> {
        if out.capacity() == 0 {
            // Small files are many, and hardly ever grow by deflating.
            out.reserve_exact(BUFFER.min(usize::try_from(self.length).unwrap_or(BUFFER) + 64));
        } else if out.len() == out.capacity() {
            (self.write)(std::mem::take(out).into())?;
            out.reserve_exact(BUFFER);
        }
        Ok(())
    }

    fn inflate(&mut self) -> GuestResult<()> {
        let invalid = |what: &str| guest_error("invalid-data", what);
        let mut decompress = Decompress::new(false);
        let mut out = Vec::new();
        loop {
            let piece = (self.read)(usize::MAX)?;
            let mut taken = 0;
            loop {
                let before = (decompress.total_in(), decompress.total_out());
                // One byte too many is enough to tell.
                let most = usize::try_from(self.length - before.1).unwrap_or(BUFFER);
                out.reserve_exact(most.min(BUFFER) + 1);
                // At the end of the input there may be output left.
                let done = decompress.decompress_vec(&piece[taken..], &mut out, FlushDecompress::None);
                let status = done.map_err(|error| invalid(&format!("a DEFLATE stream: {error}")))?;
                let (read, size) = (decompress.total_in(), decompress.total_out());
                taken += usize::try_from(read - before.0).unwrap_or(usize::MAX);
                if size > self.length {
                    return Err(invalid(&format!(
                        "the stream inflates to more than {} bytes",
                        self.length
                    )));
                }
                if size > before.1 {
                    self.checksums.update(&out);
                    (self.write)(std::mem::take(&mut out).into())?;
                }
                if status == Status::StreamEnd {
                    if size != self.length {
                        return Err(self.ended_after(size));
                    }
                    if taken < piece.len() || !(self.read)(1)?.is_empty() {
                        return Err(invalid("something follows the DEFLATE stream"));
                    }
                    return Ok(());
                }
                if (read, size) == before {
                    break;
                }
            }
            if piece.is_empty() {
                return Err(invalid("the DEFLATE stream is cut off"));
            }
        }
    }

    fn ended_after(&self, size: u64) -> GuestError {
        guest_error(
            "invalid-data",
            format!("the stream ended after {size} bytes of {}", self.length),
        )
    }
}

impl State {
    pub(super) fn convert_bytes(
        &mut self,
        data: &Resource<Reader>,
        to: &Resource<Writer>,
        form: &str,
        length: u64,
        checksums: &[(String, Vec<u8>)],
    ) -> Result<std::result::Result<Copied, GuestError>> {
        self.enter();
        let prepared = Form::parse(form).and_then(|form| Ok((form, Checksums::with_prefixes(checksums)?)));
        let (form, mut checksums) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(error)),
        };
        let control = std::sync::Arc::clone(self.control());
        // The two lie in one table, and each is used while the other is not.
        let table = std::cell::RefCell::new(&mut self.table);
        table.borrow_mut().get(data)?;
        table.borrow_mut().get(to)?;
        let gone = |error: wasmtime::component::ResourceTableError| guest_error("other", error.to_string());
        let mut conversion = Conversion {
            read: |most| {
                check_cancelled(&control)?;
                let mut table = table.borrow_mut();
                let piece = table.get_mut(data).map_err(gone)?.piece(most)?;
                control.moved(piece.len());
                Ok(piece)
            },
            write: |piece: Bytes| {
                let mut table = table.borrow_mut();
                control.moved(piece.len());
                table.get_mut(to).map_err(gone)?.write(piece, &control)
            },
            length,
            checksums: &mut checksums,
        };
        Ok(conversion.run(form).map(|()| Copied {
            size: length,
            checksums: checksums.finish(),
        }))
    }
}

fn check_cancelled(control: &Control) -> GuestResult<()> {
    if control.is_cancelled() {
        return Err(guest_error("interrupted", "interrupted while reading a stream"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn converted(form: &str, data: &[u8], length: u64) -> Result<Vec<u8>, String> {
        let mut rest = data;
        let mut written = Vec::new();
        let mut checksums = Checksums::new(&[]).unwrap();
        let mut conversion = Conversion {
            read: |most: usize| {
                let (piece, after) = rest.split_at(most.min(rest.len()).min(1000));
                rest = after;
                Ok(Bytes::copy_from_slice(piece))
            },
            write: |piece: Bytes| {
                written.extend_from_slice(&piece);
                Ok(())
            },
            length,
            checksums: &mut checksums,
        };
        let done = Form::parse(form).and_then(|form| conversion.run(form));
        done.map(|()| written).map_err(|error| error.message)
    }

    /// Bytes that do not compress.
    fn noise(size: usize) -> Vec<u8> {
        let mut state = 1_u32;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .take(size)
        .collect()
    }

    #[test]
    fn what_is_deflated_inflates_again() {
        for data in [Vec::new(), b"hello\n".to_vec(), vec![7; 1 << 20], noise(1 << 20)] {
            let length = data.len() as u64;
            assert_eq!(converted("same", &data, length).unwrap(), data);
            let deflated = converted("deflate", &data, length).unwrap();
            assert_eq!(converted("inflate", &deflated, length).unwrap(), data);
        }
        // Bytes of libostree.
        assert_eq!(converted("deflate", b"", 0).unwrap(), [3, 0]);
        assert_eq!(
            hex::encode(converted("deflate", b"hello\n", 6).unwrap()),
            "cb48cdc9c9e70200"
        );
    }

    #[test]
    fn streams_that_lie_are_refused() {
        let deflated = converted("deflate", &noise(5000), 5000).unwrap();
        let followed = [&deflated[..], b"x"].concat();
        for (form, data, length, expected) in [
            ("same", &b"abc"[..], 4, "ended after 3 bytes of 4"),
            ("deflate", b"abc", 4, "ended after 3 bytes of 4"),
            ("inflate", &deflated, 4999, "more than 4999 bytes"),
            ("inflate", &deflated, 5001, "ended after 5000 bytes of 5001"),
            ("inflate", &deflated[..3000], 5000, "cut off"),
            ("inflate", &followed, 5000, "something follows"),
            ("inflate", b"\xff\xff", 5000, "DEFLATE"),
            ("inflate", b"", 0, "cut off"),
            ("zstd", b"", 0, "not known"),
        ] {
            let message = converted(form, data, length).unwrap_err();
            assert!(message.contains(expected), "{form} {length}: {message}");
        }
    }
}
