//! The `tarball:` transport: an image that is made of root file systems in tar files, each one a layer (TB-*).
//!
//! Such an image is only read: there is nothing to write it to, and deleting it would be deleting the user's files.

mod config;
mod reference;
mod source;

use longshore_guest::{Error, Identity, Plan, Purpose, Session, Transport};
use reference::{files, label};

/// `tarball:FILE[:FILE...]`, each of them a file or `-`.
struct Tarball;

impl Transport for Tarball {
    const NAMES: &'static [&'static str] = &["tarball"];

    fn parse(text: &str, _purpose: Purpose, plan: &Plan) -> Result<(), Error> {
        for (index, path) in files(text)?.into_iter().enumerate() {
            plan.file(&label(index), path, &[]);
        }
        Ok(())
    }

    /// TB-02: policy knows such images by no name.
    fn identify(session: &Session) -> Result<Identity, Error> {
        Ok(Identity {
            canonical: session.reference(),
            docker_reference: None,
            policy_identity: String::new(),
            policy_scopes: Vec::new(),
        })
    }

    fn check_scope(_scope: &str) -> Result<(), Error> {
        Err(Error::invalid_reference(
            "tarball: does not support any scopes except the default \"\" one",
        ))
    }
}

longshore_guest::export_transport!(Tarball);
longshore_guest::export_source!(source::TarballSource);
