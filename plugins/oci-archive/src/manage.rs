use longshore_guest::{Error, Manage, Session};

use crate::archive::Archive;

/// Listing. Images are not removed from archives.
pub(crate) struct ArchiveManage;

impl Manage for ArchiveManage {
    fn delete(_session: Session) -> Result<(), Error> {
        // The reference implementation's own words.
        Err(Error::unsupported("Deleting images not implemented for oci: images"))
    }

    fn images(session: Session) -> Result<Vec<String>, Error> {
        Archive::open(&session)?.images.names()
    }
}
