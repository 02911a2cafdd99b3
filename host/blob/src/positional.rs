//! Reading and writing at a position, without moving the file's cursor.

use std::fs::File;
use std::io;

use bytes::Bytes;

/// How many chunks one system call writes at most.
#[cfg(target_os = "linux")]
const SLICES: usize = 64;

/// Reads at `offset` until `buffer` is full or the file ends; says how many bytes were read.
pub(crate) fn read_full(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read_at(file, &mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes the whole of `data` at `offset`.
pub(crate) fn write_full(file: &File, mut data: &[u8], mut offset: u64) -> io::Result<()> {
    while !data.is_empty() {
        match write_at(file, data, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                data = &data[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all of `chunks` one after the other from `offset` on, with as few system calls as the platform allows.
#[cfg(target_os = "linux")]
pub(crate) fn write_all_chunks(file: &File, chunks: &[Bytes], mut offset: u64) -> io::Result<()> {
    for group in chunks.chunks(SLICES) {
        let mut slices = [io::IoSlice::new(&[]); SLICES];
        for (slice, chunk) in slices.iter_mut().zip(group) {
            *slice = io::IoSlice::new(chunk);
        }
        let mut rest = &mut slices[..group.len()];
        io::IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match rustix::io::pwritev(file, rest, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    offset += count as u64;
                    io::IoSlice::advance_slices(&mut rest, count);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Writes all of `chunks` one after the other from `offset` on.
#[cfg(not(target_os = "linux"))]
pub(crate) fn write_all_chunks(file: &File, chunks: &[Bytes], mut offset: u64) -> io::Result<()> {
    for chunk in chunks {
        write_full(file, chunk, offset)?;
        offset += chunk.len() as u64;
    }
    Ok(())
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(unix)]
fn write_at(file: &File, data: &[u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, data, offset)
}

#[cfg(windows)]
fn write_at(file: &File, data: &[u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, data, offset)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn many_chunks_land_one_after_the_other() {
        let file = tempfile::tempfile().unwrap();
        let chunks: Vec<Bytes> = (0..200u8).map(|i| Bytes::from(vec![i; usize::from(i) % 7])).collect();
        write_all_chunks(&file, &chunks, 3).unwrap();
        let expected = chunks.concat();
        let mut written = vec![0; expected.len() + 10];
        assert_eq!(read_full(&file, &mut written, 3).unwrap(), expected.len());
        assert_eq!(written[..expected.len()], expected);
    }
}
