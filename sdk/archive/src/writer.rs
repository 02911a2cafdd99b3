use longshore_guest::{Error, FileRange, Response, Session, Sink, Target, Upload};
use tar::{Builder, EntryType, Header};

/// Size of a header, and what members are padded to.
const BLOCK: u64 = 512;

/// Mode of a regular member, unless another one is asked for.
const FILE_MODE: u32 = 0o444;

/// Longest name that surely has room in a header.
const NAME: usize = 100;

/// Most that one `write` or `write-at` call takes.
const MAX_WRITE: usize = 1 << 20;

/// A tar archive on its way into a new file, or into the body of a request. Members have no owner and no time (DA-07).
///
/// In a file, the size of a member may become known after its bytes were written, and several members of known size may
/// be on their way at once; in a stream each member has its size before its bytes, and ends before the next one begins.
#[derive(Debug)]
pub struct Writer {
    place: Place,
    sink: Sink,
    /// Where the next header goes.
    at: u64,
    /// Of regular members.
    mode: u32,
}

/// What further handles come from.
#[derive(Debug)]
enum Place {
    NewFile(Session, &'static str),
    /// None once the request is complete.
    Request(Option<Upload>),
}

impl Writer {
    /// Begins an archive in what was granted as the new file `label`.
    ///
    /// # Errors
    ///
    /// Fails as [`Session::new_file`] does.
    pub fn open(session: Session, label: &'static str) -> Result<Self, Error> {
        let sink = session.new_file(label)?;
        Ok(Self {
            place: Place::NewFile(session, label),
            sink,
            at: 0,
            mode: FILE_MODE,
        })
    }

    /// Begins an archive that is the body of a request.
    ///
    /// # Errors
    ///
    /// Fails as [`Upload::body`] does.
    pub fn into_request(upload: Upload) -> Result<Self, Error> {
        let sink = Sink::Streamed(upload.body()?);
        Ok(Self {
            place: Place::Request(Some(upload)),
            sink,
            at: 0,
            mode: FILE_MODE,
        })
    }

    /// Gives regular members another mode than 0444.
    #[must_use]
    pub fn with_mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    /// Whether sizes have to be known before the bytes.
    pub fn is_stream(&self) -> bool {
        matches!(self.sink, Sink::Streamed(_))
    }

    /// Adds a small file.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn file(&mut self, name: &str, data: &[u8]) -> Result<(), Error> {
        let size = data.len() as u64;
        let mut bytes = header(name, EntryType::Regular, self.mode, size)?;
        bytes.extend_from_slice(data);
        bytes.resize(bytes.len() + padding(size), 0);
        self.append(&bytes)
    }

    /// Adds a directory.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn directory(&mut self, name: &str) -> Result<(), Error> {
        self.append(&header(&format!("{name}/"), EntryType::Directory, 0o755, 0)?)
    }

    /// Adds a symbolic link.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn symlink(&mut self, name: &str, target: &str) -> Result<(), Error> {
        let bytes = with_header(name, EntryType::Symlink, 0, 0, |header| header.set_link_name(target))?;
        self.append(&bytes)
    }

    /// Where the host is to put the bytes of the next member: its name and size are asked for in a stream only. It has to
    /// end by [`Writer::end`] or [`Writer::give_up`] before another one begins.
    ///
    /// # Errors
    ///
    /// Fails if there is no place for them, or if a stream has to know more.
    pub fn begin(&mut self, announced: Option<(&str, u64)>) -> Result<Target, Error> {
        if let Sink::Seekable(file) = &self.sink {
            return Ok(Target::Range(FileRange {
                file: file.again(),
                offset: self.at + BLOCK,
                length: None,
            }));
        }
        let Some((name, size)) = announced else {
            return Err(Error::unsupported("a stream takes no member of unknown size"));
        };
        self.append(&header(name, EntryType::Regular, self.mode, size)?)?;
        self.stream()
    }

    /// A further handle of the one stream.
    fn stream(&self) -> Result<Target, Error> {
        match &self.place {
            Place::Request(Some(upload)) => Ok(Target::Streamed(upload.body()?)),
            Place::Request(None) => Err(Error::invalid_data("the request is complete")),
            Place::NewFile(session, label) => match session.new_file(label)? {
                Sink::Streamed(writer) => Ok(Target::Streamed(writer)),
                Sink::Seekable(_) => Err(Error::invalid_data("the new file is no stream any more")),
            },
        }
    }

    /// The bytes of the member that began are in place.
    ///
    /// # Errors
    ///
    /// Fails if its header cannot be written.
    pub fn end(&mut self, name: &str, size: u64) -> Result<(), Error> {
        if let Sink::Seekable(file) = &self.sink {
            let header = header(name, EntryType::Regular, self.mode, size)?;
            if header.len() as u64 != BLOCK {
                return Err(Error::invalid_data(format_args!("{name:?} is too long a name")));
            }
            file.write_at(self.at, &header)?;
            self.at += BLOCK;
        }
        self.at += size;
        self.append(&vec![0; padding(size)])
    }

    /// Where the host is to put the bytes of a member of known size. It has to end by [`Writer::end_sized`]; in a file,
    /// other members may begin and end before that.
    ///
    /// # Errors
    ///
    /// Fails if its header cannot be written.
    pub fn begin_sized(&mut self, name: &str, size: u64) -> Result<Target, Error> {
        self.append(&header(name, EntryType::Regular, self.mode, size)?)?;
        let Sink::Seekable(file) = &self.sink else {
            return self.stream();
        };
        let file = file.again();
        let offset = self.at;
        let end = offset.checked_add(size);
        self.at = end.ok_or_else(|| Error::invalid_data(format_args!("{name:?} is too large")))?;
        self.append(&vec![0; padding(size)])?;
        Ok(Target::Range(FileRange {
            file,
            offset,
            length: Some(size),
        }))
    }

    /// The bytes of a member that began by [`Writer::begin_sized`] are in place, all of them.
    ///
    /// # Errors
    ///
    /// Fails if what follows them cannot be written.
    pub fn end_sized(&mut self, size: u64) -> Result<(), Error> {
        if self.is_stream() {
            self.append(&vec![0; padding(size)])?;
        }
        Ok(())
    }

    /// The member that began is not to be, though its bytes may be there.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be cut off, which a stream never can.
    pub fn give_up(&mut self) -> Result<(), Error> {
        match &self.sink {
            Sink::Seekable(file) => file.resize(self.at),
            Sink::Streamed(_) => Err(Error::unsupported("what was written to a stream stays there")),
        }
    }

    /// Ends the archive.
    ///
    /// # Errors
    ///
    /// Fails if its end cannot be written.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.append(&[0; 2 * BLOCK as usize])
    }

    /// Ends the request that the archive is the body of; none if it is in a file.
    ///
    /// # Errors
    ///
    /// Fails as [`Upload::finish`] does.
    pub fn answer(&mut self) -> Result<Option<Response>, Error> {
        match &mut self.place {
            Place::Request(upload) => upload.take().map(Upload::finish).transpose(),
            Place::NewFile(..) => Ok(None),
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for piece in bytes.chunks(MAX_WRITE) {
            match &self.sink {
                Sink::Seekable(file) => file.write_at(self.at, piece)?,
                Sink::Streamed(writer) => writer.write(piece)?,
            }
            self.at += piece.len() as u64;
        }
        Ok(())
    }
}

