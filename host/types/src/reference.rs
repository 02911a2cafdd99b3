//! Docker-style references: `name[:tag][@digest]`, normalised (RF-01 to RF-10).

mod grammar;
mod scopes;

use std::fmt;
use std::str::FromStr;

pub use grammar::{is_domain, is_repository_path, is_tag};

use crate::{Digest, DigestError, ErrorKind};

/// The registry that a name without a domain belongs to; part of the protocol.
pub const DEFAULT_DOMAIN: &str = "docker.io";
const LEGACY_DEFAULT_DOMAIN: &str = "index.docker.io";
const OFFICIAL_PREFIX: &str = "library/";
/// The tag that stands for a missing one (RF-09).
pub const DEFAULT_TAG: &str = "latest";
/// The most characters that a name, domain included, may have (RF-07).
const MAX_NAME_LENGTH: usize = 255;

/// Why a text is not a reference. The words are those of the reference implementation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The text does not follow the grammar.
    #[error("invalid reference format")]
    Format,
    /// The path has an upper-case letter.
    #[error("invalid reference format: repository name must be lowercase")]
    Uppercase,
    /// The name, domain included, is too long.
    #[error("repository name must not be more than {MAX_NAME_LENGTH} characters")]
    TooLong,
    /// A bare name of 64 hexadecimal digits could be an image id (RF-08).
    #[error("invalid repository name ({0}), cannot specify 64-byte hexadecimal strings")]
    LooksLikeId(String),
    /// The part behind `@` is not a digest that is supported.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// The text is not a tag.
    #[error("invalid tag format")]
    Tag,
    /// A reference that must have a tag or digest has neither.
    #[error("unexpected docker reference {0} with neither a tag nor digest")]
    NeitherTagNorDigest(String),
    /// A reference that must have either a tag or digest has both.
    #[error("unexpected docker reference {0} with both a tag and digest")]
    TagAndDigest(String),
}

impl ReferenceError {
    /// The class of this failure.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidReference
    }
}

/// A normalised docker-style reference: it always has a domain and a path, and perhaps a tag and a digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Reads a reference as users type it: `busybox` is `docker.io/library/busybox` (RF-02, RF-03). No tag is added.
    pub fn parse_normalized(text: &str) -> Result<Self, ReferenceError> {
        if is_id(text) {
            return Err(ReferenceError::LooksLikeId(text.to_owned()));
        }
        let (domain, remainder) = split_domain(text);
        let named = remainder.split(':').next().unwrap_or_default();
        if named.to_lowercase() != named {
            return Err(ReferenceError::Uppercase);
        }
        let (name, digest) = remainder
            .split_once('@')
            .map_or((remainder, None), |(name, digest)| (name, Some(digest)));
        let (path, tag) = name
            .split_once(':')
            .map_or((name, None), |(path, tag)| (path, Some(tag)));
        let prefix = if domain == DEFAULT_DOMAIN && !remainder.contains('/') {
            OFFICIAL_PREFIX
        } else {
            ""
        };
        let path = format!("{prefix}{path}");
        if !is_domain(domain)
            || !is_repository_path(&path)
            || !tag.is_none_or(is_tag)
            || !digest.is_none_or(grammar::is_digest_shaped)
        {
            return Err(ReferenceError::Format);
        }
        if domain.len() + 1 + path.len() > MAX_NAME_LENGTH {
            return Err(ReferenceError::TooLong);
        }
        let digest = digest.map(Digest::parse).transpose()?;
        Ok(Self {
            domain: domain.to_owned(),
            path,
            tag: tag.map(str::to_owned),
            digest,
        })
    }

    /// The registry: `HOST[:PORT]`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository within the registry.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// `DOMAIN/PATH`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Whether there is neither tag nor digest.
    pub fn is_name_only(&self) -> bool {
        self.tag.is_none() && self.digest.is_none()
    }

    /// The same with the tag `latest` if there is neither tag nor digest (RF-09).
    #[must_use]
    pub fn with_default_tag(self) -> Self {
        if self.is_name_only() {
            Self {
                tag: Some(DEFAULT_TAG.to_owned()),
                ..self
            }
        } else {
            self
        }
    }

    /// The same with another tag; a digest stays.
    pub fn with_tag(self, tag: &str) -> Result<Self, ReferenceError> {
        if is_tag(tag) {
            Ok(Self {
                tag: Some(tag.to_owned()),
                ..self
            })
        } else {
            Err(ReferenceError::Tag)
        }
    }

    /// The same with another digest; a tag stays.
    #[must_use]
    pub fn with_digest(self, digest: Digest) -> Self {
        Self {
            digest: Some(digest),
            ..self
        }
    }

    /// The repository alone.
    #[must_use]
    pub fn without_tag_and_digest(self) -> Self {
        Self {
            tag: None,
            digest: None,
            ..self
        }
    }

    /// What a registry is asked for: the digest if there is one, else the tag.
    pub fn tag_or_digest(&self) -> Option<&str> {
        self.digest().map(Digest::as_str).or(self.tag())
    }

    /// The short form that users see: without `docker.io/` and `library/` where [`Reference::parse_normalized`] would
    /// put them back (RF-10).
    pub fn familiar(&self) -> String {
        format!("{}{}", self.familiar_name(), self.suffix())
    }

    /// The short form of the name alone.
    pub fn familiar_name(&self) -> String {
        let name = self.name();
        if self.domain != DEFAULT_DOMAIN {
            return name;
        }
        let short = match self.path.strip_prefix(OFFICIAL_PREFIX) {
            Some(official) if !official.contains('/') => official,
            _ => &self.path,
        };
        let reads_back = !is_id(short) && split_domain(short).0 == DEFAULT_DOMAIN;
        if reads_back { short.to_owned() } else { name }
    }

    fn suffix(&self) -> String {
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = self
            .digest
            .as_ref()
            .map(|digest| format!("@{digest}"))
            .unwrap_or_default();
        tag + &digest
    }
}

/// Splits the domain off by RF-02 and renames the legacy one (RF-03).
fn split_domain(text: &str) -> (&str, &str) {
    let (domain, remainder) = match text.split_once('/') {
        Some((first, remainder)) if first.contains(['.', ':']) || first == "localhost" => (first, remainder),
        _ => (DEFAULT_DOMAIN, text),
    };
    (
        if domain == LEGACY_DEFAULT_DOMAIN {
            DEFAULT_DOMAIN
        } else {
            domain
        },
        remainder,
    )
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for Reference {
    /// The canonical form: `DOMAIN/PATH[:TAG][@DIGEST]`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}{}", self.domain, self.path, self.suffix())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        Self::parse_normalized(text)
    }
}

#[cfg(test)]
mod tests;
