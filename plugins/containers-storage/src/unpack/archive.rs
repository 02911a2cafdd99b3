//! Members of an archive that passes once.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};

use longshore_guest::{Error, File, Reader, code, copy};
use tar::{Entry, EntryType};

/// Most bytes of the headers of one member. PAX records hold names and attributes.
const MAX_HEADER: usize = 4 << 20;
/// Bytes that are read at once behind the archive's end.
const MAX_READ: u32 = 1 << 20;
/// What the host calls the checksum of a tar-split record.
const CHECKSUM: &str = "crc64-go-iso";

/// Where an archive comes from, front to back.
pub(super) trait Data {
    /// Up to `max` bytes of headers and padding; nothing at the end.
    fn read(&self, max: u32) -> Result<Vec<u8>, Error>;

    /// Has the host move the contents that come next into a file; the answer is their checksum.
    fn contents(&self, to: &File, size: u64) -> Result<u64, Error>;
}

impl Data for Reader {
    fn read(&self, max: u32) -> Result<Vec<u8>, Error> {
        Self::read(self, max)
    }

    fn contents(&self, to: &File, size: u64) -> Result<u64, Error> {
        checked_copy(self, to, size)
    }
}

/// Has the host move bytes, and answers with their checksum.
pub(super) fn checked_copy(from: &Reader, to: &File, size: u64) -> Result<u64, Error> {
    let copied = copy(from, &to.writer(0)?, Some(size), &[CHECKSUM.to_owned()])?;
    let checksum = copied.checksums.into_iter().find(|(name, _)| name == CHECKSUM);
    let checksum = checksum.and_then(|(_, digits)| u64::from_str_radix(&digits, 16).ok());
    checksum.ok_or_else(|| Error::new(code::UNSUPPORTED, "the host does not compute CRC-64"))
}

/// An archive on its way. What is read of it is kept until it is taken; what the host moves is not seen here.
pub(super) struct Passing<'a> {
    data: &'a dyn Data,
    seen: RefCell<Vec<u8>>,
    /// Bytes that the host has moved and that are yet to be passed over.
    moved: Cell<u64>,
}

impl<'a> Passing<'a> {
    pub(super) fn new(data: &'a dyn Data) -> Self {
        Self {
            data,
            seen: RefCell::default(),
            moved: Cell::new(0),
        }
    }

    /// What was read since the last time.
    pub(super) fn take(&self) -> Vec<u8> {
        self.seen.take()
    }

    /// Has the contents of a member moved into a file, and answers with their checksum.
    pub(super) fn contents(&self, to: &File, size: u64) -> Result<u64, Error> {
        let checksum = self.data.contents(to, size)?;
        self.moved.set(size);
        Ok(checksum)
    }

    /// What follows the last member; none at the end.
    pub(super) fn rest(&self) -> Result<Option<Vec<u8>>, Error> {
        let piece = self.data.read(MAX_READ)?;
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }
}

impl Read for &Passing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let moved = self.moved.get();
        if moved > 0 {
            let length = usize::try_from(moved).map_or(buffer.len(), |moved| moved.min(buffer.len()));
            self.moved.set(moved - length as u64);
            return Ok(length);
        }
        let mut seen = self.seen.borrow_mut();
        if seen.len() > MAX_HEADER {
            return Err(io::Error::other("a member has too long a header"));
        }
        let max = u32::try_from(buffer.len()).map_or(MAX_READ, |length| length.min(MAX_READ));
        if max == 0 {
            return Ok(0);
        }
        let piece = self.data.read(max).map_err(|error| io::Error::other(error.message))?;
        buffer[..piece.len()].copy_from_slice(&piece);
        seen.extend_from_slice(&piece);
        Ok(piece.len())
    }
}

/// What a member is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    Symlink(Vec<u8>),
    /// Another name of a member before it.
    HardLink(Vec<u8>),
    Fifo,
    Device {
        is_block: bool,
        major: u32,
        minor: u32,
    },
    /// Nothing that a folder has, such as remarks on all members.
    Nothing,
}

