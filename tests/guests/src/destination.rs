use std::cell::RefCell;
use std::rc::Rc;

use longshore_guest::{
    BlobInfo, BlobWriter, Destination, Directory, Error, File, FileRange, LockKind, Manifest, Reader, Session, Staged,
    Target, Traits, Writer,
};

use crate::{KEPT, PLACE, mode};

pub(crate) struct BadDestination {
    state: Rc<State>,
}

struct State {
    mode: String,
    directory: Directory,
    read: RefCell<Vec<u8>>,
    file: RefCell<Option<File>>,
    writer: RefCell<Option<Writer>>,
}

impl Destination for BadDestination {
    fn open(session: Session) -> Result<Self, Error> {
        let directory = session.directory(PLACE)?;
        let state = State {
            mode: mode(&session),
            directory,
            read: RefCell::default(),
            file: RefCell::default(),
            writer: RefCell::default(),
        };
        if state.mode == "relock" {
            let _first = state.directory.lock(b"", LockKind::Flock, true)?;
            state.directory.lock(b"", LockKind::Flock, true)?;
        }
        Ok(Self { state: Rc::new(state) })
    }

    fn traits(&self) -> Traits {
        Traits {
            manifest_types: Vec::new(),
            layer_compression: "a-wish-of-the-future".to_owned(),
            abilities: Vec::new(),
        }
    }

    fn reuse(&self, info: BlobInfo, _substitute: bool) -> Result<Option<BlobInfo>, Error> {
        match self.state.mode.as_str() {
            "reuse-other" => Ok(Some(BlobInfo { digest: None, ..info })),
            _ => Ok(None),
        }
    }

    fn begin_blob(&self, _info: BlobInfo) -> Result<Box<dyn BlobWriter>, Error> {
        let staged = self.state.directory.stage()?;
        Ok(Box::new(BadWriter {
            state: Rc::clone(&self.state),
            staged,
        }))
    }

    fn put_manifest(&self, _manifest: Manifest, _instance: Option<String>) -> Result<(), Error> {
        match self.state.mode.as_str() {
            "keep-reader" => KEPT.with_borrow(|kept| match kept.first().map(|reader| reader.read(100)) {
                Some(Ok(data)) => Err(Error::new(
                    "other",
                    format!("read {} bytes from a kept reader", data.len()),
                )),
                Some(Err(error)) => Err(Error::new("other", format!("kept reader: {}", error.message))),
                None => Ok(()),
            }),
            "keep-file" => match self
                .state
                .file
                .borrow()
                .as_ref()
                .map(|file| file.write_at(0, b"changed"))
            {
                Some(Ok(())) => Err(Error::new("other", "wrote to a published file")),
                Some(Err(error)) => Err(Error::new("other", format!("kept file: {}", error.message))),
                None => Ok(()),
            },
            "keep-writer" => match self
                .state
                .writer
                .borrow()
                .as_ref()
                .map(|writer| writer.write(b"changed"))
            {
                Some(Ok(())) => Err(Error::new("other", "wrote to a published file")),
                Some(Err(error)) => Err(Error::new("other", format!("kept writer: {}", error.message))),
                None => Ok(()),
            },
            "publish-outside" => {
                let staged = self.state.directory.stage()?;
                Staged::publish(staged, &self.state.directory, b"../outside", true)
            }
            "publish-over" => {
                let staged = self.state.directory.stage()?;
                Staged::publish(staged, &self.state.directory, b"there", false)
            }
            "forget" => {
                let staged = self.state.directory.stage()?;
                staged.file()?.write_at(0, b"forgotten")?;
                std::mem::forget(staged);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn commit(&self, _top_level: Manifest) -> Result<(), Error> {
        match self.state.mode.as_str() {
            "commit-panics" => panic!("at the last moment"),
            "consume" => self.state.directory.replace(b"consumed", &self.state.read.borrow()),
            _ => Ok(()),
        }
    }
}

struct BadWriter {
    state: Rc<State>,
    staged: Staged,
}

impl BlobWriter for BadWriter {
    fn target(&self) -> Result<Target, Error> {
        match self.state.mode.as_str() {
            "consume" | "keep-reader" | "stop-early" | "consume-panics" => Ok(Target::Consumed),
            "already-here" => Ok(Target::AlreadyHere),
            "limited" => Ok(Target::Range(FileRange {
                file: self.staged.file()?,
                offset: 0,
                length: Some(4),
            })),
            "streamed" => Ok(Target::Streamed(self.staged.file()?.writer(0)?)),
            _ => Ok(Target::Range(FileRange::whole(self.staged.file()?))),
        }
    }

    fn consume(&self, data: Reader) -> Result<(), Error> {
        match self.state.mode.as_str() {
            "stop-early" => return data.read(1).map(|_| ()),
            "consume-panics" => panic!("no appetite"),
            _ => {}
        }
        loop {
            let piece = data.read(u32::MAX)?;
            if piece.is_empty() {
                break;
            }
            self.state.read.borrow_mut().extend(piece);
        }
        if self.state.mode == "keep-reader" {
            KEPT.with_borrow_mut(|kept| kept.push(data));
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _digest: String, _size: u64) -> Result<(), Error> {
        match self.state.mode.as_str() {
            "finish-panics" => panic!("with a staged file open"),
            "finish-fails" => Err(Error::new("no-space", "full")),
            "keep-file" => {
                *self.state.file.borrow_mut() = Some(self.staged.file()?);
                Staged::publish(self.staged, &self.state.directory, b"blob", true)
            }
            "keep-writer" => {
                *self.state.writer.borrow_mut() = Some(self.staged.file()?.writer(0)?);
                Staged::publish(self.staged, &self.state.directory, b"blob", true)
            }
            "consume" | "keep-reader" => Ok(()),
            _ => Staged::publish(self.staged, &self.state.directory, b"deep/er/blob", true),
        }
    }
}
