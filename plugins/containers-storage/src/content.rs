//! A layer's archive, put together again (formats of tar-split).

use std::io::BufReader;
use std::rc::Rc;

use longshore_guest::{Blob, Body, Context as _, Directory, Error, File, ReaderIo, Writer, copy, decompress};
use longshore_tar_split::{Entries, Entry, FileEntry};

use crate::chain::Layer;
use crate::store::{Driver, Stores};

/// What the host calls the checksum of a tar-split record.
const CHECKSUM: &str = "crc64-go-iso";
/// Most that one call writes.
const MAX_WRITE: usize = 1 << 20;
/// Bytes of the record that are read at once.
const READ_AHEAD: usize = 256 << 10;

/// A layer of an image, and all layers below it.
pub(crate) struct LayerBlob {
    pub(crate) stores: Rc<Stores>,
    /// The topmost first.
    pub(crate) layers: Rc<[Layer]>,
    pub(crate) index: usize,
}

impl LayerBlob {
    fn layer(&self) -> &Layer {
        &self.layers[self.index]
    }

    fn failed(&self, what: impl std::fmt::Display) -> Error {
        Error::invalid_data(format_args!("layer \"{}\": {what}", self.layer().id))
    }

    fn record(&self) -> Result<File, Error> {
        let layer = self.layer();
        let record = self.stores.all[layer.store].tar_split(&layer.id)?;
        record.ok_or_else(|| self.failed("it has no tar-split record, without which its archive cannot be made again"))
    }
}

impl Blob for LayerBlob {
    fn body(&self) -> Result<Body, Error> {
        self.record()?;
        Ok(Body::Produced(Some(self.layer().size)))
    }

    fn produce(&self, out: &Writer) -> Result<(), Error> {
        let _lock = self.stores.all[self.layer().store].lock_to_read("layers")?;
        let (record, _) = decompress(self.record()?.reader(0, None)?)?;
        let record = BufReader::with_capacity(READ_AHEAD, ReaderIo(&record));
        let mut contents = Contents::new(&self.stores, &self.layers[self.index..]);
        for entry in Entries::new(record) {
            match entry.map_err(|error| self.failed(format_args!("tar-split: {error}")))? {
                Entry::Segment(bytes) => {
                    for piece in bytes.chunks(MAX_WRITE) {
                        out.write(piece)?;
                    }
                }
                Entry::File(file) if file.size > 0 => {
                    let found = contents
                        .open(&file.name)
                        .and_then(|found| move_contents(&found, &file, out));
                    found.map_err(|error| Error {
                        message: format!("layer \"{}\": {}", self.layer().id, error.message),
                        ..error
                    })?;
                }
                Entry::File(_) => {}
            }
        }
        Ok(())
    }
}

/// Has the contents of a file moved, if they are what they were.
fn move_contents(file: &File, entry: &FileEntry, out: &Writer) -> Result<(), Error> {
    let changed = || {
        let name = String::from_utf8_lossy(&entry.name);
        Error::invalid_data(format_args!("file integrity checksum failed for {name:?}"))
    };
    if file.size()? != entry.size {
        return Err(changed());
    }
    let reader = file.reader(0, Some(entry.size))?;
    let copied = copy(&reader, out, None, &[CHECKSUM.to_owned()])?;
    let expected = entry.checksum.map(|checksum| format!("{checksum:016x}"));
    let found = copied.checksums.into_iter().find(|(name, _)| name == CHECKSUM);
    if found.map(|(_, checksum)| checksum) == expected {
        Ok(())
    } else {
        Err(changed())
    }
}

/// The files of a layer. With overlay, one that its own folder lacks is looked for in the layers below.
struct Contents<'a> {
    stores: &'a Stores,
    /// Not opened yet, the lowest last.
    below: std::slice::Iter<'a, Layer>,
    opened: Vec<Directory>,
}

impl<'a> Contents<'a> {
    fn new(stores: &'a Stores, layers: &'a [Layer]) -> Self {
        let own = match layers.first().map(|layer| stores.all[layer.store].driver) {
            Some(Driver::Vfs) => &layers[..1],
            _ => layers,
        };
        Self {
            stores,
            below: own.iter(),
            opened: Vec::new(),
        }
    }

    fn open(&mut self, name: &[u8]) -> Result<File, Error> {
        let path = clean(name).ok_or_else(|| {
            Error::invalid_data(format_args!(
                "{:?} leads outside of the layer",
                String::from_utf8_lossy(name)
            ))
        })?;
        for directory in &self.opened {
            if let Some(file) = directory.open(&path, false).optional()? {
                return Ok(file);
            }
        }
        for layer in self.below.by_ref() {
            let store = &self.stores.all[layer.store];
            let directory = store.directory.subdirectory(store.driver.files(&layer.id).as_bytes())?;
            let file = directory.open(&path, false).optional()?;
            self.opened.push(directory);
            if let Some(file) = file {
                return Ok(file);
            }
        }
        Err(Error::invalid_data(format_args!(
            "{:?} is in the tar-split record and not in the layer",
            String::from_utf8_lossy(name)
        )))
    }
}

/// The path of a member below its layer's folder; none if there is no such thing.
pub(crate) fn clean(name: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn names_stay_below() {
        for (name, path) in [
            ("a", Some("a")),
            ("./a/b", Some("a/b")),
            ("/a//b/", Some("a/b")),
            ("a/../b", Some("b")),
            ("..", None),
            ("a/../../b", None),
            ("", None),
            ("./", None),
        ] {
            assert_eq!(clean(name.as_bytes()).as_deref(), path.map(str::as_bytes), "{name}");
        }
    }
}
