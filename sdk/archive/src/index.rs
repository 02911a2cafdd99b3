use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Read};

use longshore_guest::{Error, File, FileRange};
use tar::{Archive, Entry, EntryType};

use crate::ReadAt;
use crate::read_at::Headers;

/// Most members of an archive: an image has a few for each of its layers.
const MAX_MEMBERS: usize = 200_000;

/// Most bytes of all names and link targets together. They are kept in memory.
const MAX_NAMES: usize = 32 << 20;

/// Most bytes of one header with its extensions. PAX records hold names and, rarely, attributes.
const MAX_HEADER: u64 = 1 << 20;

/// Most that one `read-at` call answers with.
const MAX_READ: u32 = 1 << 20;

/// Where the members of a tar archive are.
#[derive(Debug)]
pub struct Index {
    members: HashMap<Vec<u8>, Listed>,
}

/// The bytes of a regular member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// Offset in the archive.
    pub offset: u64,
    /// Number of bytes.
    pub size: u64,
}

#[derive(Debug)]
struct Listed {
    kind: Kind,
    /// Readers differ on which one counts.
    is_ambiguous: bool,
}

#[derive(Debug)]
enum Kind {
    File(Member),
    /// To this clean name; none: it leads outside.
    Link(Option<Vec<u8>>),
    Directory,
    Other,
}

impl Index {
    /// Reads all headers of an archive.
    ///
    /// # Errors
    ///
    /// `invalid-data` if it is no tar archive, is cut short, or exceeds a limit.
    pub fn read(file: &impl ReadAt) -> Result<Self, Error> {
        let end = file.size()?;
        let budget = Cell::new(MAX_HEADER);
        let mut archive = Archive::new(Headers::new(file, &budget));
        let mut members: HashMap<Vec<u8>, Listed> = HashMap::new();
        let mut names = 0;
        for entry in archive.entries_with_seek().map_err(not_tar)? {
            let mut entry = entry.map_err(not_tar)?;
            budget.set(MAX_HEADER);
            let Some(name) = clean(&entry.path_bytes(), b"") else {
                // Nothing can name it.
                continue;
            };
            let kind = kind(&mut entry, &name, end)?;
            names += name.len()
                + if let Kind::Link(Some(target)) = &kind {
                    target.len()
                } else {
                    0
                };
            if members.len() == MAX_MEMBERS || names > MAX_NAMES {
                return Err(Error::invalid_data("the archive has too many members"));
            }
            match members.get_mut(&name) {
                Some(Listed {
                    kind: Kind::Directory, ..
                }) if matches!(kind, Kind::Directory) => {}
                Some(listed) => listed.is_ambiguous = true,
                None => {
                    let is_ambiguous = false;
                    members.insert(name, Listed { kind, is_ambiguous });
                }
            }
        }
        Ok(Self { members })
    }

    /// The regular member of this name, or that a link of this name leads to directly; none if there is no such name.
    ///
    /// # Errors
    ///
    /// `invalid-data` for a name that leads outside of the archive, that two members have, or that stands for anything
    /// else.
    pub fn find(&self, name: &str) -> Result<Option<Member>, Error> {
        let invalid = |what: &str| Error::invalid_data(format_args!("{name:?} {what}"));
        let clean = clean(name.as_bytes(), b"").ok_or_else(|| invalid("leads outside of the archive"))?;
        let target = match self.listed(&clean).map_err(invalid)? {
            None => return Ok(None),
            Some(Kind::File(member)) => return Ok(Some(*member)),
            Some(Kind::Link(None)) => return Err(invalid("is a link that leads outside of the archive")),
            Some(Kind::Link(Some(target))) => target,
            Some(Kind::Directory | Kind::Other) => return Err(invalid("is not a regular file")),
        };
        match self.listed(target).map_err(invalid)? {
            None => Ok(None),
            Some(Kind::File(member)) => Ok(Some(*member)),
            Some(Kind::Link(_)) => Err(invalid("is a link to another link")),
            Some(Kind::Directory | Kind::Other) => Err(invalid("is a link to what is not a regular file")),
        }
    }

