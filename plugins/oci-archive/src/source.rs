use longshore_archive::Member;
use longshore_guest::{Blob, BlobInfo, Body, Error, File, Manifest, Session, Source};
use longshore_layout::{Entry, digest, reference};

use crate::archive::Archive;

/// An image to read.
pub(crate) struct ArchiveSource {
    archive: Archive,
    entry: Entry,
}

impl Source for ArchiveSource {
    fn open(session: Session) -> Result<Self, Error> {
        let reference = reference(&session.reference())?;
        let archive = Archive::open(&session)?;
        let (_, entry) = archive.images.select(&reference)?;
        Ok(Self { archive, entry })
    }

    fn manifest(&self, instance: Option<String>) -> Result<Manifest, Error> {
        let (name, media_type) = match instance {
            Some(instance) => (digest(&instance)?, String::new()),
            None => (self.entry.digest.clone(), self.entry.media_type.clone()),
        };
        Ok(Manifest {
            bytes: self.archive.document(&name)?,
            media_type,
            digest: Some(name.to_string()),
        })
    }

    fn blob(&self, info: BlobInfo) -> Result<Box<dyn Blob>, Error> {
        let name = info
            .digest
            .ok_or_else(|| Error::unsupported("a blob is found by its digest only"))?;
        Ok(Box::new(ArchiveBlob {
            file: self.archive.file.again(),
            member: self.archive.blob(&digest(&name)?)?,
        }))
    }
}

struct ArchiveBlob {
    file: File,
    member: Member,
}

impl Blob for ArchiveBlob {
    fn body(&self) -> Result<Body, Error> {
        Ok(Body::Range(self.member.range(&self.file)))
    }
}
