//! The `containers-storage:` transport: images in the storage of podman, buildah and CRI-O (CS-*).
//!
//! A store keeps no layer as it was pulled but the files of each, and beside them a `tar-split` record of the archive
//! that they came from. Such an archive is put together again while it is read: the record is parsed here, the contents
//! of files are moved by the host.
//!
//! Whoever reads a list of the store holds the lock of that list meanwhile; whoever reads a layer holds that of the
//! layers, so that nobody removes it. Deleting holds the locks of layers and images from beginning to end, and so does
//! giving a new image its place; its layers are unpacked before that, where nobody sees them.

mod big_data;
mod chain;
mod content;
mod delete;
mod destination;
mod lookup;
mod manage;
mod publish;
mod records;
mod reference;
mod scope;
mod source;
mod store;
mod unpack;

use longshore_guest::{Access, Error, Identity, Plan, Purpose, Session, Transport};

use reference::{ImageText, StorageReference};
use store::{DRIVER, Driver, Places, RUN, Stores};

/// `containers-storage:[STORE]NAME`, where both STORE and NAME have several forms.
struct ContainersStorage;

impl Transport for ContainersStorage {
    const NAMES: &'static [&'static str] = &["containers-storage"];

    fn parse(text: &str, purpose: Purpose, plan: &Plan) -> Result<(), Error> {
        let reference = StorageReference::parse(text)?;
        // A whole store is listed.
        if !(purpose == Purpose::Enumerate && reference.image.is_empty()) {
            ImageText::parse(&reference.image)?;
        }
        let places = Places::new(&reference.store, |key| plan.setting(key))?;
        if purpose == Purpose::Delete {
            plan.directory(RUN, &places.run_root, Access::Read);
        }
        let access = match purpose {
            Purpose::Delete => Access::Write,
            Purpose::Destination => Access::Create,
            _ => Access::Read,
        };
        for (index, root) in places.roots.iter().enumerate() {
            let access = if index == 0 { access } else { Access::Read };
            plan.directory(&store::label(index), root, access);
        }
        if purpose == Purpose::Destination {
            // Owners, modes and attributes of the files in layers. The driver's folder may be a mount point, on which
            // nothing can be moved from outside.
            plan.posix(&store::label(0));
            plan.directory(
                DRIVER,
                &format!("{}/{}", places.roots[0], Driver::Overlay),
                Access::Create,
            );
            plan.posix(DRIVER);
        }
        Ok(())
    }

    /// CS-06: an image that is there is known by its ID too.
    fn identify(session: &Session) -> Result<Identity, Error> {
        let reference = StorageReference::parse(&session.reference())?;
        let stores = Stores::open(session, &reference.store)?;
        if reference.image.is_empty() {
            return Ok(stores.identity(None, None));
        }
        let image = ImageText::parse(&reference.image)?;
        match stores.find(&image) {
            Ok(found) => Ok(stores.identity(found.name.as_ref(), Some(&found.image.id))),
            Err(_) => Ok(stores.identity(image.name.as_ref(), image.id.as_deref())),
        }
    }

    fn check_scope(scope: &str) -> Result<(), Error> {
        scope::check(scope)
    }
}

longshore_guest::export_transport!(ContainersStorage);
longshore_guest::export_source!(source::StorageSource);
longshore_guest::export_destination!(destination::StorageDestination);
longshore_guest::export_manage!(manage::StorageManage);
