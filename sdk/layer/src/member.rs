use std::io::{self, Read};

use longshore_guest::Error;
use tar::{Entry, EntryType};

/// What a member is.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// With what it says.
    Symlink(Vec<u8>),
    /// Another name of a member before it, as it stands in the archive.
    HardLink(Vec<u8>),
    /// A FIFO.
    Fifo,
    /// A device.
    Device {
        /// Otherwise it is one of characters.
        is_block: bool,
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
    },
    /// Nothing that a folder has, such as remarks on all members.
    Nothing,
}

/// A member without its contents.
#[derive(Debug)]
pub struct Member {
    /// As it stands in the archive.
    pub recorded_name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Bytes of a regular file, otherwise 0.
    pub size: u64,
    /// The twelve bits of permissions, set-ID and sticky.
    pub mode: u32,
    /// Who owns it.
    pub user: u32,
    /// The group that does.
    pub group: u32,
    /// When it changed last, since 1970-01-01T00:00Z.
    pub seconds: i64,
    /// The fraction of that.
    pub nanoseconds: u32,
    /// Names and values of extended attributes, in the order of the archive.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Reads the headers of a member.
pub(crate) fn member<R: Read>(entry: &mut Entry<'_, R>) -> Result<Member, Error> {
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
