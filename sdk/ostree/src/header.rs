use gvariant::aligned_bytes::AlignedBuf;
use gvariant::{Marker as _, Structure as _, gv};

use crate::checksum::Checksum;

/// Type bits of a mode; OSTree has no other kinds.
pub mod mode {
    /// All of them.
    pub const TYPE: u32 = 0o170_000;
    /// A file with content.
    pub const REGULAR: u32 = 0o100_000;
    /// A symbolic link.
    pub const SYMLINK: u32 = 0o120_000;
    /// A directory.
    pub const DIRECTORY: u32 = 0o040_000;
}

/// Names, each with a NUL at its end, and values, sorted.
pub type ExtendedAttributes = Vec<(Vec<u8>, Vec<u8>)>;

/// What is known of a file beside its content, or of a directory beside its names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Who owns it.
    pub user: u32,
    /// The group that does.
    pub group: u32,
    /// With the type bits.
    pub mode: u32,
    /// Empty unless it is a symbolic link.
    pub symlink: String,
    /// Sorted by name.
    pub attributes: ExtendedAttributes,
}

impl Header {
    fn attributes(&self) -> Vec<(&[u8], &[u8])> {
        self.attributes
            .iter()
            .map(|(name, value)| (&name[..], &value[..]))
            .collect()
    }

    /// A directory's metadata, and what a file of a `bare-user` repository has in an extended attribute.
    pub fn metadata(&self) -> Vec<u8> {
        gv!("(uuua(ayay))").serialize_to_vec(&(
            self.user.to_be(),
            self.group.to_be(),
            self.mode.to_be(),
            &self.attributes(),
        ))
    }

    /// What is hashed in front of the content.
    pub fn hashed(&self) -> Vec<u8> {
        framed(&gv!("(uuuusa(ayay))").serialize_to_vec(&(
            self.user.to_be(),
            self.group.to_be(),
            self.mode.to_be(),
            0_u32,
            &self.symlink,
            &self.attributes(),
        )))
    }

    /// What stands in front of the deflated content in an archive repository.
    pub fn archived(&self, size: u64) -> Vec<u8> {
        framed(&gv!("(tuuuusa(ayay))").serialize_to_vec(&(
            size.to_be(),
            self.user.to_be(),
            self.group.to_be(),
            self.mode.to_be(),
            0_u32,
            &self.symlink,
            &self.attributes(),
        )))
    }

    /// Reads what [`Header::archived`] writes, without its frame: the size too. None if it is malformed.
    pub fn parse_archived(data: Vec<u8>) -> Option<(Self, u64)> {
        let data = AlignedBuf::from(data);
        let (size, user, group, mode, _, symlink, attributes) = gv!("(tuuuusa(ayay))").cast(data.as_ref()).to_tuple();
        let attributes = attributes.iter().map(|attribute| {
            let (name, value) = attribute.to_tuple();
            (name.to_vec(), value.to_vec())
        });
        let header = Self {
            user: u32::from_be(*user),
            group: u32::from_be(*group),
            mode: u32::from_be(*mode),
            symlink: symlink.to_str().to_owned(),
            attributes: attributes.collect(),
        };
        let size = u64::from_be(*size);
        // Whatever lies about its parts is not what would have been written.
        (header.archived(size)[FRAME..] == **data).then_some((header, size))
    }

    /// The checksum of a file whose content is at hand.
    pub fn checksum(&self, content: &[u8]) -> Checksum {
        Checksum::of(&[&self.hashed(), content])
    }
}

/// Bytes of the frame: the length, and padding.
pub const FRAME: usize = 8;

fn framed(header: &[u8]) -> Vec<u8> {
    let length = u32::try_from(header.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &[0; 4], header].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn with_attributes() -> Header {
        Header {
            user: 1000,
            group: 1001,
            mode: mode::REGULAR | 0o644,
            symlink: String::new(),
            attributes: vec![
                (b"user.a\0".to_vec(), b"one".to_vec()),
                (b"user.b\0".to_vec(), b"two".to_vec()),
            ],
        }
    }

    /// Bytes of libostree.
    #[test]
    fn headers_are_those_of_libostree() {
        let header = with_attributes();
        assert_eq!(
            header.checksum(b"hello\n").to_string(),
            "17f2db20f7e2cdacba2ab1461ea04086034fc464d8af59e16953a75a8696b6af"
        );
        assert_eq!(
            hex::encode(header.metadata()),
            "000003e8000003e9000081a4757365722e61006f6e6507757365722e62007477 6f070b16".replace(' ', "")
        );
        assert!(hex::encode(header.archived(6)).starts_with("00000032000000000000000000000006000003e8000003e9"));
        let link = Header {
            mode: mode::SYMLINK | 0o777,
            symlink: "hello".to_owned(),
            attributes: Vec::new(),
            ..header
        };
        assert_eq!(
            hex::encode(link.archived(0)),
            "0000001f000000000000000000000000000003e8000003e90000a1ff0000000068656c6c6f001e"
        );
        assert_eq!(
            link.checksum(b"").to_string(),
            "2f5bb416338d33ae8490bf94916de5b2c6f7e911d82d825b73f2625f77218011"
        );
    }

    #[test]
    fn archived_headers_are_read_back() {
        let header = with_attributes();
        let good = header.archived(6)[FRAME..].to_vec();
        assert_eq!(Header::parse_archived(good.clone()), Some((header, 6)));
        for length in 0..good.len() {
            assert_eq!(Header::parse_archived(good[..length].to_vec()), None, "{length}");
        }
        // Every offset and every string that is not as it is written.
        for position in 28..good.len() {
            for lie in [0, 1, 0x7f, 0xff] {
                let mut lying = good.clone();
                lying[position] = lie;
                if let Some((read, 6)) = Header::parse_archived(lying.clone()) {
                    assert_eq!(read.archived(6)[FRAME..], lying);
                }
            }
        }
        assert_eq!(Header::parse_archived([&good[..], b"x"].concat()), None);
    }
}
