#![allow(clippy::unwrap_used)]

use tar::{Builder, Header};

use super::*;

impl ReadAt for Vec<u8> {
    fn size(&self) -> Result<u64, Error> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, offset: u64, max: u32) -> Result<Vec<u8>, Error> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        Ok(rest.unwrap_or_default().iter().copied().take(max as usize).collect())
    }
}

fn header(name: &[u8], kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    header
}

/// A member just as it is said to be.
fn raw(header: &Header, data: &[u8]) -> Vec<u8> {
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str, data: &[u8]) -> Vec<u8> {
    raw(&header(name.as_bytes(), EntryType::Regular, data.len() as u64), data)
}

fn link(name: &str, kind: EntryType, target: &str) -> Vec<u8> {
    let mut header = header(name.as_bytes(), kind, 0);
    header.as_mut_bytes()[157..157 + target.len()].copy_from_slice(target.as_bytes());
    header.set_cksum();
    raw(&header, b"")
}

fn pax(records: &str) -> Vec<u8> {
    raw(
        &header(b"pax", EntryType::XHeader, records.len() as u64),
        records.as_bytes(),
    )
}

fn archive(members: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = members.concat();
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn content(archive: &Vec<u8>, name: &str) -> Result<Option<Vec<u8>>, String> {
    let find = || match Index::read(archive)?.find(name)? {
        Some(member) => member.read(archive, name, 1 << 20).map(Some),
        None => Ok(None),
    };
    find().map_err(|error: Error| error.message)
}

#[test]
fn members_are_found_by_their_clean_names() {
    let long = format!("{}/{}", "d".repeat(150), "f".repeat(150));
    let mut builder = Builder::new(Vec::new());
    for (name, data) in [("./a", &b"A"[..]), ("b//c", b"BC"), (&long, b"L"), ("empty", b"")] {
        let mut header = Header::new_gnu();
        header.set_size(data.len() as u64);
        builder.append_data(&mut header, name, data).unwrap();
    }
    let bytes = builder.into_inner().unwrap();
    for (name, expected) in [
        ("a", Some(&b"A"[..])),
        ("./x/../a", Some(b"A")),
        ("b/c", Some(b"BC")),
        (&long, Some(b"L")),
        ("empty", Some(b"")),
        ("missing", None),
    ] {
        assert_eq!(content(&bytes, name).unwrap().as_deref(), expected, "{name}");
    }
}

#[test]
fn one_link_is_followed_inside_the_archive() {
    let bytes = archive(&[
        file("x/f", b"F"),
        link("a/to", EntryType::Symlink, "../x/f"),
        link("hard", EntryType::Link, "x/f"),
        link("far", EntryType::Symlink, "a/to"),
        link("loop", EntryType::Symlink, "loop"),
        link("up", EntryType::Symlink, "../../etc/passwd"),
        link("root", EntryType::Symlink, "/etc/passwd"),
        link("gone", EntryType::Symlink, "nothing"),
        link("self", EntryType::Symlink, "."),
        raw(&header(b"x", EntryType::Directory, 0), b""),
        link("folder", EntryType::Symlink, "x"),
        raw(&header(b"fifo", EntryType::Fifo, 0), b""),
    ]);
    for (name, expected) in [
        ("a/to", Ok(Some(&b"F"[..]))),
        ("hard", Ok(Some(b"F"))),
        ("gone", Ok(None)),
        ("self", Ok(None)),
        ("far", Err("is a link to another link")),
        ("loop", Err("is a link to another link")),
        ("up", Err("is a link that leads outside of the archive")),
        ("root", Err("is a link that leads outside of the archive")),
        ("../x/f", Err("leads outside of the archive")),
        ("/x/f", Err("leads outside of the archive")),
        ("x", Err("is not a regular file")),
        ("folder", Err("is a link to what is not a regular file")),
        ("fifo", Err("is not a regular file")),
    ] {
        let found = content(&bytes, name);
        let expected = expected
            .map(|data| data.map(<[u8]>::to_vec))
            .map_err(|what| format!("{name:?} {what}"));
        assert_eq!(found, expected);
    }
}

#[test]
fn hostile_archives_are_refused() {
    let sized = |size: u64| raw(&header(b"f", EntryType::Regular, size), b"data");
    let numbered = |field: [u8; 12]| {
        let mut header = header(b"f", EntryType::Regular, 0);
        header.as_mut_bytes()[124..136].copy_from_slice(&field);
        header.set_cksum();
        raw(&header, b"data")
    };
    let mut negative = [0xff; 12];
    negative[11] = 0xf0;
    let mut wrong_sum = file("f", b"data");
    wrong_sum[0] = b'g';
    let long = raw(&header(b"long", EntryType::GNULongName, 2 << 20), &vec![b'a'; 2 << 20]);
    for (members, name, expected) in [
        (vec![sized(5000)], "f", "ends beyond the end of the archive"),
        (vec![sized(1 << 33)], "f", "ends beyond the end of the archive"),
        (vec![numbered(negative)], "f", "not a readable tar archive"),
        (vec![numbered(*b"-0000000001\0")], "f", "not a readable tar archive"),
        (vec![wrong_sum], "f", "checksum mismatch"),
        (vec![file("f", b"1"), file("f", b"2")], "f", "more than once"),
        (vec![file("f", b"1"), file("./f", b"1")], "f", "more than once"),
        (
            vec![pax("9 size=1\n11 size=10\n"), file("f", b"1234567890")],
            "f",
            "more than one size",
        ),
        (vec![pax("11 size=-1\n"), file("f", b"1")], "f", "malformed size"),
        (vec![pax("17 size=99999999\n"), file("f", b"1")], "f", "beyond the end"),
        (vec![pax("99 size=1\n"), file("f", b"1")], "f", "malformed PAX header"),
        (
            vec![pax("22 GNU.sparse.major=1\n"), file("f", b"1")],
            "f",
            "is not a regular file",
        ),
        (vec![long, file("f", b"1")], "f", "a header is too large"),
        (vec![vec![b'x'; 2048]], "f", "not a readable tar archive"),
    ] {
        let bytes = archive(&members);
        let found = content(&bytes, name).unwrap_err();
        assert!(found.contains(expected), "{found:?} is not {expected:?}");
    }
    let mut cut = archive(&[file("f", &[1; 5000])]);
    cut.truncate(3000);
    assert!(content(&cut, "f").unwrap_err().contains("beyond the end"));
}

/// The size of a PAX header is that of the member, whatever the old field says.
#[test]
fn a_pax_size_wins() {
    let mut member = header(b"f", EntryType::Regular, 0);
    member.set_cksum();
    let bytes = archive(&[
        pax("10 size=600\n".replace("10", "12").as_str()),
        raw(&member, &[7; 600]),
        file("g", b"G"),
    ]);
    assert_eq!(content(&bytes, "f").unwrap().unwrap(), [7; 600]);
    assert_eq!(content(&bytes, "g").unwrap().unwrap(), b"G");
}

#[test]
fn members_larger_than_the_limit_are_not_read() {
    let bytes = archive(&[file("f", &[0; 11])]);
    let member = Index::read(&bytes).unwrap().find("f").unwrap().unwrap();
    assert!(member.read(&bytes, "f", 10).is_err());
    assert_eq!(member.read(&bytes, "f", 11).unwrap().len(), 11);
}