fn header(name: &str, kind: EntryType, mode: u32, size: u64) -> Result<Vec<u8>, Error> {
    with_header(name, kind, mode, size, |_| Ok(()))
}

fn with_header(
    name: &str,
    kind: EntryType,
    mode: u32,
    size: u64,
    more: impl FnOnce(&mut Header) -> std::io::Result<()>,
) -> Result<Vec<u8>, Error> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    let failed = |error| Error::invalid_data(format_args!("{name:?} cannot be the name of a member: {error}"));
    more(&mut header).map_err(failed)?;
    let mut bytes = Vec::new();
    match (header.set_path(name), end_of(name)) {
        (Ok(()), _) => {}
        (Err(_), Some(end)) => {
            header.set_path(end).map_err(failed)?;
            bytes = long_name(name).map_err(failed)?;
        }
        (Err(error), None) => return Err(failed(error)),
    }
    header.set_cksum();
    bytes.extend_from_slice(header.as_bytes());
    Ok(bytes)
}

/// The end of a name that has no room in a header.
fn end_of(name: &str) -> Option<&str> {
    name.len().checked_sub(NAME).and_then(|start| name.get(start..))
}

/// What stands before the header of a member whose name has no room in it.
fn long_name(name: &str) -> std::io::Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    builder.append_pax_extensions([("path", name.as_bytes())])?;
    Ok(std::mem::take(builder.get_mut()))
}

/// Zeros that follow so many bytes.
fn padding(size: u64) -> usize {
    (size.next_multiple_of(BLOCK) - size) as usize
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tar::Archive;

    use super::*;

    #[test]
    fn headers_say_names_of_any_length() {
        let digest = format!("blobs/sha512/{}", "0123456789abcdef".repeat(8));
        let deep = format!("{}/{}", "d".repeat(150), "f".repeat(100));
        for (name, blocks) in [("a", 1), (&deep[..], 1), (&digest, 3)] {
            let mut bytes = header(name, EntryType::Regular, 0o644, 3).unwrap();
            assert_eq!(bytes.len() as u64, blocks * BLOCK, "{name}");
            bytes.extend(b"abc");
            bytes.resize(bytes.len() + padding(3) + 2 * BLOCK as usize, 0);
            let mut archive = Archive::new(&bytes[..]);
            let entries: Vec<_> = archive.entries().unwrap().collect();
            assert_eq!(entries.len(), 1);
            let entry = entries[0].as_ref().unwrap();
            assert_eq!(entry.path_bytes(), name.as_bytes());
            assert_eq!(entry.size(), 3);
            assert_eq!(entry.header().mode().unwrap(), 0o644);
        }
        assert!(header("../a", EntryType::Regular, 0o644, 3).is_err());
    }

    #[test]
    fn sizes_of_any_length() {
        for size in [0, 1, 511, 512, 8 << 30, 1 << 40] {
            let bytes = header("a", EntryType::Regular, 0o644, size).unwrap();
            assert_eq!(Header::from_byte_slice(&bytes).entry_size().unwrap(), size);
            assert_eq!((size + padding(size) as u64) % BLOCK, 0);
        }
    }
}
