//! The `docker-archive:` transport: images in a tar file as `docker save` writes it, with the conventions of
//! containers/image (DA-*).
//!
//! Layers are named by their uncompressed digests, and the file keeps no manifest: a source makes one, a destination
//! takes Docker's type only and forgets it.

mod destination;
mod manage;
mod reference;
mod source;

use longshore_docker_archive::Selector;
use longshore_guest::{Error, Identity, Plan, Purpose, Session, Transport};
use reference::ArchiveReference;

/// Label of the file.
const ARCHIVE: &str = "archive";

/// `docker-archive:PATH[:NAME[:TAG]]` and, to read, `docker-archive:PATH:@INDEX`.
struct DockerArchive;

impl Transport for DockerArchive {
    const NAMES: &'static [&'static str] = &["docker-archive"];

    fn parse(text: &str, purpose: Purpose, plan: &Plan) -> Result<(), Error> {
        let reference = ArchiveReference::parse(text)?;
        if purpose != Purpose::Destination {
            let inflate = [("inflate".to_owned(), "yes".to_owned())];
            plan.file(ARCHIVE, &reference.path, &inflate);
            return Ok(());
        }
        if let Selector::Index(index) = reference.selector {
            return Err(Error::invalid_reference(format_args!(
                "Destination reference must not contain a manifest index @{index}"
            )));
        }
        plan.new_file(ARCHIVE, &reference.path, &[]);
        Ok(())
    }

    /// DA-10: policy knows archives by no name.
    fn identify(session: &Session) -> Result<Identity, Error> {
        let reference = ArchiveReference::parse(&session.reference())?;
        let docker_reference = match &reference.selector {
            Selector::Named(name) => Some(name.to_string()),
            _ => None,
        };
        Ok(Identity {
            canonical: reference.to_string(),
            docker_reference,
            policy_identity: String::new(),
            policy_scopes: Vec::new(),
        })
    }

    fn check_scope(_scope: &str) -> Result<(), Error> {
        Err(Error::invalid_reference(
            "docker-archive: does not support any scopes except the default \"\" one",
        ))
    }
}

longshore_guest::export_transport!(DockerArchive);
longshore_guest::export_source!(source::ArchiveSource);
longshore_guest::export_destination!(destination::ArchiveDestination);
longshore_guest::export_manage!(manage::ArchiveManage);
