use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::entries::{FILE, SEGMENT};

/// Longest segment that is one line, in bytes; what readers take is several times that.
const MAX_SEGMENT: usize = 1 << 20;

/// Writes the record of an archive, line by line, while it is unpacked.
#[derive(Debug)]
pub struct Recorder<W> {
    output: W,
    position: u64,
}

/// As it is written.
#[derive(Serialize)]
struct Line<'a> {
    r#type: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_raw: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    payload: Option<String>,
    position: u64,
}

impl<W: Write> Recorder<W> {
    /// Writes to `output`, without compression.
    pub fn new(output: W) -> Self {
        Self { output, position: 0 }
    }

    /// Bytes of the archive that are no contents of a member.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be written.
    pub fn segment(&mut self, bytes: &[u8]) -> io::Result<()> {
        for bytes in bytes.chunks(MAX_SEGMENT) {
            self.line(SEGMENT, None, None, None, Some(STANDARD.encode(bytes)))?;
        }
        Ok(())
    }

    /// A member, whose headers the segment before it has; `checksum` is CRC-64/GO-ISO of its contents, if it has any.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn file(&mut self, name: &[u8], contents: Option<(u64, u64)>) -> io::Result<()> {
        let text = std::str::from_utf8(name).ok();
        let raw = text.is_none().then(|| STANDARD.encode(name));
        let (size, checksum) = contents.unzip();
        let payload = checksum.map(|checksum| STANDARD.encode(checksum.to_be_bytes()));
        self.line(FILE, text, raw, size, payload)
    }

    /// The record is complete.
    pub fn finish(self) -> W {
        self.output
    }

    fn line(
        &mut self,
        r#type: u8,
        name: Option<&str>,
        name_raw: Option<String>,
        size: Option<u64>,
        payload: Option<String>,
    ) -> io::Result<()> {
        let line = Line {
            r#type,
            name,
            name_raw,
            size,
            payload,
            position: self.position,
        };
        self.position += 1;
        serde_json::to_writer(&mut self.output, &line)?;
        self.output.write_all(b"\n")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Entries, Entry, FileEntry};

    #[test]
    fn what_is_recorded_is_read() {
        let mut recorder = Recorder::new(Vec::new());
        recorder.segment(b"header").unwrap();
        recorder.file(b"a/b", Some((3, 0xb909_56c7_75a4_1001))).unwrap();
        recorder.segment(&[]).unwrap();
        recorder.segment(&vec![7; MAX_SEGMENT + 1]).unwrap();
        recorder.file(b"\xff", None).unwrap();
        let record = recorder.finish();
        let first = String::from_utf8_lossy(&record);
        let expected = concat!(
            r#"{"type":2,"payload":"aGVhZGVy","position":0}"#,
            "\n",
            r#"{"type":1,"name":"a/b","size":3,"payload":"uQlWx3WkEAE=","position":1}"#
        );
        assert!(first.starts_with(expected), "{first:.200}");
        let entries: Vec<Entry> = Entries::new(record.as_slice()).map(Result::unwrap).collect();
        let file = |name: &[u8], size, checksum| {
            Entry::File(FileEntry {
                name: name.to_vec(),
                size,
                checksum,
            })
        };
        let expected = [
            Entry::Segment(b"header".to_vec()),
            file(b"a/b", 3, Some(0xb909_56c7_75a4_1001)),
            Entry::Segment(vec![7; MAX_SEGMENT]),
            Entry::Segment(vec![7]),
            file(b"\xff", 0, None),
        ];
        assert_eq!(entries, expected);
    }
}
