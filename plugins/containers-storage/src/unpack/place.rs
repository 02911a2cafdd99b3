//! Where members come to be: the folder of an overlay layer, with whiteouts as overlayfs wants them.

use std::collections::{BTreeMap, BTreeSet};

use longshore_guest::posix::{self, Attributes, Device, Time, Tree};
use longshore_guest::{Context as _, Error, File, code, copy};
use longshore_layer::{CHECKSUM, Kind, Member, Passing, checksum_in, clean, split};

const WHITEOUT: &[u8] = b".wh.";
/// Whiteouts of another union file system for its own use.
const WHITEOUT_META: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// What tells overlayfs that a folder hides those below; the second one is for user namespaces.
const OPAQUE_ATTRIBUTES: [&[u8]; 2] = [b"trusted.overlay.opaque", b"user.overlay.opaque"];
/// Of a folder that no member stands for.
const PARENT_MODE: u32 = 0o755;

/// A tree that is being filled.
pub(super) struct Place<'a> {
    tree: &'a Tree,
    /// Folders get their attributes at the end: what is put into them changes their times.
    directories: BTreeMap<Vec<u8>, Attributes>,
    users: BTreeSet<u32>,
    groups: BTreeSet<u32>,
}

impl longshore_layer::Place for Place<'_> {
    fn put(&mut self, path: &[u8], member: &Member, data: &Passing<'_>) -> Result<Option<u64>, Error> {
        self.put_member(path, member, data)
    }
}

impl<'a> Place<'a> {
    pub(super) fn new(tree: &'a Tree) -> Self {
        Self {
            tree,
            directories: BTreeMap::new(),
            users: BTreeSet::new(),
            groups: BTreeSet::new(),
        }
    }

