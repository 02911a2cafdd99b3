use std::rc::Rc;

use longshore_guest::{Blob, BlobInfo, Body, Context as _, Error, FileRange, Manifest, Session, Source, code};
use longshore_layout::Entry;
use longshore_types::Digest;

use crate::layout::Layout;

/// An image to read.
pub(crate) struct OciSource {
    layout: Rc<Layout>,
    entry: Entry,
}

impl Source for OciSource {
    fn open(session: Session) -> Result<Self, Error> {
        let reference = longshore_layout::reference(&session.reference())?;
        let layout = Layout::open_to_read(&session)?;
        let Some(index) = layout.index()? else {
            return Err(Error::new(
                code::NOT_FOUND,
                format_args!("{}: no index.json: not an OCI layout", reference.path),
            ));
        };
        let (_, entry) = index.select(&reference)?;
        Ok(Self {
            layout: Rc::new(layout),
            entry,
        })
    }

    fn manifest(&self, instance: Option<String>) -> Result<Manifest, Error> {
        let (digest, media_type) = match instance {
            Some(digest) => (digest, String::new()),
            None => (self.entry.digest.to_string(), self.entry.media_type.clone()),
        };
        let bytes = self.layout.document(&longshore_layout::digest(&digest)?)?;
        Ok(Manifest {
            bytes,
            media_type,
            digest: Some(digest),
        })
    }

    fn blob(&self, info: BlobInfo) -> Result<Box<dyn Blob>, Error> {
        let digest = info
            .digest
            .ok_or_else(|| Error::unsupported("a blob is found by its digest only"))?;
        Ok(Box::new(OciBlob {
            layout: Rc::clone(&self.layout),
            digest: longshore_layout::digest(&digest)?,
        }))
    }
}

struct OciBlob {
    layout: Rc<Layout>,
    digest: Digest,
}

impl Blob for OciBlob {
    fn body(&self) -> Result<Body, Error> {
        let (directory, path) = self.layout.blob(&self.digest);
        Ok(Body::Range(FileRange::whole(
            directory.open(&path, false).missing_is(code::BLOB_NOT_FOUND)?,
        )))
    }
}
