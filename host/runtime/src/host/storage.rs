use std::sync::Arc;

use longshore_blob::ChunkSource;
use wasmtime::Result;
use wasmtime::component::Resource;

use super::bytes::{Reader, Writer};
use crate::bindings::transport::longshore::transport::storage::{
    Host, HostDirectory, HostFile, HostLock, HostStaged, LockKind as GuestLockKind, Node, Stat,
};
use crate::bindings::transport::longshore::transport::types::Error as GuestError;
use crate::files::{Directory, Entry, GuestResult, Lock, LockKind, OpenFile, Staged, guest_error};
use crate::limits;
use crate::state::State;

/// What a call of a guest returns: the outer error is a trap.
type Answer<T> = Result<Result<T, GuestError>>;

impl State {
    /// Gives a new handle to the guest.
    pub(super) fn hand_out<T: Send + 'static>(&mut self, value: GuestResult<T>) -> Answer<Resource<T>> {
        match value {
            Ok(value) => Ok(Ok(self.push(value)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    fn directory(&mut self, handle: &Resource<Directory>) -> Result<&Directory> {
        self.enter();
        Ok(self.table.get(handle)?)
    }

    fn file(&mut self, handle: &Resource<OpenFile>) -> Result<&OpenFile> {
        self.enter();
        Ok(self.table.get(handle)?)
    }
}

impl Host for State {
    fn spool(&mut self, data: Resource<Reader>) -> Answer<Resource<OpenFile>> {
        let source = self.take_source(data)?;
        let control = Arc::clone(self.control());
        let file = self.operation()?.spool(source, &|| control.is_cancelled());
        self.hand_out(file)
    }
}

impl HostFile for State {
    fn size(&mut self, file: Resource<OpenFile>) -> Answer<u64> {
        Ok(self.file(&file)?.size())
    }

    fn read_at(&mut self, file: Resource<OpenFile>, offset: u64, max: u32) -> Answer<Vec<u8>> {
        let read = self.file(&file)?.read_at(offset, (max as usize).min(limits::PIECE));
        Ok(self.moved(read, Vec::len))
    }

    fn write_at(&mut self, file: Resource<OpenFile>, offset: u64, data: Vec<u8>) -> Answer<()> {
        let file = self.file(&file)?;
        if data.len() > limits::PIECE {
            return Ok(Err(guest_error("invalid-data", "more than 1 MiB in one write")));
        }
        let written = file.write_at(offset, &data);
        Ok(self.moved(written, |()| data.len()))
    }

    fn resize(&mut self, file: Resource<OpenFile>, size: u64) -> Answer<()> {
        Ok(self.file(&file)?.resize(size))
    }

    fn reader(&mut self, file: Resource<OpenFile>, offset: u64, length: Option<u64>) -> Answer<Resource<Reader>> {
        let source = self.file(&file)?.source(offset, length);
        self.hand_out(source.map(|(source, _)| Reader::new(Box::new(source) as Box<dyn ChunkSource>)))
    }

    fn writer(&mut self, file: Resource<OpenFile>, offset: u64) -> Answer<Resource<Writer>> {
        let durability = self.durability();
        let sink = self.file(&file)?.sink(offset, None, durability);
        self.hand_out(sink.map(Writer::File))
    }

    fn modified(&mut self, file: Resource<OpenFile>) -> Answer<Option<i64>> {
        Ok(self.file(&file)?.modified())
    }

    fn again(&mut self, file: Resource<OpenFile>) -> Result<Resource<OpenFile>> {
        let file = self.file(&file)?.clone();
        self.push(file)
    }

    fn drop(&mut self, file: Resource<OpenFile>) -> Result<()> {
        self.enter();
        self.table.delete(file)?;
        Ok(())
    }
}

impl HostStaged for State {
    fn file(&mut self, staged: Resource<Staged>) -> Answer<Resource<OpenFile>> {
        self.enter();
        let file = self.table.get(&staged)?.file();
        self.hand_out(file)
    }

    fn publish(
        &mut self,
        staged: Resource<Staged>,
        into: Resource<Directory>,
        path: Vec<u8>,
        replace: bool,
    ) -> Answer<()> {
        self.enter();
        let staged = self.table.delete(staged)?;
        Ok(staged.publish(self.table.get(&into)?, &path, replace))
    }

    fn drop(&mut self, staged: Resource<Staged>) -> Result<()> {
        self.enter();
        self.table.delete(staged)?;
        Ok(())
    }
}

impl HostLock for State {
    fn read(&mut self, lock: Resource<Lock>, max: u32) -> Answer<Vec<u8>> {
        self.enter();
        let read = self.table.get(&lock)?.read(max as usize);
        Ok(self.moved(read, Vec::len))
    }

    fn write(&mut self, lock: Resource<Lock>, data: Vec<u8>) -> Answer<()> {
        self.enter();
        let written = self.table.get(&lock)?.write(&data);
        Ok(self.moved(written, |()| data.len()))
    }

    fn drop(&mut self, lock: Resource<Lock>) -> Result<()> {
        self.enter();
        self.table.delete(lock)?;
        Ok(())
    }
}

impl HostDirectory for State {
    fn open(&mut self, directory: Resource<Directory>, path: Vec<u8>, write: bool) -> Answer<Resource<OpenFile>> {
        let file = self.directory(&directory)?.open(&path, write);
        self.hand_out(file)
    }

    fn read(&mut self, directory: Resource<Directory>, path: Vec<u8>, limit: u32) -> Answer<Vec<u8>> {
        let read = self.directory(&directory)?.read(&path, limit as usize);
        Ok(self.moved(read, Vec::len))
    }

    fn replace(&mut self, directory: Resource<Directory>, path: Vec<u8>, data: Vec<u8>) -> Answer<()> {
        // A small file that names what lies in another directory must not be there before it.
        if let Err(error) = self.operation()?.sync_published() {
            return Ok(Err(error));
        }
        let replaced = self.directory(&directory)?.replace(&path, &data);
        Ok(self.moved(replaced, |()| data.len()))
    }

    fn stage(&mut self, directory: Resource<Directory>) -> Answer<Resource<Staged>> {
        let staged = self.directory(&directory)?.stage();
        self.hand_out(staged)
    }

    fn subdirectory(&mut self, directory: Resource<Directory>, path: Vec<u8>) -> Answer<Resource<Directory>> {
        let subdirectory = self.directory(&directory)?.subdirectory(&path);
        self.hand_out(subdirectory)
    }

    fn entries(&mut self, directory: Resource<Directory>, path: Vec<u8>) -> Answer<Vec<(Vec<u8>, Node)>> {
        let entries = self.directory(&directory)?.entries(&path);
        Ok(entries.map(|entries| entries.into_iter().map(|(name, entry)| (name, node(entry))).collect()))
    }

    fn stat(&mut self, directory: Resource<Directory>, path: Vec<u8>) -> Answer<Stat> {
        let stat = self.directory(&directory)?.stat(&path);
        Ok(stat.map(|(entry, size)| Stat {
            node: node(entry),
            size,
        }))
    }

    fn make_directory(&mut self, directory: Resource<Directory>, path: Vec<u8>) -> Answer<()> {
        Ok(self.directory(&directory)?.make_directory(&path))
    }

    fn remove(&mut self, directory: Resource<Directory>, path: Vec<u8>) -> Answer<()> {
        Ok(self.directory(&directory)?.remove(&path))
    }

    fn remove_all(&mut self, directory: Resource<Directory>, path: Vec<u8>) -> Answer<()> {
        Ok(self.directory(&directory)?.remove_all(&path))
    }

    fn lock(
        &mut self,
        directory: Resource<Directory>,
        path: Vec<u8>,
        kind: GuestLockKind,
        exclusive: bool,
    ) -> Answer<Resource<Lock>> {
        let control = Arc::clone(self.control());
        let directory = self.directory(&directory)?.clone();
        let kind = match kind {
            GuestLockKind::Flock => LockKind::Flock,
            GuestLockKind::Ofd => LockKind::Ofd,
            GuestLockKind::Posix => LockKind::Posix,
        };
        let lock = directory.lock(&path, kind, exclusive, &mut self.locks, &|| control.is_cancelled());
        self.hand_out(lock)
    }

    fn drop(&mut self, directory: Resource<Directory>) -> Result<()> {
        self.enter();
        self.table.delete(directory)?;
        Ok(())
    }
}

fn node(entry: Entry) -> Node {
    match entry {
        Entry::File => Node::File,
        Entry::Directory => Node::Directory,
        Entry::Symlink => Node::Symlink,
        Entry::Other => Node::Other,
    }
}
