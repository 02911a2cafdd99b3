#![allow(clippy::unwrap_used)]

use tar::{EntryType, Header};

use super::*;

const LAYER: &str = "blobs/sha256/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

struct Bytes(Vec<u8>);

impl ReadAt for Bytes {
    fn size(&self) -> Result<u64, Error> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, offset: u64, max: u32) -> Result<Vec<u8>, Error> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..));
        Ok(rest.unwrap_or_default().iter().copied().take(max as usize).collect())
    }
}

/// A member just as it is said to be.
fn member(name: &str, kind: EntryType, link: &str, size: u64, data: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    let bytes = header.as_mut_bytes();
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str, data: &[u8]) -> Vec<u8> {
    member(name, EntryType::Regular, "", data.len() as u64, data)
}

fn link(name: &str, target: &str) -> Vec<u8> {
    member(name, EntryType::Symlink, target, 0, b"")
}

fn index() -> Vec<u8> {
    file(INDEX_FILE, br#"{"schemaVersion":2,"manifests":[]}"#)
}

fn opened(members: &[Vec<u8>]) -> Result<Archive<Bytes>, Error> {
    let mut bytes = members.concat();
    bytes.resize(bytes.len() + 1024, 0);
    Archive::read(Bytes(bytes))
}

/// The content of the layer that all these archives are about.
fn layer(members: &[Vec<u8>]) -> Result<Vec<u8>, Error> {
    opened(members)?.document(&Digest::parse(&format!("sha256:{}", "a".repeat(64))).unwrap())
}

#[test]
fn blobs_are_found_where_they_lie() {
    let dotted = format!("./{LAYER}");
    for members in [
        vec![index(), file(LAYER, b"layer")],
        vec![file(LAYER, b"layer"), index()],
        vec![file("./index.json", br#"{"schemaVersion":2}"#), file(&dotted, b"layer")],
        vec![file("blobs/sha256/other", b"layer"), link(LAYER, "other"), index()],
        vec![file("../index.json", b"no"), index(), file(LAYER, b"layer")],
    ] {
        assert_eq!(layer(&members).unwrap(), b"layer");
    }
}

#[test]
fn archives_that_lie_are_refused() {
    let large = vec![b' '; MAX_DOCUMENT as usize + 1];
    let outside = format!("../../{LAYER}");
    let beyond = member(LAYER, EntryType::Regular, "", 1 << 40, b"layer");
    for (members, code, message) in [
        (
            vec![file(LAYER, b"layer")],
            code::NOT_FOUND,
            "no index.json in the archive",
        ),
        (
            vec![file("x/index.json", b"{}")],
            code::NOT_FOUND,
            "no index.json in the archive",
        ),
        (vec![index(), index()], code::INVALID_DATA, "more than once"),
        (
            vec![file(INDEX_FILE, b"{}")],
            code::INVALID_DATA,
            "schemaVersion is not 2",
        ),
        (
            vec![file(INDEX_FILE, &large)],
            code::INVALID_DATA,
            "larger than 4194304 bytes",
        ),
        (
            vec![link(INDEX_FILE, "/etc/passwd")],
            code::INVALID_DATA,
            "leads outside of the archive",
        ),
        (vec![index()], code::BLOB_NOT_FOUND, "is not in the archive"),
        (
            vec![index(), file(&outside, b"layer")],
            code::BLOB_NOT_FOUND,
            "is not in the archive",
        ),
        (
            vec![index(), file(LAYER, b"layer"), file(LAYER, b"layer")],
            code::INVALID_DATA,
            "more than once",
        ),
        (
            vec![index(), link(LAYER, "../../../etc/passwd")],
            code::INVALID_DATA,
            "leads outside of the archive",
        ),
        (
            vec![index(), member(LAYER, EntryType::Directory, "", 0, b"")],
            code::INVALID_DATA,
            "is not a regular file",
        ),
        (
            vec![index(), beyond],
            code::INVALID_DATA,
            "ends beyond the end of the archive",
        ),
        (
            vec![index(), file(LAYER, &large)],
            code::INVALID_DATA,
            "larger than 4194304 bytes",
        ),
        (vec![vec![b'x'; 2048]], code::INVALID_DATA, "not a readable tar archive"),
    ] {
        let error = layer(&members).unwrap_err();
        assert_eq!(error.code, code, "{message}");
        assert!(
            error.message.contains(message),
            "{:?} is not {message:?}",
            error.message
        );
    }
}
