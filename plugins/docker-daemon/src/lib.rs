//! The `docker-daemon:` transport: images of a daemon that speaks Docker's API, saved from it and loaded into it as
//! archives (DD-*, formats 4).

mod address;
mod daemon;
mod destination;
mod reference;
mod source;

use address::Address;
use longshore_guest::{Error, Identity, Plan, Purpose, Session, Transport};
use longshore_types::Reference;
use reference::DaemonReference;

/// Label of the daemon.
const DAEMON: &str = "daemon";

/// Setting with the daemon's address (F-11).
const DAEMON_HOST: &str = "daemon-host";

/// Setting with a folder of certificates (F-08).
const CERT_DIR: &str = "cert-dir";

/// `docker-daemon:NAME:TAG` and, to read, `docker-daemon:NAME@DIGEST` and `docker-daemon:sha256:ID`.
struct DockerDaemon;

impl Transport for DockerDaemon {
    const NAMES: &'static [&'static str] = &["docker-daemon"];

    fn parse(text: &str, purpose: Purpose, plan: &Plan) -> Result<(), Error> {
        let reference = DaemonReference::parse(text)?;
        if purpose == Purpose::Destination {
            reference.name_to_write()?;
        }
        let address = Address::parse(&plan.setting(DAEMON_HOST).unwrap_or_default())?;
        let folder = plan.setting(CERT_DIR);
        let files = folder.as_deref().filter(|_| address.has_tls()).map(|folder| {
            let file = |key: &str, name: &str| (key.to_owned(), format!("{}/{name}", folder.trim_end_matches('/')));
            [
                file("ca", "ca.pem"),
                file("certificate", "cert.pem"),
                file("key", "key.pem"),
            ]
        });
        plan.http(DAEMON, &address.origin, files.as_ref().map_or(&[], |files| files));
        Ok(())
    }

    /// DD-06: names as those of registries; policy knows IDs by no name.
    fn identify(session: &Session) -> Result<Identity, Error> {
        let reference = DaemonReference::parse(&session.reference())?;
        let name = match &reference {
            DaemonReference::Name(name) => Some(name),
            DaemonReference::Id(_) => None,
        };
        Ok(Identity {
            canonical: reference.to_string(),
            docker_reference: name.map(ToString::to_string),
            policy_identity: name.map(ToString::to_string).unwrap_or_default(),
            policy_scopes: name.map(Reference::policy_scopes).unwrap_or_default(),
        })
    }
}

longshore_guest::export_transport!(DockerDaemon);
longshore_guest::export_source!(source::DaemonSource);
longshore_guest::export_destination!(destination::DaemonDestination);
