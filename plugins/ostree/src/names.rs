//! The names of a tree that is being filled.

use std::collections::BTreeMap;

use longshore_guest::Error;
use longshore_ostree::{Checksum, Directory, Header, mode};

use crate::staging::Staging;

/// Of a folder that no member stands for.
const PARENT_MODE: u32 = mode::DIRECTORY | 0o755;

/// A folder and all that is in it.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) header: Header,
    entries: BTreeMap<String, Node>,
}

/// What a name stands for.
#[derive(Debug)]
pub(crate) enum Node {
    /// A file or symbolic link.
    File(Checksum),
    Folder(Folder),
}

impl Folder {
    pub(crate) fn new(header: Header) -> Self {
        Self {
            header,
            entries: BTreeMap::new(),
        }
    }

    /// The folder at a path, made with all above it if need be.
    ///
    /// # Errors
    ///
    /// `unsupported` if something else has one of the names: nothing below a symbolic link would be found again.
    pub(crate) fn make(&mut self, path: &str) -> Result<&mut Self, Error> {
        let mut folder = self;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let node = folder.entries.entry(name.to_owned()).or_insert_with(|| {
                Node::Folder(Self::new(Header {
                    mode: PARENT_MODE,
                    ..Header::default()
                }))
            });
            folder = match node {
                Node::Folder(folder) => folder,
                Node::File(_) => {
                    return Err(Error::unsupported(format_args!(
                        "lies below {name:?}, which is no folder"
                    )));
                }
            };
        }
        Ok(folder)
    }

    /// The file at a path.
    pub(crate) fn file(&self, path: &str) -> Option<Checksum> {
        let (name, rest) = path
            .split_once('/')
            .map_or((path, None), |(name, rest)| (name, Some(rest)));
        match (self.entries.get(name)?, rest) {
            (Node::File(checksum), None) => Some(*checksum),
            (Node::Folder(folder), Some(rest)) => folder.file(rest),
            _ => None,
        }
    }

    /// Gives a name to a file, whatever had it before.
    pub(crate) fn put(&mut self, name: &str, file: Checksum) {
        self.entries.insert(name.to_owned(), Node::File(file));
    }

    /// A folder by that name; one that is there keeps what is in it.
    pub(crate) fn put_folder(&mut self, name: &str, header: Header) {
        match self.entries.get_mut(name) {
            Some(Node::Folder(folder)) => folder.header = header,
            _ => drop(self.entries.insert(name.to_owned(), Node::Folder(Self::new(header)))),
        }
    }

    /// Writes the objects, and answers with those of the folder: its names, and its metadata.
    pub(crate) fn write(&self, staging: &Staging) -> Result<(Checksum, Checksum), Error> {
        let mut directory = Directory::default();
        for (name, node) in &self.entries {
            match node {
                Node::File(checksum) => directory.files.push((name.clone(), *checksum)),
                Node::Folder(folder) => {
                    let (names, metadata) = folder.write(staging)?;
                    directory.directories.push((name.clone(), names, metadata));
                }
            }
        }
        let names = staging.object(&directory.to_bytes(), "dirtree")?;
        let metadata = staging.object(&self.header.metadata(), "dirmeta")?;
        Ok((names, metadata))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn checksum(byte: u8) -> Checksum {
        Checksum([byte; 32])
    }

    #[test]
    fn names_stand_for_what_was_put_last() {
        let mut root = Folder::new(Header::default());
        root.make("a/b").unwrap().put("c", checksum(1));
        assert_eq!(root.file("a/b/c"), Some(checksum(1)));
        assert_eq!(root.file("a/b"), None);
        assert_eq!(root.file("a/b/c/d"), None);
        assert_eq!(root.file("a/x"), None);
        let header = Header {
            user: 7,
            ..Header::default()
        };
        root.put_folder("a", header.clone());
        assert_eq!(root.file("a/b/c"), Some(checksum(1)));
        assert_eq!(root.make("a").unwrap().header, header);
        assert_eq!(root.make("a/b").unwrap().header.mode, PARENT_MODE);
        root.put("a", checksum(2));
        assert_eq!(root.file("a/b/c"), None);
        let error = root.make("a/b").unwrap_err();
        assert_eq!(error.message, "lies below \"a\", which is no folder");
        root.put_folder("a", Header::default());
        assert_eq!(root.file("a"), None);
    }
}
