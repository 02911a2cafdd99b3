//! The `ostree:` transport: images in OSTree repositories, laid out as skopeo did it until 2018 (OS-*).
//!
//! A branch holds the files of each layer, with a `tar-split` record in the metadata of its commit, from which the
//! archive of the layer is put together again. The manifest and the signatures of an image have a branch, and its config
//! another one. A branch is the last thing that is written: objects that no branch reaches are nothing to anybody, and
//! `ostree prune` removes them.

mod branch;
mod config;
mod content;
mod destination;
mod import;
mod names;
mod reference;
mod repository;
mod source;
mod staging;

use longshore_guest::{Access, Error, Identity, Plan, Purpose, Session, Transport};

use reference::OstreeReference;
use repository::REPOSITORY;

/// `ostree:IMAGE[@/REPOSITORY]`.
struct Ostree;

impl Transport for Ostree {
    const NAMES: &'static [&'static str] = &["ostree"];

    fn parse(text: &str, purpose: Purpose, plan: &Plan) -> Result<(), Error> {
        let reference = OstreeReference::parse(text)?;
        let access = match purpose {
            Purpose::Destination => Access::Write,
            _ => Access::Read,
        };
        plan.directory(REPOSITORY, &reference.repository, access);
        if purpose == Purpose::Destination {
            // Owners, modes and attributes of the files in layers.
            plan.posix(REPOSITORY);
        }
        Ok(())
    }

    fn identify(session: &Session) -> Result<Identity, Error> {
        let reference = OstreeReference::parse(&session.reference())?;
        reference.identity(&session.real_path(REPOSITORY)?)
    }

    fn check_scope(scope: &str) -> Result<(), Error> {
        reference::check_scope(scope)
    }
}

longshore_guest::export_transport!(Ostree);
longshore_guest::export_source!(source::OstreeSource);
longshore_guest::export_destination!(destination::OstreeDestination);
