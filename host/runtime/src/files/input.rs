use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use longshore_blob::{CHUNK_SIZE, ChunkReader, ChunkSource, FileSource};
use longshore_types::Compression;
use rustix::fs::OFlags;

use super::{GuestError, GuestResult, OpenFile, guest_error, io_error};
use crate::host::bytes::ChannelSource;
use crate::inflate::inflate;

/// Names of standard input.
const STDIN: [&str; 4] = ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];

/// Pieces of a stream on their way to the temporary file.
const PIECES_UNDER_WAY: usize = 4;

/// A file that was granted for reading. It is opened when it is asked for.
pub(crate) struct Input {
    path: PathBuf,
    inflate: bool,
    real: Option<PathBuf>,
    opened: Option<OpenFile>,
}

impl Input {
    /// With `inflate` a compressed file is decompressed.
    pub(crate) fn new(path: PathBuf, inflate: bool) -> Self {
        Self {
            path,
            inflate,
            real: None,
            opened: None,
        }
    }

    fn is_stdin(&self) -> bool {
        STDIN.iter().any(|name| self.path == Path::new(name))
    }

    /// The path of what is opened, whatever a link points to by then.
    pub(crate) fn real_path(&mut self) -> GuestResult<PathBuf> {
        if let Some(real) = &self.real {
            return Ok(real.clone());
        }
        let real = if self.is_stdin() {
            PathBuf::from("/dev/stdin")
        } else {
            match self.path.canonicalize() {
                Ok(real) => real,
                // A pipe of the shell: its link in /proc leads nowhere.
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.path.exists() => self.path.clone(),
                Err(error) => return Err(io_error(&self.path, &error)),
            }
        };
        Ok(self.real.insert(real).clone())
    }

    /// The file for reading at any offset; a copy of it in `temporary` if it cannot be read in place.
    pub(crate) fn open(
        &mut self,
        temporary: &Path,
        cancelled: impl Fn() -> bool + Clone + Send + 'static,
    ) -> GuestResult<OpenFile> {
        if let Some(opened) = &self.opened {
            return Ok(opened.clone());
        }
        let path = self.real_path()?;
        let at = |error: io::Error| io_error(&path, &error);
        let opened = match self.regular(&path).map_err(at)? {
            Some(file) => {
                let size = file.metadata().map_err(at)?.len();
                if self.inflate && is_compressed(&file, size).map_err(at)? {
                    let source = FileSource::new(file, 0, size);
                    copied(&path, Box::new(source), true, temporary, &cancelled)?
                } else {
                    OpenFile::new(file, path, None)
                }
            }
            None => {
                let own_path = path.clone();
                let stream = stream(move || open_stream(&own_path), cancelled.clone()).map_err(at)?;
                copied(&path, Box::new(stream), self.inflate, temporary, &cancelled)?
            }
        };
        Ok(self.opened.insert(opened).clone())
    }

    /// The file itself, if it is a regular one that can be read from its beginning.
    fn regular(&self, path: &Path) -> io::Result<Option<File>> {
        if self.is_stdin() {
            let mut stdin = open_stream(path)?;
            let whole = stdin.metadata()?.is_file() && stdin.stream_position()? == 0;
            return Ok(whole.then_some(stdin));
        }
        let metadata = fs::metadata(path)?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !metadata.is_file() {
            return Ok(None);
        }
        // It may have been replaced by a FIFO between the two calls.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = File::options().read(true).custom_flags(flags).open(path)?;
        Ok(file.metadata()?.is_file().then_some(file))
    }
}

fn open_stream(path: &Path) -> io::Result<File> {
    if path == Path::new("/dev/stdin") {
        return Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?));
    }
    File::open(path)
}

fn is_compressed(file: &File, size: u64) -> io::Result<bool> {
    let source = FileSource::new(file.try_clone()?, 0, size);
    // A file that is too short for its magic bytes is not compressed.
    inflate(Box::new(source)).map(|(_, compression)| compression != Compression::None)
}

/// A stream that a thread of its own reads: nothing else can end a wait for a peer that never writes.
fn stream(
    open: impl FnOnce() -> io::Result<File> + Send + 'static,
    cancelled: impl Fn() -> bool + Send + 'static,
) -> io::Result<ChannelSource> {
    let (sender, receiver) = crossbeam_channel::bounded(PIECES_UNDER_WAY);
    let complete = Arc::new(AtomicBool::new(false));
    let own_complete = Arc::clone(&complete);
    let read = move || {
        let mut file = match open() {
            Ok(file) => file,
            // Whoever does not listen any more was cancelled, here and below.
            Err(error) => return drop(sender.send(Err(error))),
        };
        let mut buffer = vec![0; CHUNK_SIZE];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return own_complete.store(true, Ordering::Release),
                Ok(count) => {
                    if sender.send(Ok(Bytes::copy_from_slice(&buffer[..count]))).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return drop(sender.send(Err(error))),
            }
        }
    };
    std::thread::Builder::new()
        .name("input".to_owned())
        .stack_size(64 << 10)
        .spawn(read)?;
    Ok(ChannelSource::new(receiver, complete, cancelled))
}

fn interrupted() -> GuestError {
    guest_error("interrupted", "interrupted while reading a stream")
}

/// Copies a stream from `path` to a temporary file.
fn copied(
    path: &Path,
    source: Box<dyn ChunkSource>,
    decompressed: bool,
    temporary: &Path,
    cancelled: &dyn Fn() -> bool,
) -> GuestResult<OpenFile> {
    let at = |error: io::Error| io_error(path, &error);
    let mut reader: Box<dyn io::Read + Send> = if decompressed {
        match inflate(source) {
            Ok((reader, _)) => reader,
            Err(_) if cancelled() => return Err(interrupted()),
            Err(error) => return Err(at(error)),
        }
    } else {
        Box::new(ChunkReader::new(source))
    };
    let file = spool(&mut reader, temporary, cancelled, at)?;
    Ok(OpenFile::spooled(file, path.to_owned()))
}

/// Copies what `reader` has to a temporary file that has no name; `failed` says what an error in reading is.
pub(crate) fn spool(
    reader: &mut dyn io::Read,
    temporary: &Path,
    cancelled: &dyn Fn() -> bool,
    failed: impl Fn(io::Error) -> GuestError,
) -> GuestResult<File> {
    let on_temporary = |error: io::Error| io_error(temporary, &error);
    let mut file = tempfile::tempfile_in(temporary).map_err(on_temporary)?;
    let mut buffer = vec![0; CHUNK_SIZE];
    loop {
        if cancelled() {
            return Err(interrupted());
        }
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(file),
            Ok(count) => file.write_all(&buffer[..count]).map_err(on_temporary)?,
            Err(_) if cancelled() => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests;
