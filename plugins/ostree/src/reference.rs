use longshore_guest::{Error, Identity};
use longshore_types::{Digest, Reference};

/// Where the system's own repository is.
const DEFAULT_REPOSITORY: &str = "/ostree/repo";

/// An image and its repository (OS-01).
#[derive(Debug, PartialEq)]
pub(crate) struct OstreeReference {
    /// As the user spells it, with a tag or a digest.
    pub(crate) image: String,
    /// Its part before those.
    name: String,
    pub(crate) digest: Option<Digest>,
    /// An absolute path.
    pub(crate) repository: String,
}

impl OstreeReference {
    /// Reads `IMAGE[@/REPOSITORY]`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let (image, repository) = match text.split_once("@/") {
            Some((image, path)) => (image, format!("/{path}")),
            None => (text, DEFAULT_REPOSITORY.to_owned()),
        };
        let parsed = Reference::parse_normalized(image)
            .map_err(|error| Error::invalid_reference(format_args!("ostree reference \"{text}\": {error}")))?;
        check_repository(image, &repository)?;
        let mut name = image;
        if let Some(digest) = parsed.digest() {
            name = name.strip_suffix(digest.as_str()).unwrap_or(name).trim_end_matches('@');
        }
        if let Some(tag) = parsed.tag() {
            name = name.strip_suffix(tag).unwrap_or(name).trim_end_matches(':');
        }
        Ok(Self {
            name: name.to_owned(),
            image: match parsed.is_name_only() {
                true => format!("{image}:latest"),
                false => image.to_owned(),
            },
            digest: parsed.digest().cloned(),
            repository,
        })
    }

    /// What policy knows the image by, in the repository at this path (OS-05).
    pub(crate) fn identity(&self, repository: &str) -> Result<Identity, Error> {
        check_repository(&self.image, repository)?;
        let mut policy_scopes = Vec::new();
        let mut rest = Some(self.name.as_str());
        while let Some(name) = rest {
            policy_scopes.push(format!("{repository}:{name}"));
            rest = name.rsplit_once('/').map(|(parent, _)| parent);
        }
        Ok(Identity {
            canonical: format!("{}@{repository}", self.image),
            docker_reference: None,
            policy_identity: format!("{repository}:{}", self.image),
            policy_scopes,
        })
    }
}

/// Scopes of images could not be told from scopes of repositories.
fn check_repository(image: &str, repository: &str) -> Result<(), Error> {
    if repository.contains(':') {
        return Err(Error::invalid_reference(format_args!(
            "Invalid OSTreeCI reference {image}@{repository}: path {repository} contains a colon"
        )));
    }
    Ok(())
}

/// `REPOSITORY:` and any beginning of an image's name (OS-05).
pub(crate) fn check_scope(scope: &str) -> Result<(), Error> {
    let Some((repository, _)) = scope.split_once(':') else {
        return Err(Error::invalid_reference(format_args!(
            "scope \"{scope}\": no colon behind the path of a repository"
        )));
    };
    Identity::check_path_scope(repository)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn digest() -> String {
        format!("sha256:{}", "a".repeat(64))
    }

    #[test]
    fn references() {
        let digest = digest();
        for (text, image, name, repository) in [
            (
                "busybox".to_owned(),
                "busybox:latest".to_owned(),
                "busybox",
                "/ostree/repo",
            ),
            (
                "busybox@/srv/repo".to_owned(),
                "busybox:latest".to_owned(),
                "busybox",
                "/srv/repo",
            ),
            (
                "a/busybox:1@/srv@/x".to_owned(),
                "a/busybox:1".to_owned(),
                "a/busybox",
                "/srv@/x",
            ),
            (
                "127.0.0.1:5000/b:c@/r".to_owned(),
                "127.0.0.1:5000/b:c".to_owned(),
                "127.0.0.1:5000/b",
                "/r",
            ),
            (format!("b@{digest}@/r"), format!("b@{digest}"), "b", "/r"),
            (format!("b:1@{digest}@/r"), format!("b:1@{digest}"), "b", "/r"),
        ] {
            let reference = OstreeReference::parse(&text).unwrap();
            assert_eq!(reference.image, image, "{text}");
            assert_eq!(reference.name, name, "{text}");
            assert_eq!(reference.repository, repository, "{text}");
            assert_eq!(reference.digest.is_some(), text.contains("sha256"), "{text}");
        }
    }

    #[test]
    fn malformed_references() {
        for (text, fragment) in [
            ("", "invalid reference format"),
            ("@/repo", "invalid reference format"),
            ("UPPER@/repo", "must be lowercase"),
            ("b:1:2@/repo", "invalid reference format"),
            ("b@/a:b", "contains a colon"),
        ] {
            let error = OstreeReference::parse(text).unwrap_err();
            assert_eq!(error.code, "invalid-reference");
            assert!(error.message.contains(fragment), "{text}: {}", error.message);
        }
    }

    #[test]
    fn identities() {
        let reference = OstreeReference::parse("docker.io/library/busybox:1@/r").unwrap();
        let identity = reference.identity("/real/r").unwrap();
        assert_eq!(identity.canonical, "docker.io/library/busybox:1@/real/r");
        assert_eq!(identity.docker_reference, None);
        assert_eq!(identity.policy_identity, "/real/r:docker.io/library/busybox:1");
        assert_eq!(
            identity.policy_scopes,
            [
                "/real/r:docker.io/library/busybox",
                "/real/r:docker.io/library",
                "/real/r:docker.io"
            ]
        );
        assert!(reference.identity("/a:b").is_err());
    }

    #[test]
    fn scopes() {
        for (scope, good) in [
            ("/repo:busybox", true),
            ("/repo:docker.io/library/busybox:latest", true),
            ("/repo:", true),
            ("/repo", false),
            ("repo:busybox", false),
            ("/:busybox", false),
            ("/a/../b:busybox", false),
            ("/a/:busybox", false),
        ] {
            assert_eq!(check_scope(scope).is_ok(), good, "{scope}");
        }
    }
}
