use longshore_types::{ErrorKind, Reference};

use crate::error::TransportError;

/// A tag of an image stream: `HOST[:PORT]/NAMESPACE/STREAM:TAG` (AT-01).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StreamTag {
    reference: Reference,
    namespace: String,
    stream: String,
    tag: String,
}

impl StreamTag {
    /// Reads the text after `atomic:`.
    pub(super) fn parse(text: &str) -> Result<Self, TransportError> {
        let invalid = |message: String| TransportError::new(ErrorKind::InvalidReference, message);
        let reference = Reference::parse_normalized(text)
            .map_err(|error| invalid(format!("failed to parse image reference {text:?}: {error}")))?;
        let parts: Vec<&str> = reference.path().split('/').collect();
        match (&parts[..], reference.tag(), reference.digest()) {
            ([namespace, stream], Some(tag), None) => Ok(Self {
                namespace: (*namespace).to_owned(),
                stream: (*stream).to_owned(),
                tag: tag.to_owned(),
                reference: reference.clone(),
            }),
            _ => Err(invalid(format!(
                "invalid image reference: {text}, expected format: 'hostname/namespace/stream:tag'"
            ))),
        }
    }

    pub(super) fn reference(&self) -> &Reference {
        &self.reference
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) fn stream(&self) -> &str {
        &self.stream
    }

    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    /// The text after `atomic:` as messages show it.
    pub(super) fn canonical(&self) -> String {
        self.reference.familiar()
    }

    /// A name by which the image is known within the cluster, as it is known from here: the registry's host is the one
    /// that the user named.
    pub(super) fn seen_from_here(&self, inside: &str) -> Result<String, TransportError> {
        match inside.split_once('/') {
            Some((_, image)) => Ok(format!("{}/{image}", self.reference.domain())),
            None => Err(TransportError::new(
                ErrorKind::InvalidData,
                format!("Invalid format of docker reference {inside:?}: missing '/'"),
            )),
        }
    }
}

/// Whether a policy can have this scope: a tag, a stream, a namespace or a host (AT-02).
pub(crate) fn is_scope(scope: &str) -> bool {
    let parts: Vec<&str> = scope.split('/').collect();
    match parts[..] {
        [_] => true,
        [_, namespace] => !namespace.contains(':'),
        [_, namespace, stream] => !namespace.contains(':') && stream.matches(':').count() <= 1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn references() {
        for (text, expected) in [
            (
                "h.test:5000/ns/stream:tag",
                Some(("ns", "stream", "tag", "h.test:5000/ns/stream:tag")),
            ),
            (
                "localhost/ns/stream:v1",
                Some(("ns", "stream", "v1", "localhost/ns/stream:v1")),
            ),
            ("ns/stream:tag", Some(("ns", "stream", "tag", "ns/stream:tag"))),
            ("h.test/ns/stream", None),
            ("h.test/stream:tag", None),
            ("h.test/a/b/c:tag", None),
            ("h.test/ns/stream@sha256:HEX", None),
            ("h.test/ns/stream:tag@sha256:HEX", None),
            ("//h.test/ns/stream:tag", None),
            ("h.test/NS/stream:tag", None),
            ("", None),
        ] {
            let parsed = StreamTag::parse(&text.replace("HEX", HEX));
            let found = parsed.as_ref().ok();
            let found = found.map(|t| (t.namespace(), t.stream(), t.tag(), t.canonical()));
            let expected = expected.map(|(n, s, t, shown)| (n, s, t, shown.to_owned()));
            assert_eq!(found, expected, "{text}");
            if let Err(error) = parsed {
                assert_eq!(error.kind(), ErrorKind::InvalidReference);
            }
        }
    }

    #[test]
    fn the_host_is_the_one_that_the_user_named() {
        let target = StreamTag::parse("h.test:5000/ns/stream:tag").unwrap();
        for (inside, expected) in [
            (
                "172.30.1.1:5000/ns/stream@sha256:00",
                Some("h.test:5000/ns/stream@sha256:00"),
            ),
            ("docker.io/library/x:1", Some("h.test:5000/library/x:1")),
            ("stream@sha256:00", None),
            ("", None),
        ] {
            assert_eq!(target.seen_from_here(inside).ok().as_deref(), expected, "{inside}");
        }
    }

    #[test]
    fn scopes() {
        for (scope, expected) in [
            ("h:5000", true),
            ("*.test", true),
            ("h/ns", true),
            ("h:1/ns/stream", true),
            ("h/ns/stream:tag", true),
            ("h/ns:x", false),
            ("h/ns:x/stream", false),
            ("h/ns/stream:tag:x", false),
            ("h/ns/stream/x", false),
        ] {
            assert_eq!(is_scope(scope), expected, "{scope}");
        }
    }
}
