use std::fmt;

use longshore_guest::Error;
use longshore_types::{Algorithm, Digest, Reference};

/// What an image of a daemon is called (DD-01, DD-02).
#[derive(Debug, PartialEq)]
pub(crate) enum DaemonReference {
    /// The digest of its config.
    Id(Digest),
    /// A name with either a tag or a digest.
    Name(Reference),
}

impl DaemonReference {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        // What could be a name with a tag as well is an ID for the daemon too.
        if let Ok(id) = Digest::parse(text) {
            if id.algorithm() != Algorithm::Sha256 {
                return Err(Error::invalid_reference(format_args!(
                    "Invalid docker-daemon: reference {text}: only digest algorithm sha256 accepted"
                )));
            }
            return Ok(Self::Id(id));
        }
        let name = Reference::parse_normalized(text).map_err(Error::invalid_reference)?;
        if name.familiar_name() == "sha256" {
            return Err(Error::invalid_reference(format_args!(
                "Invalid docker-daemon: reference {text}: The sha256 repository name is reserved for (non-shortened) \
                 digest references"
            )));
        }
        match (name.tag(), name.digest()) {
            (None, None) => Err(Error::invalid_reference(format_args!(
                "docker-daemon: reference {} has neither a tag nor a digest",
                name.familiar()
            ))),
            (Some(_), Some(_)) => Err(Error::invalid_reference(
                "docker-daemon: references with both a tag and digest are currently not supported",
            )),
            _ => Ok(Self::Name(name)),
        }
    }

    /// The name that an image is loaded under; only `NAME:TAG` is one.
    pub(crate) fn name_to_write(&self) -> Result<&Reference, Error> {
        match self {
            Self::Name(name) if name.tag().is_some() => Ok(name),
            _ => Err(Error::invalid_reference(format_args!(
                "Invalid destination docker-daemon:{self}: a destination must be a name:tag"
            ))),
        }
    }
}

impl fmt::Display for DaemonReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(formatter, "{id}"),
            Self::Name(name) => formatter.write_str(&name.familiar()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const HEX: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn references() {
        let id = format!("sha256:{HEX}");
        let sha512 = format!("sha512:{HEX}{HEX}");
        let digested = format!("busybox@sha256:{HEX}");
        let both = format!("busybox:1@sha256:{HEX}");
        // The text, its canonical form, and whether it can be written.
        for (text, canonical, writable) in [
            ("busybox:1", Some("busybox:1"), true),
            ("docker.io/library/busybox:1", Some("busybox:1"), true),
            ("host:5000/a/b:1", Some("host:5000/a/b:1"), true),
            (&digested, Some(&*digested), false),
            (&id, Some(&*id), false),
            (&sha512, None, false),
            (HEX, None, false),
            ("sha256:abc", None, false),
            ("host/sha256:abc", Some("host/sha256:abc"), true),
            ("busybox", None, false),
            (&both, None, false),
            ("Upper:1", None, false),
            ("busybox:", None, false),
            ("", None, false),
        ] {
            let parsed = DaemonReference::parse(text).ok();
            assert_eq!(parsed.as_ref().map(ToString::to_string).as_deref(), canonical, "{text}");
            let writes = parsed.as_ref().is_some_and(|parsed| parsed.name_to_write().is_ok());
            assert_eq!(writes, writable, "{text}");
            if let Some(canonical) = canonical {
                assert_eq!(DaemonReference::parse(canonical).ok(), parsed);
            }
        }
    }
}
