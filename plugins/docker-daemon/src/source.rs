use longshore_docker_archive::{Archive, ImageReader, Selector};
use longshore_guest::{Blob, BlobInfo, Error, Manifest, Session, Source, spool};

use crate::daemon::Daemon;
use crate::reference::DaemonReference;

/// An image that the daemon saved.
pub(crate) struct DaemonSource(ImageReader);

impl Source for DaemonSource {
    /// DD-04: the archive is there as a whole before it is read, its list of images comes last.
    fn open(session: Session) -> Result<Self, Error> {
        let reference = DaemonReference::parse(&session.reference())?;
        let daemon = Daemon::connect(&session)?;
        let saved = daemon.save(&reference.to_string()).and_then(spool);
        let saved = saved.map_err(|error| Error {
            message: format!("loading image from docker engine: {}", error.message),
            ..error
        })?;
        ImageReader::open(Archive::open(saved)?, &Selector::Only).map(Self)
    }

    fn manifest(&self, instance: Option<String>) -> Result<Manifest, Error> {
        self.0.manifest(instance)
    }

    fn blob(&self, info: BlobInfo) -> Result<Box<dyn Blob>, Error> {
        self.0.blob(info)
    }
}
