use std::io::{self, BufRead, Read as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// Longest line, in bytes: the headers of one member with its PAX records, in base64. Go's reader of archives takes
/// records of 1 MiB.
const MAX_LINE: u64 = 8 << 20;

/// The lines of a record, without its compression.
#[derive(Debug)]
pub struct Entries<R> {
    input: R,
    line: Vec<u8>,
    count: u64,
}

/// A line of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Bytes of the archive: headers and padding.
    Segment(Vec<u8>),
    /// Here the contents of a member belong.
    File(FileEntry),
}

/// A member of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its name, as it stands in the archive.
    pub name: Vec<u8>,
    /// Bytes of its contents; 0 for everything but regular files.
    pub size: u64,
    /// CRC-64/GO-ISO of the contents, if there are any.
    pub checksum: Option<u64>,
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Its bytes cannot be read.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// A line breaks the format.
    #[error("line {line}: {reason}")]
    Invalid {
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

/// As it is written. `position` counts the lines; nothing depends on it.
#[derive(Deserialize)]
struct Line {
    r#type: u8,
    name: Option<String>,
    name_raw: Option<String>,
    size: Option<u64>,
    payload: Option<String>,
}

pub(crate) const FILE: u8 = 1;
pub(crate) const SEGMENT: u8 = 2;

impl<R: BufRead> Entries<R> {
    /// Reads from `input`, which is to be buffered well: it is read line by line.
    pub fn new(input: R) -> Self {
        Self {
            input,
            line: Vec::new(),
            count: 0,
        }
    }

    fn read(&mut self) -> Result<Option<Entry>, EntryError> {
        self.line.clear();
        let mut line = (&mut self.input).take(MAX_LINE);
        if line.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        self.count += 1;
        let number = self.count;
        let invalid = |reason: String| EntryError::Invalid { line: number, reason };
        if self.line.len() as u64 == MAX_LINE {
            return Err(invalid(format!("longer than {MAX_LINE} bytes")));
        }
        entry(&self.line).map(Some).map_err(invalid)
    }
}

impl<R: BufRead> Iterator for Entries<R> {
    type Item = Result<Entry, EntryError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

fn entry(line: &[u8]) -> Result<Entry, String> {
    let line: Line = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let payload = line.payload.map(|text| decoded("payload", &text)).transpose()?;
    match line.r#type {
        SEGMENT => Ok(Entry::Segment(payload.unwrap_or_default())),
        FILE => {
            let name = match (line.name, line.name_raw) {
                (_, Some(raw)) => decoded("name_raw", &raw)?,
                (Some(name), None) => name.into_bytes(),
                (None, None) => return Err("a member has no name".to_owned()),
            };
            let size = line.size.unwrap_or_default();
            let checksum = payload
                .filter(|payload| !payload.is_empty())
                .map(checksum)
                .transpose()?;
            if size > 0 && checksum.is_none() {
                return Err("a file has no checksum".to_owned());
            }
            Ok(Entry::File(FileEntry { name, size, checksum }))
        }
        other => Err(format!("type {other} is not known")),
    }
}

fn decoded(member: &str, text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|error| format!("{member}: {error}"))
}

fn checksum(payload: Vec<u8>) -> Result<u64, String> {
    let length = payload.len();
    let bytes = payload
        .try_into()
        .map_err(|_| format!("a checksum of {length} bytes, not 8"))?;
    Ok(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests;
