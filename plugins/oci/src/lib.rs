//! The `oci:` transport: images in an OCI image layout (image-spec,
//! image-layout.md), with the conventions of containers/image (OC-*).
//!
//! How several processes share one layout: whoever reads or writes an image
//! holds a shared lock on the layout's directory from beginning to end, and
//! deleting takes it exclusively, so that no blob vanishes between being found
//! and being named. `index.json` is read, changed and replaced under an exclusive
//! lock on `blobs`. A copy keeps its blobs staged until commit: one that fails
//! before leaves nothing behind. One that fails in commit leaves the blobs that it
//! named so far, which nothing refers to: another copy that holds the shared lock
//! too may have found them and rely on them, so it must not remove them.

mod destination;
mod layout;
mod manage;
mod source;

use layout::{BLOBS, LAYOUT, SHARED_BLOB_DIR};
use longshore_guest::{Access, Error, Identity, Plan, Purpose, Session, Transport};
use longshore_types::{LayoutReference, Selector};

/// `oci:PATH[:NAME]` and, to read or delete, `oci:PATH:@INDEX`.
struct Oci;

impl Transport for Oci {
    const NAMES: &'static [&'static str] = &["oci"];

    fn parse(text: &str, purpose: Purpose, plan: &Plan) -> Result<(), Error> {
        let reference = longshore_layout::reference(text)?;
        let (access, blobs_access) = match purpose {
            Purpose::Source | Purpose::Enumerate => (Access::Read, Access::Read),
            Purpose::Destination => (Access::Create, Access::Create),
            Purpose::Delete => (Access::Write, Access::Read),
        };
        if matches!(
            (purpose, &reference.selector),
            (Purpose::Destination, Selector::Index(_))
        ) {
            return Err(Error::invalid_reference(
                "an image cannot be written to a position (@N) of the index",
            ));
        }
        plan.directory(LAYOUT, &reference.path, access);
        if let Some(shared) = plan.setting(SHARED_BLOB_DIR) {
            plan.directory(BLOBS, &shared, blobs_access);
        }
        Ok(())
    }

    fn identify(session: &Session) -> Result<Identity, Error> {
        let reference: LayoutReference = longshore_layout::reference(&session.reference())?;
        Ok(Identity::of_path(reference.to_string(), session.real_path(LAYOUT)?))
    }

    fn check_scope(scope: &str) -> Result<(), Error> {
        Identity::check_path_scope(scope)
    }
}

longshore_guest::export_transport!(Oci);
longshore_guest::export_source!(source::OciSource);
longshore_guest::export_destination!(destination::OciDestination);
longshore_guest::export_manage!(manage::OciManage);
