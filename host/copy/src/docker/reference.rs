use longshore_types::{Digest, ErrorKind, Reference};

use crate::error::TransportError;
use crate::transport::Purpose;

/// Stands for "whatever digest the manifest will have" (TD-03).
const UNKNOWN_DIGEST: &str = "@@unknown-digest@@";

/// What a `docker:` reference names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// An image by tag or digest, never both.
    Image(Reference),
    /// An image to be, by the digest it will have.
    UnknownDigest(Reference),
    /// A whole repository.
    Repository(Reference),
}

impl Target {
    /// Reads the text after `docker:` (TD-01 to TD-04).
    pub(super) fn parse(text: &str, purpose: Purpose) -> Result<Self, TransportError> {
        let invalid = |message: String| TransportError::new(ErrorKind::InvalidReference, message);
        let Some(name) = text.strip_prefix("//") else {
            return Err(invalid(format!(
                "docker: image reference {text} does not start with //"
            )));
        };
        let (name, unknown) = match name.strip_suffix(UNKNOWN_DIGEST) {
            Some(name) => (name, true),
            None => (name, false),
        };
        let reference = Reference::parse_normalized(name)
            .map_err(|error| TransportError::wrap(ErrorKind::InvalidReference, error))?;
        let bare = reference.tag().is_none() && reference.digest().is_none();
        match (purpose, unknown) {
            (Purpose::Enumerate, _) if unknown || !bare => Err(invalid("No tag or digest allowed in reference".into())),
            (Purpose::Enumerate, _) => Ok(Self::Repository(reference)),
            (Purpose::Destination, true) if bare => Ok(Self::UnknownDigest(reference)),
            (Purpose::Destination, true) => Err(invalid(format!(
                "docker: image reference {text} has an unknown digest set but it contains either a tag or digest"
            ))),
            (_, true) => Err(invalid(format!(
                "docker: the digest of image reference {text} is not known"
            ))),
            (_, false) if reference.tag().is_some() && reference.digest().is_some() => Err(invalid(
                "Docker references with both a tag and digest are currently not supported".into(),
            )),
            (_, false) => Ok(Self::Image(reference.with_default_tag())),
        }
    }

    /// The name, with tag or digest if there is one.
    pub(super) fn reference(&self) -> &Reference {
        match self {
            Self::Image(reference) | Self::UnknownDigest(reference) | Self::Repository(reference) => reference,
        }
    }

    /// What a registry knows the image by: digest or tag.
    pub(super) fn key(&self) -> Option<String> {
        match self {
            Self::Image(reference) => {
                let digest = reference.digest().map(Digest::to_string);
                digest.or_else(|| reference.tag().map(str::to_owned))
            }
            Self::UnknownDigest(_) | Self::Repository(_) => None,
        }
    }

    /// The text after `docker:` as messages show it (TD-04).
    pub(super) fn canonical(&self) -> String {
        let suffix = if matches!(self, Self::UnknownDigest(_)) {
            UNKNOWN_DIGEST
        } else {
            ""
        };
        format!("//{}{suffix}", self.reference().familiar())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn parse(text: &str, purpose: Purpose) -> Result<String, String> {
        Target::parse(&text.replace("HEX", HEX), purpose)
            .map(|target| format!("{} {}", target.canonical(), target.key().unwrap_or_default()).replace(HEX, "HEX"))
            .map_err(|error| {
                assert_eq!(error.kind(), ErrorKind::InvalidReference);
                error.to_string()
            })
    }

    #[test]
    fn images() {
        for (text, expected) in [
            ("//busybox", "//busybox:latest latest"),
            ("//busybox:1", "//busybox:1 1"),
            ("//docker.io/library/busybox:1", "//busybox:1 1"),
            ("//h:5000/a/b", "//h:5000/a/b:latest latest"),
            ("//h/a@sha256:HEX", "//h/a@sha256:HEX sha256:HEX"),
        ] {
            for purpose in [Purpose::Source, Purpose::Destination, Purpose::Delete] {
                assert_eq!(parse(text, purpose), Ok(expected.to_owned()), "{text}");
            }
        }
    }

    #[test]
    fn by_digest_to_be() {
        assert_eq!(
            parse("//h/a@@unknown-digest@@", Purpose::Destination),
            Ok("//h/a@@unknown-digest@@ ".into())
        );
        for (text, purpose) in [
            ("//h/a@@unknown-digest@@", Purpose::Source),
            ("//h/a@@unknown-digest@@", Purpose::Delete),
            ("//h/a@@unknown-digest@@", Purpose::Enumerate),
            ("//h/a:1@@unknown-digest@@", Purpose::Destination),
            ("//h/a@sha256:HEX@@unknown-digest@@", Purpose::Destination),
        ] {
            parse(text, purpose).unwrap_err();
        }
    }

    #[test]
    fn refused() {
        for (text, expected) in [
            ("busybox", "docker: image reference busybox does not start with //"),
            ("/busybox", "docker: image reference /busybox does not start with //"),
            (
                "//busybox:1@sha256:HEX",
                "Docker references with both a tag and digest are currently not supported",
            ),
        ] {
            assert_eq!(parse(text, Purpose::Source), Err(expected.to_owned()), "{text}");
        }
        for text in ["//", "//Busybox", "//h/a:", "//h/a@sha256:12", "///a", "//a b"] {
            parse(text, Purpose::Source).unwrap_err();
        }
    }

    #[test]
    fn repositories() {
        assert_eq!(parse("//busybox", Purpose::Enumerate), Ok("//busybox ".into()));
        for text in ["//busybox:1", "//busybox@sha256:HEX"] {
            assert_eq!(
                parse(text, Purpose::Enumerate),
                Err("No tag or digest allowed in reference".into())
            );
        }
    }
}