    fn put_member(&mut self, path: &[u8], member: &Member, data: &Passing<'_>) -> Result<Option<u64>, Error> {
        let (parent, name) = split(path);
        self.make_parents(parent)?;
        if name == OPAQUE {
            self.make_opaque(parent)?;
            return self.passed(member, data);
        }
        if name.starts_with(WHITEOUT_META) {
            return self.passed(member, data);
        }
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            let hidden = joined(parent, hidden);
            self.make_way(&hidden, false)?;
            let none = Device { major: 0, minor: 0 };
            self.tree.make_node(&hidden, posix::Kind::CharacterDevice, none)?;
            let attributes = Attributes {
                mode: Some(0),
                ..attributes(member)
            };
            self.tree.set_attributes(&hidden, attributes)?;
            return self.passed(member, data);
        }
        self.users.insert(member.user);
        self.groups.insert(member.group);
        self.make_way(path, member.kind == Kind::Directory)?;
        let mut checksum = None;
        match &member.kind {
            Kind::File => {
                let file = self.tree.create_file(path)?;
                if member.size > 0 {
                    checksum = Some(contents(data, &file, member.size)?);
                }
            }
            Kind::Directory => {
                if self.tree.status(path).optional()?.is_none() {
                    self.tree.make_directory(path)?;
                }
            }
            Kind::Symlink(target) => self.tree.make_symlink(path, target)?,
            Kind::HardLink(target) => {
                let target = clean(target).ok_or_else(|| Error::invalid_data("leads outside of the layer"))?;
                self.tree.hard_link(&target, path)?;
            }
            Kind::Fifo => self
                .tree
                .make_node(path, posix::Kind::Fifo, Device { major: 0, minor: 0 })?,
            Kind::Device { is_block, major, minor } => {
                let kind = match is_block {
                    true => posix::Kind::BlockDevice,
                    false => posix::Kind::CharacterDevice,
                };
                let device = Device {
                    major: *major,
                    minor: *minor,
                };
                self.tree.make_node(path, kind, device)?;
            }
            Kind::Nothing => {}
        }
        self.set_attributes(path, member)?;
        Ok(checksum)
    }

    /// A member that is not stored as it is; if it has contents after all, they have to go somewhere.
    fn passed(&self, member: &Member, data: &Passing<'_>) -> Result<Option<u64>, Error> {
        if member.size == 0 {
            return Ok(None);
        }
        let path = b".wh..wh.contents";
        let checksum = contents(data, &self.tree.create_file(path)?, member.size)?;
        self.tree.remove_all(path)?;
        Ok(Some(checksum))
    }

    /// A hard link gives its own to what it is another name of, as with other tools.
    fn set_attributes(&mut self, path: &[u8], member: &Member) -> Result<(), Error> {
        let has_mode = match member.kind {
            Kind::Symlink(_) => false,
            Kind::HardLink(_) => self.tree.status(path)?.kind != posix::Kind::Symlink,
            _ => true,
        };
        let attributes = Attributes {
            mode: has_mode.then_some(member.mode),
            ..attributes(member)
        };
        self.tree.set_attributes(path, attributes)?;
        for (name, value) in &member.attributes {
            self.tree.set_extended_attribute(path, name, value)?;
        }
        if member.kind == Kind::Directory {
            self.directories.insert(path.to_vec(), attributes);
        } else {
            self.directories.remove(path);
        }
        Ok(())
    }

    /// Makes the folders above a member that no member before it stood for.
    fn make_parents(&self, parent: &[u8]) -> Result<(), Error> {
        if parent.is_empty() || self.tree.status(parent).optional()?.is_some() {
            return Ok(());
        }
        self.make_parents(split(parent).0)?;
        self.tree.make_directory(parent)?;
        let attributes = Attributes {
            user: 0,
            group: 0,
            mode: Some(PARENT_MODE),
            modified: Time {
                seconds: 0,
                nanoseconds: 0,
            },
        };
        self.tree.set_attributes(parent, attributes)
    }

    /// Removes what a member takes the place of, such as one that hides it; a folder stays a folder.
    fn make_way(&mut self, path: &[u8], for_directory: bool) -> Result<(), Error> {
        let Some(there) = self.tree.status(path).optional()? else {
            return Ok(());
        };
        if for_directory && there.kind == posix::Kind::Directory {
            return Ok(());
        }
        self.directories.retain(|directory, _| {
            let below = directory.strip_prefix(path);
            !below.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        });
        self.tree.remove_all(path)
    }

    fn make_opaque(&self, directory: &[u8]) -> Result<(), Error> {
        let [usual, in_namespace] = OPAQUE_ATTRIBUTES;
        match self.tree.set_extended_attribute(directory, usual, b"y") {
            Err(error) if error.code == code::ACCESS_DENIED => {
                self.tree.set_extended_attribute(directory, in_namespace, b"y")
            }
            set => set,
        }
    }

    /// Gives folders their attributes, the innermost first, and answers with the owners of all members.
    pub(super) fn finish(self) -> Result<(BTreeSet<u32>, BTreeSet<u32>), Error> {
        for (path, attributes) in self.directories.into_iter().rev() {
            self.tree.set_attributes(&path, attributes)?;
        }
        Ok((self.users, self.groups))
    }
}

fn attributes(member: &Member) -> Attributes {
    Attributes {
        user: member.user,
        group: member.group,
        mode: Some(member.mode),
        modified: Time {
            seconds: member.seconds,
            nanoseconds: member.nanoseconds,
        },
    }
}

/// Has the contents of a member moved into a file, and answers with their checksum.
fn contents(data: &Passing<'_>, to: &File, size: u64) -> Result<u64, Error> {
    data.contents(size, |from| {
        let copied = copy(from, &to.writer(0)?, Some(size), &[CHECKSUM.to_owned()])?;
        checksum_in(&copied)
    })
}

fn joined(parent: &[u8], name: &[u8]) -> Vec<u8> {
    if parent.is_empty() {
        return name.to_vec();
    }
    [parent, b"/", name].concat()
}
