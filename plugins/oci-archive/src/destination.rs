use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use longshore_archive::Writer;
use longshore_guest::{BlobInfo, BlobWriter, Destination, Error, Manifest, Session, Target, Traits};
use longshore_layout::{BLOBS_DIRECTORY, Entry, INDEX_FILE, Index, LAYOUT_CONTENT, LAYOUT_FILE, digest, reference};
use longshore_types::{Algorithm, Digest, Selector, media_type};

use crate::ARCHIVE;
use crate::archive::blob_name;

/// Mode of all files, as that of files in a layout.
const FILE_MODE: u32 = 0o644;

/// An archive with one image to write.
pub(crate) struct ArchiveDestination {
    name: Option<String>,
    archive: Rc<RefCell<Archive>>,
}

/// What was written so far.
struct Archive {
    writer: Writer,
    /// Sizes of the blobs that are there.
    blobs: HashMap<Digest, u64>,
    /// Algorithms whose folders are there.
    folders: HashSet<Algorithm>,
    /// Blobs that have begun and did not end. One that never does leaves bytes behind that are not what their header says.
    under_way: usize,
}

impl Destination for ArchiveDestination {
    fn open(session: Session) -> Result<Self, Error> {
        let reference = reference(&session.reference())?;
        let name = match reference.selector {
            Selector::Named(name) => Some(name),
            _ => None,
        };
        let archive = Archive {
            writer: Writer::open(session, ARCHIVE)?.with_mode(FILE_MODE),
            blobs: HashMap::new(),
            folders: HashSet::new(),
            under_way: 0,
        };
        Ok(Self {
            name,
            archive: Rc::new(RefCell::new(archive)),
        })
    }

    fn traits(&self) -> Traits {
        // A header, with the size, comes before its bytes: then several blobs of a file can be on their way at once.
        let mut abilities = vec!["lists", "foreign-layers", "size-first"];
        if self.archive.borrow().writer.is_stream() {
            abilities.push("one-at-a-time");
        }
        Traits {
            manifest_types: vec![media_type::OCI_MANIFEST.to_owned(), media_type::OCI_INDEX.to_owned()],
            layer_compression: "compress".to_owned(),
            abilities: abilities.into_iter().map(str::to_owned).collect(),
        }
    }

    fn reuse(&self, info: BlobInfo, _substitute: bool) -> Result<Option<BlobInfo>, Error> {
        let Some(name) = &info.digest else {
            return Ok(None);
        };
        let size = self.archive.borrow().blobs.get(&digest(name)?).copied();
        Ok(size.map(|size| BlobInfo {
            size: Some(size),
            ..info
        }))
    }

    fn begin_blob(&self, info: BlobInfo) -> Result<Box<dyn BlobWriter>, Error> {
        let (Some(name), Some(size)) = (info.digest, info.size) else {
            return Err(Error::invalid_data("a blob came without its digest and size"));
        };
        Ok(Box::new(ArchiveBlobWriter {
            archive: Rc::clone(&self.archive),
            digest: digest(&name)?,
            size,
        }))
    }

    fn put_manifest(&self, manifest: Manifest, instance: Option<String>) -> Result<(), Error> {
        let name = match instance {
            Some(instance) => digest(&instance)?,
            None => own_digest(&manifest)?,
        };
        let mut archive = self.archive.borrow_mut();
        if archive.blobs.contains_key(&name) {
            return Ok(());
        }
        archive.make_folder(&name)?;
        archive.writer.file(&blob_name(&name), &manifest.bytes)?;
        archive.blobs.insert(name, manifest.bytes.len() as u64);
        Ok(())
    }

    fn commit(&self, top_level: Manifest) -> Result<(), Error> {
        let mut archive = self.archive.borrow_mut();
        if archive.under_way > 0 {
            return Err(Error::invalid_data("a blob was begun and not written"));
        }
        let mut index = Index::default();
        index.add(&Entry {
            digest: own_digest(&top_level)?,
            media_type: top_level.media_type,
            size: top_level.bytes.len() as u64,
            name: self.name.clone(),
        });
        archive.writer.file(INDEX_FILE, &index.to_bytes()?)?;
        archive.writer.file(LAYOUT_FILE, LAYOUT_CONTENT)?;
        archive.writer.finish()
    }
}

/// The digest that the host computed for a manifest.
fn own_digest(manifest: &Manifest) -> Result<Digest, Error> {
    digest(manifest.digest.as_deref().unwrap_or_default())
}

impl Archive {
    /// Adds the folder that a blob belongs in, with its parent, if it is not there.
    fn make_folder(&mut self, digest: &Digest) -> Result<(), Error> {
        if self.folders.is_empty() {
            self.writer.directory(BLOBS_DIRECTORY)?;
        }
        let algorithm = digest.algorithm();
        if self.folders.insert(algorithm) {
            self.writer.directory(&format!("{BLOBS_DIRECTORY}/{algorithm}"))?;
        }
        Ok(())
    }
}

struct ArchiveBlobWriter {
    archive: Rc<RefCell<Archive>>,
    digest: Digest,
    size: u64,
}

impl BlobWriter for ArchiveBlobWriter {
    fn target(&self) -> Result<Target, Error> {
        let mut archive = self.archive.borrow_mut();
        if archive.blobs.contains_key(&self.digest) {
            return Ok(Target::AlreadyHere);
        }
        archive.make_folder(&self.digest)?;
        archive.under_way += 1;
        archive.writer.begin_sized(&blob_name(&self.digest), self.size)
    }

    fn finish(self: Box<Self>, digest: String, size: u64) -> Result<(), Error> {
        if digest != self.digest.as_str() || size != self.size {
            return Err(Error::invalid_data(format_args!(
                "{digest} with {size} bytes came in the place of {} with {}",
                self.digest, self.size
            )));
        }
        let mut archive = self.archive.borrow_mut();
        archive.writer.end_sized(size)?;
        archive.under_way -= 1;
        archive.blobs.insert(self.digest, size);
        Ok(())
    }
}
