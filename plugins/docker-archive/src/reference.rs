use std::fmt;

use longshore_docker_archive::Selector;
use longshore_guest::Error;
use longshore_types::Reference;

/// A file and the image in it (DA-01).
#[derive(Debug, PartialEq)]
pub(crate) struct ArchiveReference {
    /// Without a colon.
    pub(crate) path: String,
    pub(crate) selector: Selector,
}

impl ArchiveReference {
    /// Reads `PATH[:NAME[:TAG]|:@INDEX]`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::invalid_reference(
                "docker-archive reference \"\" isn't of the form <path>[:<reference>]",
            ));
        }
        let (path, rest) = match text.split_once(':') {
            Some((path, rest)) => (path, Some(rest)),
            None => (text, None),
        };
        let selector = match rest {
            None => Selector::Only,
            Some(rest) => match rest.strip_prefix('@') {
                Some(index) => Selector::Index(position(index)?),
                None => Selector::Named(name(rest)?),
            },
        };
        Ok(Self {
            path: path.to_owned(),
            selector,
        })
    }
}

fn position(text: &str) -> Result<usize, Error> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| {
        Error::invalid_reference(format_args!(
            "Invalid source index @{text}: not a number from 0 upwards"
        ))
    })
}

fn name(text: &str) -> Result<Reference, Error> {
    let name = Reference::parse_normalized(text)
        .map_err(|error| Error::invalid_reference(format_args!("docker-archive parsing reference: {error}")))?;
    if name.digest().is_some() {
        return Err(Error::invalid_reference(format_args!(
            "docker-archive doesn't support digest references: {name}"
        )));
    }
    Ok(name.with_default_tag())
}

impl fmt::Display for ArchiveReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.selector {
            Selector::Only => formatter.write_str(&self.path),
            Selector::Named(name) => write!(formatter, "{}:{name}", self.path),
            Selector::Index(index) => write!(formatter, "{}:@{index}", self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn references() {
        for (text, canonical) in [
            ("a.tar", Some("a.tar")),
            ("/a/b.tar:busybox", Some("/a/b.tar:docker.io/library/busybox:latest")),
            ("a:host:5000/x:1", Some("a:host:5000/x:1")),
            ("a:@0", Some("a:@0")),
            ("a:@12", Some("a:@12")),
            ("", None),
            ("a:", None),
            ("a:@", None),
            ("a:@-1", None),
            ("a:@+1", None),
            ("a:@x", None),
            ("a:Upper", None),
            (
                "a:x@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                None,
            ),
        ] {
            let parsed = ArchiveReference::parse(text).ok();
            let found = parsed.as_ref().map(ToString::to_string);
            assert_eq!(found.as_deref(), canonical, "{text}");
            if let Some(found) = found {
                assert_eq!(ArchiveReference::parse(&found).ok(), parsed);
            }
        }
    }
}
