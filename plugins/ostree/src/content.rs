//! Files in the tree of a commit.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::rc::Rc;

use flate2::read::DeflateDecoder;
use longshore_guest::{Body, Context as _, Copied, Error, File, FileRange, ReaderIo, Writer, convert, copy};
use longshore_layer::CHECKSUM;
use longshore_ostree::{Checksum, Directory, FRAME, Header, mode};

use crate::config::Mode;
use crate::repository::Repository;

/// Most bytes of the header of a file.
const MAX_HEADER: u32 = 1 << 20;

/// The tree of a commit.
pub(crate) struct Tree<'a> {
    repository: &'a Repository,
    root: Checksum,
    read: RefCell<BTreeMap<Checksum, Rc<Directory>>>,
}

impl<'a> Tree<'a> {
    pub(crate) fn new(repository: &'a Repository, root: Checksum) -> Self {
        Self {
            repository,
            root,
            read: RefCell::default(),
        }
    }

    /// The file at a clean path. No symbolic link on the way is followed.
    ///
    /// # Errors
    ///
    /// `invalid-data` if there is no such file, or it is malformed.
    pub(crate) fn open(&self, path: &[u8]) -> Result<StoredFile, Error> {
        let missing = || {
            let path = String::from_utf8_lossy(path);
            Error::invalid_data(format_args!("{path:?} is not in the tree of the commit"))
        };
        let path = std::str::from_utf8(path).map_err(|_| missing())?;
        let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut directory = self.directory(self.root)?;
        for parent in parents.split('/').filter(|parent| !parent.is_empty()) {
            directory = self.directory(directory.directory(parent).ok_or_else(missing)?)?;
        }
        StoredFile::open(self.repository, directory.file(name).ok_or_else(missing)?)
    }

    fn directory(&self, checksum: Checksum) -> Result<Rc<Directory>, Error> {
        if let Some(directory) = self.read.borrow().get(&checksum) {
            return Ok(Rc::clone(directory));
        }
        let directory = Directory::parse(self.repository.object(checksum, "dirtree")?);
        let directory = directory.ok_or_else(|| self.repository.invalid(checksum, "dirtree", "malformed"))?;
        let directory = Rc::new(directory);
        self.read.borrow_mut().insert(checksum, Rc::clone(&directory));
        Ok(directory)
    }
}

/// A regular file of a repository.
pub(crate) struct StoredFile {
    file: File,
    /// Where its deflated content begins; none if it lies there as it is.
    deflated_from: Option<u64>,
}

impl StoredFile {
    fn open(repository: &Repository, checksum: Checksum) -> Result<Self, Error> {
        let extension = repository.mode.extension();
        let invalid = |what: &str| repository.invalid(checksum, extension, what);
        let file = repository.directory.open(&checksum.path(extension), false).optional()?;
        let file = file.ok_or_else(|| invalid("missing"))?;
        if repository.mode != Mode::Archive {
            return Ok(Self {
                file,
                deflated_from: None,
            });
        }
        let frame = file.read_at(0, FRAME as u32)?;
        let length = frame.first_chunk().map(|length| u32::from_be_bytes(*length));
        let length = length.filter(|length| *length <= MAX_HEADER).unwrap_or_default();
        let header = file.read_at(FRAME as u64, length.max(1))?;
        let header = Header::parse_archived(header).map(|(header, _)| header);
        match header {
            Some(header) if header.mode & mode::TYPE == mode::REGULAR => Ok(Self {
                file,
                deflated_from: Some(FRAME as u64 + u64::from(length)),
            }),
            Some(_) => Err(invalid("no regular file")),
            None => Err(invalid("malformed")),
        }
    }

    /// Has the content written, with its [`CHECKSUM`]; what is deflated has to have `length` bytes.
    pub(crate) fn write(&self, out: &Writer, length: u64) -> Result<Copied, Error> {
        match self.deflated_from {
            None => copy(&self.file.reader(0, None)?, out, None, &[CHECKSUM.to_owned()]),
            Some(offset) => {
                let checksums = [(CHECKSUM.to_owned(), Vec::new())];
                convert(&self.file.reader(offset, None)?, out, "inflate", length, &checksums)
            }
        }
    }

    /// Where a blob of `size` bytes is that is this file.
    pub(crate) fn body(&self, size: Option<u64>) -> Body {
        match self.deflated_from {
            None => Body::Range(FileRange::whole(self.file.again())),
            Some(_) => Body::Produced(size),
        }
    }

    /// All of a small file.
    ///
    /// # Errors
    ///
    /// `invalid-data` for more than `limit` bytes.
    pub(crate) fn bytes(&self, limit: u64) -> Result<Vec<u8>, Error> {
        let Some(offset) = self.deflated_from else {
            return self.file.whole(limit);
        };
        let mut bytes = Vec::new();
        let deflated = self.file.reader(offset, None)?;
        let read = DeflateDecoder::new(ReaderIo(&deflated))
            .take(limit + 1)
            .read_to_end(&mut bytes);
        read.map_err(Error::invalid_data)?;
        if bytes.len() as u64 > limit {
            return Err(Error::invalid_data(format_args!("more than {limit} bytes")));
        }
        Ok(bytes)
    }
}
