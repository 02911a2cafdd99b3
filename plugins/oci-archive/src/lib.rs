//! The `oci-archive:` transport: images in the tar archive of an OCI image layout (OC-*).
//!
//! Blobs are read where they lie in the archive. One that is written takes its blobs as they come, `index.json` and
//! `oci-layout` at its end, and then the place of what was there: archives are not extended (OC-10).

mod archive;
mod destination;
mod manage;
mod source;

use longshore_guest::{Error, Identity, Plan, Purpose, Session, Transport, code};
use longshore_layout::reference;
use longshore_types::Selector;

/// Label of the file.
const ARCHIVE: &str = "archive";

/// `oci-archive:PATH[:NAME]` and, to read, `oci-archive:PATH:@INDEX`.
struct OciArchive;

impl Transport for OciArchive {
    const NAMES: &'static [&'static str] = &["oci-archive"];

    fn parse(text: &str, purpose: Purpose, plan: &Plan) -> Result<(), Error> {
        let reference = reference(text)?;
        let yes = |key: &str| [(key.to_owned(), "yes".to_owned())];
        match (purpose, reference.selector) {
            (Purpose::Destination, Selector::Index(_)) => {
                return Err(Error::invalid_reference(
                    "an image cannot be written to a position (@N) of the index",
                ));
            }
            (Purpose::Destination, _) => plan.new_file(ARCHIVE, &reference.path, &yes("replace")),
            _ => plan.file(ARCHIVE, &reference.path, &yes("inflate")),
        }
        Ok(())
    }

    /// OC-12: policy knows archives by their paths.
    fn identify(session: &Session) -> Result<Identity, Error> {
        let reference = reference(&session.reference())?;
        let path = session.real_path(ARCHIVE).map_err(|error| {
            if error.is_not_found() {
                // OC-11.
                let path = &reference.path;
                Error::new(code::NOT_FOUND, format_args!("archive file not found: {path:?}"))
            } else {
                error
            }
        })?;
        Ok(Identity::of_path(reference.to_string(), path))
    }

    fn check_scope(scope: &str) -> Result<(), Error> {
        Identity::check_path_scope(scope)
    }
}

longshore_guest::export_transport!(OciArchive);
longshore_guest::export_source!(source::ArchiveSource);
longshore_guest::export_destination!(destination::ArchiveDestination);
longshore_guest::export_manage!(manage::ArchiveManage);
