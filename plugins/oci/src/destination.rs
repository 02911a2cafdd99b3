use std::cell::RefCell;
use std::rc::Rc;

use longshore_guest::{
    BlobInfo, BlobWriter, Context as _, Destination, Error, FileRange, Manifest, Node, Session, Staged, Target, Traits,
};
use longshore_layout::Entry;
use longshore_types::{Digest, Selector, media_type};

use crate::layout::Layout;

/// Most that one `write-at` call takes.
const MAX_WRITE: usize = 1 << 20;

/// An image to write. Blobs and manifests stay staged until commit, so that a
/// copy that fails leaves the layout as it was.
pub(crate) struct OciDestination {
    layout: Layout,
    name: Option<String>,
    staged: Rc<RefCell<Vec<(Digest, Staged)>>>,
}

impl Destination for OciDestination {
    fn open(session: Session) -> Result<Self, Error> {
        let reference = longshore_layout::reference(&session.reference())?;
        let name = match reference.selector {
            Selector::Named(name) => Some(name),
            _ => None,
        };
        let layout = Layout::open_to_add(&session)?;
        // A layout that could not be added to is refused before any byte moves.
        layout.is_marked()?;
        layout.index()?;
        Ok(Self {
            layout,
            name,
            staged: Rc::default(),
        })
    }

    fn traits(&self) -> Traits {
        Traits {
            manifest_types: vec![media_type::OCI_MANIFEST.to_owned(), media_type::OCI_INDEX.to_owned()],
            layer_compression: "compress".to_owned(),
            abilities: vec!["lists".to_owned(), "foreign-layers".to_owned()],
        }
    }

    fn reuse(&self, info: BlobInfo, _substitute: bool) -> Result<Option<BlobInfo>, Error> {
        let Some(digest) = &info.digest else {
            return Ok(None);
        };
        let (directory, path) = self.layout.blob(&longshore_layout::digest(digest)?);
        let found = directory.stat(&path).optional()?;
        Ok(found.filter(|stat| stat.node == Node::File).map(|stat| BlobInfo {
            size: Some(stat.size),
            ..info
        }))
    }

    fn begin_blob(&self, _info: BlobInfo) -> Result<Box<dyn BlobWriter>, Error> {
        Ok(Box::new(OciBlobWriter {
            staged: self.layout.blob_directory().stage()?,
            finished: Rc::clone(&self.staged),
        }))
    }

    fn put_manifest(&self, manifest: Manifest, _instance: Option<String>) -> Result<(), Error> {
        let digest = own_digest(&manifest)?;
        let staged = self.layout.blob_directory().stage()?;
        let file = staged.file()?;
        for (index, piece) in manifest.bytes.chunks(MAX_WRITE).enumerate() {
            file.write_at((index * MAX_WRITE) as u64, piece)?;
        }
        self.staged.borrow_mut().push((digest, staged));
        Ok(())
    }

    fn commit(&self, top_level: Manifest) -> Result<(), Error> {
        for (digest, staged) in self.staged.take() {
            let (directory, path) = self.layout.blob(&digest);
            Staged::publish(staged, directory, &path, true)?;
        }
        let entry = Entry {
            digest: own_digest(&top_level)?,
            media_type: top_level.media_type,
            size: top_level.bytes.len() as u64,
            name: self.name.clone(),
        };
        self.layout.update_index(|index| index.add(&entry))
    }
}

/// The digest that the host computed for a manifest.
fn own_digest(manifest: &Manifest) -> Result<Digest, Error> {
    longshore_layout::digest(manifest.digest.as_deref().unwrap_or_default())
}

struct OciBlobWriter {
    staged: Staged,
    finished: Rc<RefCell<Vec<(Digest, Staged)>>>,
}

impl BlobWriter for OciBlobWriter {
    fn target(&self) -> Result<Target, Error> {
        Ok(Target::Range(FileRange::whole(self.staged.file()?)))
    }

    fn finish(self: Box<Self>, digest: String, _size: u64) -> Result<(), Error> {
        self.finished
            .borrow_mut()
            .push((longshore_layout::digest(&digest)?, self.staged));
        Ok(())
    }
}
