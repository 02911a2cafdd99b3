use gvariant::aligned_bytes::AlignedBuf;
use gvariant::{Marker as _, Structure as _, gv};

use crate::checksum::Checksum;

/// A directory object: names, and what they stand for. Both lists are sorted by name, as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Each with the object of the file.
    pub files: Vec<(String, Checksum)>,
    /// Each with the object of its names and that of its metadata.
    pub directories: Vec<(String, Checksum, Checksum)>,
}

impl Directory {
    /// The object.
    pub fn to_bytes(&self) -> Vec<u8> {
        let files: Vec<(&str, &[u8])> = self
            .files
            .iter()
            .map(|(name, file)| (name.as_str(), &file.0[..]))
            .collect();
        let directories: Vec<(&str, &[u8], &[u8])> = self
            .directories
            .iter()
            .map(|(name, names, metadata)| (name.as_str(), &names.0[..], &metadata.0[..]))
            .collect();
        gv!("(a(say)a(sayay))").serialize_to_vec(&(&files, &directories))
    }

    /// None if it is malformed.
    pub fn parse(data: Vec<u8>) -> Option<Self> {
        let data = AlignedBuf::from(data);
        let (files, directories) = gv!("(a(say)a(sayay))").cast(data.as_ref()).to_tuple();
        let mut directory = Self::default();
        for file in files {
            let (name, file) = file.to_tuple();
            let file = Checksum::from_bytes(file)?;
            directory.files.push((name.to_str().to_owned(), file));
        }
        for below in directories {
            let (name, names, metadata) = below.to_tuple();
            let (names, metadata) = (Checksum::from_bytes(names)?, Checksum::from_bytes(metadata)?);
            directory.directories.push((name.to_str().to_owned(), names, metadata));
        }
        let is_sorted = directory.files.is_sorted_by(|one, next| one.0 < next.0)
            && directory.directories.is_sorted_by(|one, next| one.0 < next.0);
        // Whatever lies about its parts is not what would have been written.
        (is_sorted && directory.to_bytes() == **data).then_some(directory)
    }

    /// The file of that name.
    pub fn file(&self, name: &str) -> Option<Checksum> {
        let found = self.files.binary_search_by(|(file, _)| file.as_str().cmp(name)).ok()?;
        Some(self.files[found].1)
    }

    /// The names in the directory of that name.
    pub fn directory(&self, name: &str) -> Option<Checksum> {
        let names = &self.directories;
        let found = names
            .binary_search_by(|(directory, ..)| directory.as_str().cmp(name))
            .ok()?;
        Some(names[found].1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn directories_are_those_of_libostree() {
        assert_eq!(
            Checksum::of(&[&Directory::default().to_bytes()]).to_string(),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        let content = "e56cb05fa6f9c89e5fc4df7df7ee08f611e05a4fe8d30f03b26b501af37c5c75";
        let directory = Directory {
            files: vec![("content".to_owned(), Checksum::from_hex(content).unwrap())],
            directories: Vec::new(),
        };
        assert_eq!(
            Checksum::of(&[&directory.to_bytes()]).to_string(),
            "9cc583e5fcd94b153eb3a19a2b665424969af6083a7d51e6fe8c6a1686535a22"
        );
    }

    #[test]
    fn directories_are_read_back() {
        let mut directory = Directory::default();
        for index in 0..40_u8 {
            let checksum = Checksum([index; 32]);
            directory.files.push((format!("file-{index:02}"), checksum));
            directory
                .directories
                .push((format!("directory-{index:02}"), checksum, Checksum([200; 32])));
        }
        let good = directory.to_bytes();
        assert_eq!(Directory::parse(good.clone()).unwrap(), directory);
        assert_eq!(directory.file("file-07"), Some(Checksum([7; 32])));
        assert_eq!(directory.directory("directory-07"), Some(Checksum([7; 32])));
        assert_eq!(directory.file("directory-07"), None);
        let mut unsorted = directory.clone();
        unsorted.files.swap(3, 4);
        assert_eq!(Directory::parse(unsorted.to_bytes()), None);
        for length in (0..good.len()).step_by(7) {
            assert_eq!(Directory::parse(good[..length].to_vec()), None, "{length}");
        }
        for position in 0..good.len() {
            for lie in [0, 1, 0x7f, 0xff] {
                let mut lying = good.clone();
                lying[position] = lie;
                if let Some(read) = Directory::parse(lying.clone()) {
                    assert_eq!(read.to_bytes(), lying);
                }
            }
        }
    }
}
