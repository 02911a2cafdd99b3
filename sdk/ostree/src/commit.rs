use std::collections::BTreeMap;

use gvariant::aligned_bytes::AlignedBuf;
use gvariant::{Marker as _, Structure as _, VariantWrap, gv};

use crate::checksum::Checksum;

/// Keys of the metadata that containers/image gave its commits (OS-03).
pub mod key {
    /// Bytes of a blob.
    pub const SIZE: &str = "docker.size";
    /// Bytes of a layer without its compression.
    pub const UNCOMPRESSED_SIZE: &str = "docker.uncompressed_size";
    /// Digest of a layer without its compression.
    pub const UNCOMPRESSED_DIGEST: &str = "docker.uncompressed_digest";
    /// The record that a layer's archive is put together from: tar-split, gzip, base64.
    pub const TAR_SPLIT: &str = "tarsplit.output";
    /// The manifest of an image.
    pub const MANIFEST: &str = "docker.manifest";
    /// Its digest.
    pub const DIGEST: &str = "docker.digest";
    /// How many signatures an image has.
    pub const SIGNATURES: &str = "signatures";
}

/// What a transport of 2018 wrote as the parent of every commit; a true one was never meant.
const NO_PARENT: [u8; 32] = [0; 32];

/// A commit object, as far as it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Strings only: other values belong to others.
    pub metadata: BTreeMap<String, String>,
    /// The names in the root directory.
    pub root: Checksum,
}

impl Commit {
    /// An object with this metadata and nothing before it. `time` is in seconds since 1970.
    pub fn to_bytes(metadata: &[(&str, &str)], time: u64, root: Checksum, root_metadata: Checksum) -> Vec<u8> {
        let metadata: Vec<_> = metadata
            .iter()
            .map(|(key, value)| (*key, VariantWrap(gv!("s"), *value)))
            .collect();
        let related: [(&str, &[u8]); 0] = [];
        gv!("(a{sv}aya(say)sstayay)").serialize_to_vec(&(
            &metadata,
            &NO_PARENT[..],
            &related[..],
            "",
            "",
            time.to_be(),
            &root.0[..],
            &root_metadata.0[..],
        ))
    }

    /// None if it has no root directory.
    pub fn parse(data: Vec<u8>) -> Option<Self> {
        let data = AlignedBuf::from(data);
        let (metadata, .., root, root_metadata) = gv!("(a{sv}aya(say)sstayay)").cast(data.as_ref()).to_tuple();
        let mut strings = BTreeMap::new();
        for entry in metadata {
            let (key, value) = entry.to_tuple();
            if let Some(value) = value.get(gv!("s")) {
                strings.insert(key.to_str().to_owned(), value.to_str().to_owned());
            }
        }
        Checksum::from_bytes(root_metadata)?;
        Some(Self {
            metadata: strings,
            root: Checksum::from_bytes(root)?,
        })
    }

    /// The text of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// A number, if there is one.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn root() -> Checksum {
        Checksum::from_hex("9cc583e5fcd94b153eb3a19a2b665424969af6083a7d51e6fe8c6a1686535a22").unwrap()
    }

    fn root_metadata() -> Checksum {
        Checksum::from_hex("84641b0a39d8c873690da8f32aea21cf5d6fff354f85e045f6f5ecdc8e7758d0").unwrap()
    }

    #[test]
    fn commits_are_those_of_libostree() {
        let commit = Commit::to_bytes(&[(key::SIZE, "2")], 1_700_000_000, root(), root_metadata());
        assert_eq!(
            Checksum::of(&[&commit]).to_string(),
            "0b081df0b5d6f5c9c9c620275289e2a8fd2bbb610f78fd38961ed1a59f9b90d1"
        );
    }

    #[test]
    fn commits_are_read_back() {
        let large = "x".repeat(100_000);
        let good = Commit::to_bytes(&[(key::SIZE, "2"), (key::MANIFEST, &large)], 1, root(), root_metadata());
        let commit = Commit::parse(good.clone()).unwrap();
        assert_eq!(commit.root, root());
        assert_eq!(commit.number(key::SIZE), Some(2));
        assert_eq!(commit.get(key::MANIFEST), Some(&large[..]));
        assert_eq!(commit.get(key::DIGEST), None);
        assert_eq!(commit.number(key::MANIFEST), None);
    }

    /// Nothing is made up, and nothing panics, whatever an object says of its parts.
    #[test]
    fn commits_that_lie_have_no_root_or_less_in_them() {
        let good = Commit::to_bytes(&[(key::SIZE, "2"), ("b", "value")], 1, root(), root_metadata());
        assert_eq!(Commit::parse(Vec::new()), None);
        for length in 0..good.len() {
            Commit::parse(good[..length].to_vec());
        }
        for position in 0..good.len() {
            for lie in [0, 1, 0x7f, 0xff] {
                let mut lying = good.clone();
                lying[position] = lie;
                let Some(commit) = Commit::parse(lying) else { continue };
                assert!(commit.metadata.len() <= 2);
            }
        }
    }
}
