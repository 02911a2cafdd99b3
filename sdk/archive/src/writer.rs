use longshore_guest::{Error, FileRange, Response, Session, Sink, Target, Upload};
use tar::{EntryType, Header};

/// Size of a header, and what members are padded to.
const BLOCK: u64 = 512;

/// Mode of every regular member.
const FILE_MODE: u32 = 0o444;

/// Most that one `write` or `write-at` call takes.
const MAX_WRITE: usize = 1 << 20;

/// A tar archive on its way into a new file, or into the body of a request. Members have no owner and no time (DA-07).
///
/// In a file, the size of a member may become known after its bytes were written; in a stream it must be known before.
#[derive(Debug)]
pub struct Writer {
    place: Place,
    sink: Sink,
    /// Where the next header goes.
    at: u64,
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
        })
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
        let mut bytes = header(name, EntryType::Regular, FILE_MODE, size)?;
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
        self.append(&header(name, EntryType::Regular, FILE_MODE, size)?)?;
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
            file.write_at(self.at, &header(name, EntryType::Regular, FILE_MODE, size)?)?;
            self.at += BLOCK;
        }
        self.at += size;
        self.append(&vec![0; padding(size)])
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
    header.set_path(name).and_then(|()| more(&mut header)).map_err(failed)?;
    header.set_cksum();
    Ok(header.as_bytes().to_vec())
}

/// Zeros that follow so many bytes.
fn padding(size: u64) -> usize {
    (size.next_multiple_of(BLOCK) - size) as usize
}
