use std::cell::Cell;
use std::rc::Rc;

use longshore_guest::{
    BlobInfo, BlobWriter, Context as _, Destination, Directory, Error, FileRange, Manifest, Session, Staged, Target,
    Traits, code,
};
use longshore_types::Digest;

use crate::IMAGE;
use crate::layout::{self, MAX_VERSION_FILE, VERSION, Version};

/// An image to write: everything goes into a new directory, which the host puts
/// in place of the old one at commit. So no file written here is ever seen by
/// others before the image is whole, and no order among them matters.
pub(crate) struct DirDestination {
    state: Rc<State>,
}

struct State {
    directory: Directory,
    version: Cell<Version>,
}

impl State {
    fn record(&self, digest: &Digest) {
        self.version.set(self.version.get().max(Version::needed_for(digest)));
    }
}

impl Destination for DirDestination {
    fn open(session: Session) -> Result<Self, Error> {
        if let Some(old) = session.replaced(IMAGE)? {
            check_replaceable(&old)?;
        }
        let directory = session.directory(IMAGE)?;
        Ok(Self {
            state: Rc::new(State {
                directory,
                version: Cell::new(Version::V1_1),
            }),
        })
    }

    fn traits(&self) -> Traits {
        Traits {
            manifest_types: Vec::new(),
            layer_compression: "preserve".to_owned(),
            abilities: vec!["signatures".to_owned(), "lists".to_owned()],
        }
    }

    fn begin_blob(&self, _info: BlobInfo) -> Result<Box<dyn BlobWriter>, Error> {
        Ok(Box::new(DirBlobWriter {
            state: Rc::clone(&self.state),
            staged: self.state.directory.stage()?,
        }))
    }

    fn put_manifest(&self, manifest: Manifest, instance: Option<String>) -> Result<(), Error> {
        let digest = instance.as_deref().map(layout::digest).transpose()?;
        if let Some(digest) = &digest {
            self.state.record(digest);
        }
        self.state
            .directory
            .replace(&layout::manifest(digest.as_ref()), &manifest.bytes)
    }

    fn put_signatures(&self, signatures: Vec<Vec<u8>>, instance: Option<String>) -> Result<(), Error> {
        let digest = instance.as_deref().map(layout::digest).transpose()?;
        for (index, signature) in signatures.iter().enumerate() {
            self.state
                .directory
                .replace(&layout::signature(digest.as_ref(), index + 1), signature)?;
        }
        Ok(())
    }

    fn commit(&self, _top_level: Manifest) -> Result<(), Error> {
        self.state
            .directory
            .replace(VERSION, self.state.version.get().file_content().as_bytes())
    }
}

/// DR-04: only an empty directory or one that holds an image is replaced.
fn check_replaceable(old: &Directory) -> Result<(), Error> {
    if old.entries(b"")?.is_empty() {
        return Ok(());
    }
    let known = match old.read(VERSION, MAX_VERSION_FILE).optional() {
        Ok(Some(version)) => Version::parse(&version).is_ok(),
        Ok(None) => false,
        // Not a file, or longer than a version file can be.
        Err(error) if error.code == code::INVALID_DATA => false,
        Err(error) => return Err(error),
    };
    if known {
        Ok(())
    } else {
        Err(Error::new(
            code::ALREADY_EXISTS,
            "not a containers image directory, don't want to overwrite important data",
        ))
    }
}

struct DirBlobWriter {
    state: Rc<State>,
    staged: Staged,
}

impl BlobWriter for DirBlobWriter {
    fn target(&self) -> Result<Target, Error> {
        Ok(Target::Range(FileRange::whole(self.staged.file()?)))
    }

    fn finish(self: Box<Self>, digest: String, _size: u64) -> Result<(), Error> {
        let digest = layout::digest(&digest)?;
        self.state.record(&digest);
        Staged::publish(self.staged, &self.state.directory, &layout::blob(&digest), true)
    }
}
