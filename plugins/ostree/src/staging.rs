//! Objects that nobody sees yet.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use longshore_guest::posix::{Attributes, Time, Tree};
use longshore_guest::{Directory, Error, File, Reader, code, convert};
use longshore_layer::{CHECKSUM, checksum_in};
use longshore_ostree::{Checksum, Header, mode};

use crate::config::Mode;

/// Of the file that stands for another in a `bare-user` repository: what the other is.
const METADATA_ATTRIBUTE: &[u8] = b"user.ostreemeta";
/// The permissions that such a file has of those of the other, and the one that it always has.
const KEPT_PERMISSIONS: u32 = 0o775;
const READABLE: u32 = 0o400;
const PERMISSIONS: u32 = 0o7777;
/// Of objects that are no files.
const OBJECT_MODE: u32 = 0o644;
/// What deflating nothing makes.
const DEFLATED_NOTHING: &[u8] = &[3, 0];
/// Most that one `write-at` call takes.
const MAX_WRITE: usize = 1 << 20;
/// Every object is of that time.
const NO_TIME: Time = Time {
    seconds: 0,
    nanoseconds: 0,
};

/// A staged tree of objects.
pub(crate) struct Staging {
    tree: Tree,
    mode: Mode,
    /// Who this process is: the owner of what has none of its own.
    pub(crate) user: u32,
    pub(crate) group: u32,
    created: Cell<u64>,
    /// Where each object is, by its place in the repository.
    objects: RefCell<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Staging {
    /// An empty one, for the repository `parent`.
    pub(crate) fn new(parent: &Tree, mode: Mode) -> Result<Self, Error> {
        let tree = parent.stage()?;
        let own = tree.status(b"")?;
        Ok(Self {
            tree,
            mode,
            user: own.user,
            group: own.group,
            created: Cell::new(0),
            objects: RefCell::default(),
        })
    }

    /// A commit, or a directory, or the metadata of one.
    pub(crate) fn object(&self, bytes: &[u8], extension: &str) -> Result<Checksum, Error> {
        let checksum = Checksum::of(&[bytes]);
        if self.has(checksum, extension) {
            return Ok(checksum);
        }
        let (name, file) = self.create()?;
        write(&file, bytes)?;
        self.set_own(&name, OBJECT_MODE)?;
        self.keep(checksum, extension, name)?;
        Ok(checksum)
    }

    /// A regular file whose content is at hand.
    pub(crate) fn small_file(&self, header: &Header, content: &[u8]) -> Result<Checksum, Error> {
        use std::io::Write as _;
        let (name, file) = self.create()?;
        if self.mode == Mode::Archive {
            let mut object = header.archived(content.len() as u64);
            if content.is_empty() {
                object.extend_from_slice(DEFLATED_NOTHING);
            } else {
                let mut encoder = flate2::write::DeflateEncoder::new(object, flate2::Compression::default());
                encoder.write_all(content).map_err(Error::invalid_data)?;
                object = encoder.finish().map_err(Error::invalid_data)?;
            }
            write(&file, &object)?;
        } else {
            write(&file, content)?;
        }
        self.finish_file(header, header.checksum(content), name)
    }

    /// A regular file whose content comes in a stream. Answers with its [`CHECKSUM`] too.
    pub(crate) fn file(&self, header: &Header, content: &Reader, size: u64) -> Result<(Checksum, u64), Error> {
        let (name, file) = self.create()?;
        let (form, offset) = match self.mode {
            Mode::Archive => {
                let front = header.archived(size);
                write(&file, &front)?;
                ("deflate", front.len() as u64)
            }
            Mode::Bare | Mode::BareUser => ("same", 0),
        };
        let checksums = [
            ("sha256".to_owned(), header.hashed()),
            (CHECKSUM.to_owned(), Vec::new()),
        ];
        let moved = convert(content, &file.writer(offset)?, form, size, &checksums)?;
        let found = moved.checksums.iter().find(|(name, _)| name == "sha256");
        let checksum = found.and_then(|(_, digits)| Checksum::from_hex(digits));
        let checksum = checksum.ok_or_else(|| Error::new(code::UNSUPPORTED, "the host does not compute sha256"))?;
        Ok((self.finish_file(header, checksum, name)?, checksum_in(&moved)?))
    }

    pub(crate) fn symlink(&self, header: &Header) -> Result<Checksum, Error> {
        let checksum = header.checksum(b"");
        let name = match self.mode {
            Mode::Archive => {
                let (name, file) = self.create()?;
                write(&file, &header.archived(0))?;
                name
            }
            Mode::BareUser => {
                let (name, file) = self.create()?;
                write(&file, &[header.symlink.as_bytes(), b"\0"].concat())?;
                name
            }
            Mode::Bare => {
                let name = self.next_name();
                self.tree.make_symlink(&name, header.symlink.as_bytes())?;
                name
            }
        };
        self.finish_file(header, checksum, name)
    }

    /// Gives all objects their places in the repository.
    pub(crate) fn publish(self, repository: &Directory) -> Result<(), Error> {
        let objects = self.objects.into_inner();
        let names: Vec<_> = objects.into_iter().map(|(place, name)| (name, place)).collect();
        Tree::publish_files(self.tree, repository, &names)
    }

    /// Sets what the file itself has of owner, mode and attributes.
    fn finish_file(&self, header: &Header, checksum: Checksum, name: Vec<u8>) -> Result<Checksum, Error> {
        let is_symlink = header.mode & mode::TYPE == mode::SYMLINK;
        match self.mode {
            Mode::Archive => self.set_own(&name, OBJECT_MODE)?,
            Mode::BareUser => {
                let mode = match is_symlink {
                    true => OBJECT_MODE,
                    false => header.mode & KEPT_PERMISSIONS | READABLE,
                };
                self.set_own(&name, mode)?;
                self.tree
                    .set_extended_attribute(&name, METADATA_ATTRIBUTE, &header.metadata())?;
            }
            Mode::Bare => {
                let attributes = Attributes {
                    user: header.user,
                    group: header.group,
                    mode: (!is_symlink).then_some(header.mode & PERMISSIONS),
                    modified: NO_TIME,
                };
                self.tree.set_attributes(&name, attributes)?;
                for (attribute, value) in &header.attributes {
                    let attribute = attribute.strip_suffix(b"\0").unwrap_or(attribute);
                    self.tree.set_extended_attribute(&name, attribute, value)?;
                }
            }
        }
        self.keep(checksum, self.mode.extension(), name)?;
        Ok(checksum)
    }

    fn set_own(&self, name: &[u8], mode: u32) -> Result<(), Error> {
        let attributes = Attributes {
            user: self.user,
            group: self.group,
            mode: Some(mode),
            modified: NO_TIME,
        };
        self.tree.set_attributes(name, attributes)
    }

    fn next_name(&self) -> Vec<u8> {
        let number = self.created.get();
        self.created.set(number + 1);
        number.to_string().into_bytes()
    }

    fn create(&self) -> Result<(Vec<u8>, File), Error> {
        let name = self.next_name();
        let file = self.tree.create_file(&name)?;
        Ok((name, file))
    }

    fn has(&self, checksum: Checksum, extension: &str) -> bool {
        self.objects.borrow().contains_key(&checksum.path(extension))
    }

    /// One of two equal objects goes away.
    fn keep(&self, checksum: Checksum, extension: &str, name: Vec<u8>) -> Result<(), Error> {
        if self.has(checksum, extension) {
            return self.tree.remove_all(&name);
        }
        self.objects.borrow_mut().insert(checksum.path(extension), name);
        Ok(())
    }
}

fn write(file: &File, bytes: &[u8]) -> Result<(), Error> {
    let mut offset = 0;
    for piece in bytes.chunks(MAX_WRITE) {
        file.write_at(offset, piece)?;
        offset += piece.len() as u64;
    }
    Ok(())
}
