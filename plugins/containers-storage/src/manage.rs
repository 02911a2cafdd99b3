use longshore_guest::{Error, Manage, Session};

use crate::delete;
use crate::reference::{ImageText, StorageReference};
use crate::store::Stores;

/// Deleting and listing.
pub(crate) struct StorageManage;

impl Manage for StorageManage {
    fn delete(session: Session) -> Result<(), Error> {
        let reference = StorageReference::parse(&session.reference())?;
        let stores = Stores::open(&session, &reference.store)?;
        delete::image(&session, &stores, &ImageText::parse(&reference.image)?)
    }

    /// Names, and IDs of what has none.
    fn images(session: Session) -> Result<Vec<String>, Error> {
        let reference = StorageReference::parse(&session.reference())?;
        let stores = Stores::open(&session, &reference.store)?;
        let mut names = Vec::new();
        for (_, image) in stores.images()? {
            if image.names.is_empty() {
                names.push(format!("@{}", image.id));
            }
            names.extend(image.names);
        }
        Ok(names)
    }
}