    fn listed(&self, name: &[u8]) -> Result<Option<&Kind>, &'static str> {
        match self.members.get(name) {
            Some(listed) if listed.is_ambiguous => Err("is in the archive more than once"),
            listed => Ok(listed.map(|listed| &listed.kind)),
        }
    }
}

impl Member {
    /// Its bytes, for the host to move.
    pub fn range(self, file: &File) -> FileRange {
        FileRange {
            file: file.again(),
            offset: self.offset,
            length: Some(self.size),
        }
    }

    /// The bytes of a small member called `name`.
    ///
    /// # Errors
    ///
    /// `invalid-data` if it has more than `limit` bytes.
    pub fn read(self, file: &impl ReadAt, name: &str, limit: u64) -> Result<Vec<u8>, Error> {
        if self.size > limit {
            return Err(Error::invalid_data(format_args!(
                "{name:?} is larger than {limit} bytes"
            )));
        }
        let mut data = Vec::new();
        while (data.len() as u64) < self.size {
            let at = data.len() as u64;
            let max = u32::try_from(self.size - at).map_or(MAX_READ, |rest| rest.min(MAX_READ));
            let piece = file.read_at(self.offset + at, max)?;
            if piece.is_empty() {
                return Err(Error::invalid_data(format_args!("{name:?} is cut short")));
            }
            data.extend(piece);
        }
        Ok(data)
    }
}

fn not_tar(error: io::Error) -> Error {
    Error::invalid_data(format_args!("not a readable tar archive: {error}"))
}

fn kind<R: Read>(entry: &mut Entry<'_, R>, name: &[u8], end: u64) -> Result<Kind, Error> {
    let invalid = |what: &str| Error::invalid_data(format_args!("{:?} {what}", String::from_utf8_lossy(name)));
    let is_sparse = check_extensions(entry).map_err(|what| invalid(&what))?;
    let parent = match name.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => &name[..slash],
        None => b"",
    };
    Ok(match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous if !is_sparse => {
            let member = Member {
                offset: entry.raw_file_position(),
                size: entry.size(),
            };
            // A size that no file can have ends up here too.
            match member.offset.checked_add(member.size) {
                Some(last) if last <= end => Kind::File(member),
                _ => return Err(invalid("ends beyond the end of the archive")),
            }
        }
        EntryType::Directory => Kind::Directory,
        EntryType::Symlink => Kind::Link(clean(&entry.link_name_bytes().unwrap_or_default(), parent)),
        EntryType::Link => Kind::Link(clean(&entry.link_name_bytes().unwrap_or_default(), b"")),
        _ => Kind::Other,
    })
}

/// Whether the member is a sparse file, whose bytes are not the file's. Two sizes for one member are read differently
/// by different programs.
fn check_extensions<R: Read>(entry: &mut Entry<'_, R>) -> Result<bool, String> {
    let mut sizes = 0;
    let mut is_sparse = false;
    let extensions = entry.pax_extensions().map_err(|error| error.to_string())?;
    for extension in extensions.into_iter().flatten() {
        let extension = extension.map_err(|error| format!("has a malformed PAX header: {error}"))?;
        is_sparse |= extension.key_bytes().starts_with(b"GNU.sparse.");
        if extension.key_bytes() == b"size" {
            sizes += 1;
            let size = extension.value().ok().map(str::parse::<u64>);
            if !matches!(size, Some(Ok(_))) {
                return Err("has a malformed size".to_owned());
            }
        }
    }
    if sizes > 1 {
        return Err("has more than one size".to_owned());
    }
    Ok(is_sparse)
}

/// A name without `.`, `..` and empty parts, taken from the folder `parent`; none if it leads outside.
fn clean(name: &[u8], parent: &[u8]) -> Option<Vec<u8>> {
    if name.starts_with(b"/") {
        return None;
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in parent
        .split(|byte| *byte == b'/')
        .chain(name.split(|byte| *byte == b'/'))
    {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join(&b'/'))
}

#[cfg(test)]
mod tests;
