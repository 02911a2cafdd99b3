//! The `dir:` transport: one image in a directory of plain files.
//!
//! The layout is that of containers/image, versions 1.1 and 1.2: `manifest.json`,
//! one file per blob named by its digest, `signature-N`, and `version`.

mod destination;
mod layout;
mod source;

use longshore_guest::{Access, Error, Identity, Plan, Purpose, Session, Transport};

/// Label of the directory in plan and session.
const IMAGE: &str = "image";

/// `dir:PATH`.
struct Dir;

impl Transport for Dir {
    const NAMES: &'static [&'static str] = &["dir"];

    fn parse(text: &str, purpose: Purpose, plan: &Plan) -> Result<(), Error> {
        if text.is_empty() {
            return Err(Error::invalid_reference("dir: a path is needed, as in dir:PATH"));
        }
        match purpose {
            Purpose::Destination => plan.new_directory(IMAGE, text),
            _ => plan.directory(IMAGE, text, Access::Read),
        }
        Ok(())
    }

    fn identify(session: &Session) -> Result<Identity, Error> {
        Ok(Identity::of_path(session.reference(), session.real_path(IMAGE)?))
    }

    fn check_scope(scope: &str) -> Result<(), Error> {
        Identity::check_path_scope(scope)
    }
}

longshore_guest::export_transport!(Dir);
longshore_guest::export_source!(source::DirSource);
longshore_guest::export_destination!(destination::DirDestination);
