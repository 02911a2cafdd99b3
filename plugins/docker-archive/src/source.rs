use longshore_docker_archive::{Archive, ImageReader};
use longshore_guest::{Blob, BlobInfo, Error, Manifest, Session, Source};

use crate::ARCHIVE;
use crate::reference::ArchiveReference;

/// An image to read.
pub(crate) struct ArchiveSource(ImageReader);

impl Source for ArchiveSource {
    fn open(session: Session) -> Result<Self, Error> {
        let reference = ArchiveReference::parse(&session.reference())?;
        let archive = Archive::open(session.file(ARCHIVE)?)?;
        ImageReader::open(archive, &reference.selector).map(Self)
    }

    fn manifest(&self, instance: Option<String>) -> Result<Manifest, Error> {
        self.0.manifest(instance)
    }

    fn blob(&self, info: BlobInfo) -> Result<Box<dyn Blob>, Error> {
        self.0.blob(info)
    }
}