/// A member without its contents.
#[derive(Debug)]
pub(super) struct Member {
    /// As it stands in the archive.
    pub(super) recorded_name: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) size: u64,
    pub(super) mode: u32,
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) seconds: i64,
    pub(super) nanoseconds: u32,
    pub(super) attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Reads the headers of a member.
pub(super) fn member<R: Read>(entry: &mut Entry<'_, R>) -> Result<Member, Error> {
    let name = entry.path_bytes().into_owned();
    let invalid = |what: &str| Error::invalid_data(format_args!("{:?} {what}", String::from_utf8_lossy(&name)));
    let broken = |error: io::Error| invalid(&format!("has a malformed header: {error}"));
    let mut attributes = Vec::new();
    let mut time = None;
    if let Some(extensions) = entry.pax_extensions().map_err(broken)? {
        for extension in extensions {
            let extension = extension.map_err(broken)?;
            let (key, value) = (extension.key_bytes(), extension.value_bytes());
            if key.starts_with(b"GNU.sparse.") {
                return Err(Error::unsupported(format_args!(
                    "{:?} is a sparse file",
                    String::from_utf8_lossy(&name)
                )));
            }
            if let Some(attribute) = key.strip_prefix(b"SCHILY.xattr.") {
                attributes.push((attribute.to_vec(), value.to_vec()));
            }
            if key == b"mtime" {
                let text = std::str::from_utf8(value).ok().and_then(seconds_and_nanoseconds);
                time = Some(text.ok_or_else(|| invalid("has a malformed time"))?);
            }
        }
    }
    let header = entry.header();
    let (entry_type, size) = (header.entry_type(), entry.size());
    let link = || {
        entry
            .link_name_bytes()
            .map(|name| name.into_owned())
            .ok_or_else(|| invalid("leads nowhere"))
    };
    let kind = match entry_type {
        EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => Kind::Directory,
        EntryType::Regular | EntryType::Continuous => Kind::File,
        EntryType::Directory => Kind::Directory,
        EntryType::Symlink => Kind::Symlink(link()?),
        EntryType::Link => Kind::HardLink(link()?),
        EntryType::Fifo => Kind::Fifo,
        EntryType::Block | EntryType::Char => Kind::Device {
            is_block: entry_type == EntryType::Block,
            major: header.device_major().map_err(broken)?.unwrap_or_default(),
            minor: header.device_minor().map_err(broken)?.unwrap_or_default(),
        },
        EntryType::XGlobalHeader => Kind::Nothing,
        other => {
            let what = format!("is of a type that is not supported: {:?}", char::from(other.as_byte()));
            return Err(invalid(&what));
        }
    };
    if size > 0 && !matches!(kind, Kind::File | Kind::Nothing) {
        return Err(invalid("has contents, and is no file"));
    }
    let id = |id: io::Result<u64>| {
        let id = id.map_err(broken)?;
        u32::try_from(id).map_err(|_| invalid("has an owner that there cannot be"))
    };
    let header_time =
        i64::try_from(header.mtime().map_err(broken)?).map_err(|_| invalid("has a time beyond all times"))?;
    let (seconds, nanoseconds) = time.unwrap_or((header_time, 0));
    let member = Member {
        size: if kind == Kind::File { size } else { 0 },
        mode: header.mode().map_err(broken)? & 0o7777,
        user: id(header.uid())?,
        group: id(header.gid())?,
        seconds,
        nanoseconds,
        attributes,
        recorded_name: name.clone(),
        kind,
    };
    if member.kind == Kind::Nothing {
        io::copy(entry, &mut io::sink()).map_err(broken)?;
    }
    Ok(member)
}

/// `SECONDS[.FRACTION]`, which may be negative.
fn seconds_and_nanoseconds(text: &str) -> Option<(i64, u32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanoseconds: u32 = digits.parse().ok()?;
    if whole.starts_with('-') && nanoseconds > 0 {
        return Some((seconds.checked_sub(1)?, 1_000_000_000 - nanoseconds));
    }
    Some((seconds, nanoseconds))
}
