use rustix::fs::FileType;
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::bindings::transport::longshore::transport::posix::{
    Attributes as GuestAttributes, Device, Host, HostTree, Kind, Status as GuestStatus, Time,
};
use crate::bindings::transport::longshore::transport::types::Error as GuestError;
use crate::files::{Attributes, Directory, OpenFile, Tree, guest_error};
use crate::state::State;

type Answer<T> = Result<Result<T, GuestError>>;

impl State {
    fn tree(&mut self, tree: &Resource<Tree>) -> Result<&Tree> {
        self.enter();
        Ok(self.table.get(tree)?)
    }
}

impl Host for State {}

impl HostTree for State {
    fn status(&mut self, tree: Resource<Tree>, path: Vec<u8>) -> Answer<GuestStatus> {
        let status = self.tree(&tree)?.status(&path);
        Ok(status.and_then(|status| {
            let kind = match status.kind {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Directory,
                FileType::Symlink => Kind::Symlink,
                FileType::Fifo => Kind::Fifo,
                FileType::Socket => Kind::Socket,
                FileType::CharacterDevice => Kind::CharacterDevice,
                FileType::BlockDevice => Kind::BlockDevice,
                FileType::Unknown => return Err(guest_error("invalid-data", "a file of unknown kind")),
            };
            let (seconds, nanoseconds) = status.modified;
            let (major, minor) = status.device;
            Ok(GuestStatus {
                kind,
                size: status.size,
                mode: status.mode,
                user: status.user,
                group: status.group,
                modified: Time { seconds, nanoseconds },
                device: Device { major, minor },
                links: status.links,
            })
        }))
    }

    fn read_symlink(&mut self, tree: Resource<Tree>, path: Vec<u8>) -> Answer<Vec<u8>> {
        Ok(self.tree(&tree)?.read_symlink(&path))
    }

    fn extended_attributes(&mut self, tree: Resource<Tree>, path: Vec<u8>) -> Answer<Vec<(Vec<u8>, Vec<u8>)>> {
        Ok(self.tree(&tree)?.extended_attributes(&path))
    }

    fn open(&mut self, tree: Resource<Tree>, path: Vec<u8>) -> Answer<Resource<OpenFile>> {
        let file = self.tree(&tree)?.open(&path);
        self.hand_out(file)
    }

    fn stage(&mut self, tree: Resource<Tree>) -> Answer<Resource<Tree>> {
        let staged = self.tree(&tree)?.stage();
        self.hand_out(staged)
    }

    fn create_file(&mut self, tree: Resource<Tree>, path: Vec<u8>) -> Answer<Resource<OpenFile>> {
        let file = self.tree(&tree)?.create_file(&path);
        self.hand_out(file)
    }

    fn make_directory(&mut self, tree: Resource<Tree>, path: Vec<u8>) -> Answer<()> {
        Ok(self.tree(&tree)?.make_directory(&path))
    }

    fn make_node(&mut self, tree: Resource<Tree>, path: Vec<u8>, kind: Kind, device: Device) -> Answer<()> {
        let kind = match kind {
            Kind::File => FileType::RegularFile,
            Kind::Directory => FileType::Directory,
            Kind::Symlink => FileType::Symlink,
            Kind::Fifo => FileType::Fifo,
            Kind::Socket => FileType::Socket,
            Kind::CharacterDevice => FileType::CharacterDevice,
            Kind::BlockDevice => FileType::BlockDevice,
        };
        let device = (device.major, device.minor);
        Ok(self.tree(&tree)?.make_node(&path, kind, device))
    }

    fn make_symlink(&mut self, tree: Resource<Tree>, path: Vec<u8>, target: Vec<u8>) -> Answer<()> {
        Ok(self.tree(&tree)?.make_symlink(&path, &target))
    }

    fn hard_link(&mut self, tree: Resource<Tree>, existing: Vec<u8>, path: Vec<u8>) -> Answer<()> {
        Ok(self.tree(&tree)?.hard_link(&existing, &path))
    }

    fn set_attributes(&mut self, tree: Resource<Tree>, path: Vec<u8>, attributes: GuestAttributes) -> Answer<()> {
        let attributes = Attributes {
            user: attributes.user,
            group: attributes.group,
            mode: attributes.mode,
            modified: (attributes.modified.seconds, attributes.modified.nanoseconds),
        };
        Ok(self.tree(&tree)?.set_attributes(&path, attributes))
    }

    fn set_extended_attribute(
        &mut self,
        tree: Resource<Tree>,
        path: Vec<u8>,
        name: Vec<u8>,
        value: Vec<u8>,
    ) -> Answer<()> {
        Ok(self.tree(&tree)?.set_extended_attribute(&path, &name, &value))
    }

    fn remove_all(&mut self, tree: Resource<Tree>, path: Vec<u8>) -> Answer<()> {
        Ok(self.tree(&tree)?.remove_all(&path))
    }

    fn publish(&mut self, tree: Resource<Tree>, into: Resource<Directory>, path: Vec<u8>) -> Answer<()> {
        self.enter();
        let tree = self.table.delete(tree)?;
        Ok(tree.publish(self.table.get(&into)?, &path))
    }

    fn publish_files(
        &mut self,
        tree: Resource<Tree>,
        into: Resource<Directory>,
        names: Vec<(Vec<u8>, Vec<u8>)>,
    ) -> Answer<()> {
        self.enter();
        let tree = self.table.delete(tree)?;
        Ok(tree.publish_files(self.table.get(&into)?, &names))
    }

    fn drop(&mut self, tree: Resource<Tree>) -> Result<()> {
        self.enter();
        self.table.delete(tree)?;
        Ok(())
    }
}
