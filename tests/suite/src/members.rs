//! Layers whose members are chosen one by one.
#![allow(clippy::unwrap_used, reason = "an archive in memory can be written")]

use std::io;

use tar::{Builder, EntryType, Header};

/// Members of a layer, one by one.
#[allow(missing_debug_implementations, reason = "a builder of archives has none")]
pub struct Members(Builder<Vec<u8>>);

impl Default for Members {
    fn default() -> Self {
        Self::new()
    }
}

impl Members {
    /// No members yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    /// A folder of user 5 and group 6.
    #[must_use]
    pub fn directory(mut self, path: &str, mode: u32) -> Self {
        let mut header = header(EntryType::Directory, mode, 5, 1_000_000_000);
        self.0.append_data(&mut header, path, io::empty()).unwrap();
        self
    }

    /// A file of user 7 and group 8.
    #[must_use]
    pub fn file(mut self, path: &str, mode: u32, data: &[u8]) -> Self {
        let mut header = header(EntryType::Regular, mode, 7, 1_100_000_000);
        header.set_size(data.len() as u64);
        self.0.append_data(&mut header, path, data).unwrap();
        self
    }

    /// PAX records for the next member.
    #[must_use]
    pub fn attributes(mut self, attributes: &[(&str, &[u8])]) -> Self {
        self.0.append_pax_extensions(attributes.iter().copied()).unwrap();
        self
    }

    /// A hard or symbolic link of user 9 and group 10.
    #[must_use]
    pub fn link(mut self, entry_type: EntryType, path: &str, target: &str) -> Self {
        let mut header = header(entry_type, 0o777, 9, 1_200_000_000);
        self.0.append_link(&mut header, path, target).unwrap();
        self
    }

    /// A FIFO or device of user 3 and group 4.
    #[must_use]
    pub fn node(mut self, entry_type: EntryType, path: &str, major: u32, minor: u32) -> Self {
        let mut header = header(entry_type, 0o640, 3, 1_300_000_000);
        header.set_device_major(major).unwrap();
        header.set_device_minor(minor).unwrap();
        self.0.append_data(&mut header, path, io::empty()).unwrap();
        self
    }

    /// A member with a name that no good program makes.
    #[must_use]
    pub fn raw(mut self, path: &str, data: &[u8]) -> Self {
        let mut header = header(EntryType::Regular, 0o644, 0, 0);
        header.set_size(data.len() as u64);
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        self.0.append(&header, data).unwrap();
        self
    }

    /// The archive.
    #[must_use]
    pub fn tar(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }

    /// A layer with members of every kind.
    #[must_use]
    pub fn base() -> Vec<u8> {
        let long = format!("etc/{}", "long-".repeat(40));
        Self::new()
            .directory("./", 0o700)
            .directory("etc/", 0o751)
            .file("etc/a", 0o640, b"contents of a\n")
            .link(EntryType::Link, "etc/b", "etc/a")
            .link(EntryType::Symlink, "etc/to-a", "a")
            .link(EntryType::Symlink, "away", "/no/where")
            .file(&long, 0o600, &vec![b'x'; 70_000])
            .node(EntryType::Char, "etc/null", 1, 3)
            .node(EntryType::Block, "etc/disk", 7, 250)
            .node(EntryType::Fifo, "etc/pipe", 0, 0)
            .attributes(&[
                ("SCHILY.xattr.user.color", b"blue"),
                (
                    "SCHILY.xattr.security.capability",
                    b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                ),
                ("mtime", b"1234567890.123456789"),
            ])
            .file("ping", 0o4755, b"#!")
            .directory("hidden/", 0o755)
            .file("hidden/old", 0o644, b"old")
            .file("without/a/folder", 0o644, b"new folder")
            .file("empty", 0o644, b"")
            // Between sizes that the host gathers and those that go on at once.
            .file("large", 0o644, &vec![b'y'; 140_000])
            .tar()
    }

    /// A layer that hides some of [`Members::base`].
    #[must_use]
    pub fn upper() -> Vec<u8> {
        Self::new()
            .directory("etc/", 0o755)
            .file("etc/.wh.b", 0o600, b"")
            .directory("hidden/", 0o750)
            .file("hidden/.wh..wh..opq", 0o600, b"")
            .file("hidden/new", 0o644, b"new")
            .file("more", 0o644, b"more, and longer")
            .file("ünïcode", 0o644, "größe".as_bytes())
            .tar()
    }
}

fn header(entry_type: EntryType, mode: u32, owner: u64, time: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(entry_type);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner + 1);
    header.set_mtime(time);
    header.set_size(0);
    header
}
