//! A layer's archive, turned into objects while it passes, and recorded so that it can be put together again.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use longshore_guest::posix::Tree;
use longshore_guest::{Error, Reader, decompress, observe};
use longshore_layer::{Kind, Member, Passing, Place, clean};
use longshore_ostree::{Checksum, Header, mode};
use longshore_tar_split::Recorder;

use crate::config::Mode;
use crate::names::Folder;
use crate::staging::Staging;

/// Longest path of a member, as Linux has it.
const MAX_PATH: usize = 4096;
/// Of the folder of a layer, config or image.
const FOLDER_MODE: u32 = mode::DIRECTORY | 0o755;
const SYMLINK_MODE: u32 = mode::SYMLINK | 0o777;

/// A layer that was turned into objects, which nobody sees yet.
pub(crate) struct Imported {
    pub(crate) staging: Staging,
    /// The objects of its folder.
    pub(crate) root: (Checksum, Checksum),
    /// The record for the metadata of its commit.
    pub(crate) record: String,
    /// Digest and size of the archive without compression.
    pub(crate) digest: String,
    pub(crate) size: u64,
}

/// Turns an archive into objects for the repository `parent`.
///
/// # Errors
///
/// `invalid-data` for what is no archive, or one that leads outside of itself; `unsupported` for what a repository
/// cannot hold.
pub(crate) fn import(parent: &Tree, mode: Mode, data: Reader) -> Result<Imported, Error> {
    let staging = Staging::new(parent, mode)?;
    let (plain, _) = decompress(data)?;
    let (plain, tally) = observe(plain, &["sha256".to_owned()])?;
    let mut recorder = Recorder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut layer = Layer {
        root: Folder::new(folder_header(&staging, FOLDER_MODE)),
        left_out: BTreeSet::new(),
        staging: &staging,
    };
    longshore_layer::unpack(&plain, &mut layer, &mut recorder)?;
    let total = tally.total()?;
    let digest = total.checksums.iter().find(|(name, _)| name == "sha256");
    let record = recorder.finish().finish().map_err(Error::invalid_data)?;
    Ok(Imported {
        root: layer.root.write(&staging)?,
        record: STANDARD.encode(record),
        digest: format!("sha256:{}", digest.map_or("", |(_, digits)| digits)),
        size: total.size,
        staging,
    })
}

/// Of a folder that belongs to whoever writes it.
pub(crate) fn folder_header(staging: &Staging, mode: u32) -> Header {
    Header {
        user: staging.user,
        group: staging.group,
        mode,
        ..Header::default()
    }
}

/// The tree of a layer that is being filled. Whiteouts are files to it (formats of 2018 interpret none).
struct Layer<'a> {
    root: Folder,
    /// Paths of what a repository has no place for: devices and FIFOs. Their records bring them back.
    left_out: BTreeSet<String>,
    staging: &'a Staging,
}

impl Place for Layer<'_> {
    fn put(&mut self, path: &[u8], member: &Member, data: &Passing<'_>) -> Result<Option<u64>, Error> {
        if path.len() > MAX_PATH {
            return Err(Error::invalid_data(format_args!(
                "its name has more than {MAX_PATH} bytes"
            )));
        }
        let path = utf8(path, "its name")?;
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut checksum = None;
        let file = match &member.kind {
            Kind::Directory => {
                let header = header(member, mode::DIRECTORY | member.mode)?;
                self.root.make(parent)?.put_folder(name, header);
                return Ok(None);
            }
            Kind::File if member.size == 0 => self
                .staging
                .small_file(&header(member, mode::REGULAR | member.mode)?, b"")?,
            Kind::File => {
                let header = header(member, mode::REGULAR | member.mode)?;
                let mut stored = None;
                checksum = Some(data.contents(member.size, |content| {
                    let (file, checksum) = self.staging.file(&header, content, member.size)?;
                    stored = Some(file);
                    Ok(checksum)
                })?);
                stored.ok_or_else(|| Error::invalid_data("its contents were not moved"))?
            }
            Kind::Symlink(target) => self.staging.symlink(&Header {
                symlink: utf8(target, "its target")?.to_owned(),
                ..header(member, SYMLINK_MODE)?
            })?,
            Kind::HardLink(target) => match self.linked(target)? {
                Some(file) => file,
                None => return self.leave_out(path),
            },
            Kind::Fifo | Kind::Device { .. } | Kind::Nothing => return self.leave_out(path),
        };
        self.root.make(parent)?.put(name, file);
        Ok(checksum)
    }
}

impl Layer<'_> {
    fn leave_out(&mut self, path: &str) -> Result<Option<u64>, Error> {
        self.left_out.insert(path.to_owned());
        Ok(None)
    }

    /// What another name stands for; none if that was left out.
    fn linked(&self, target: &[u8]) -> Result<Option<Checksum>, Error> {
        let path = clean(target).ok_or_else(|| Error::invalid_data("leads outside of the layer"))?;
        let path = utf8(&path, "its target")?;
        if self.left_out.contains(path) {
            return Ok(None);
        }
        let found = self.root.file(path);
        found.map(Some).ok_or_else(|| {
            Error::invalid_data(format_args!(
                "is another name of {path:?}, which is no file of this layer"
            ))
        })
    }
}

fn utf8<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, Error> {
    if bytes.contains(&0) {
        return Err(Error::invalid_data(format_args!("{what} holds a NUL")));
    }
    std::str::from_utf8(bytes)
        .map_err(|_| Error::unsupported(format_args!("{what} is not UTF-8, as OSTree has all names")))
}

/// What is known of a member; of two attributes of one name the last counts.
fn header(member: &Member, mode: u32) -> Result<Header, Error> {
    let mut attributes = BTreeMap::new();
    for (name, value) in &member.attributes {
        if name.is_empty() || name.contains(&0) {
            return Err(Error::invalid_data("has an attribute with a malformed name"));
        }
        attributes.insert([name, &b"\0"[..]].concat(), value.clone());
    }
    Ok(Header {
        user: member.user,
        group: member.group,
        mode,
        symlink: String::new(),
        attributes: attributes.into_iter().collect(),
    })
}
