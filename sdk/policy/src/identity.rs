//! Whether the name in a signature speaks for the image (ID-01 to ID-08).

use longshore_types::Reference;
use longshore_types::reference::{is_domain, is_repository_path};

use crate::members::Members;

/// `signedIdentity` of a requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedIdentity {
    /// Both names are the same, with tag or digest (ID-01).
    MatchExact,
    /// As [`Self::MatchExact`]; an image that is named by digest needs only the repository (ID-02).
    MatchRepoDigestOrExact,
    /// Both repositories are the same (ID-03).
    MatchRepository,
    /// The signature has this name (ID-04).
    ExactReference(Reference),
    /// The signature's name has this repository (ID-05).
    ExactRepository(Reference),
    /// As [`Self::MatchRepoDigestOrExact`], after one beginning of the image's name was put for another (ID-06).
    RemapIdentity {
        /// What the image's name begins with.
        prefix: String,
        /// What signatures have there.
        signed_prefix: String,
    },
}

impl SignedIdentity {
    /// Reads the object; each type has its own members.
    ///
    /// # Errors
    ///
    /// Says what is wrong, in the words of other container tools.
    pub fn parse(mut members: Members) -> Result<Self, String> {
        let kind: String = members.required("type")?;
        let identity = match kind.as_str() {
            "matchExact" => Self::MatchExact,
            "matchRepoDigestOrExact" => Self::MatchRepoDigestOrExact,
            "matchRepository" => Self::MatchRepository,
            "exactReference" => {
                let reference = reference(&mut members, "dockerReference")?;
                if reference.is_name_only() {
                    return Err(format!("dockerReference {reference} contains neither a tag nor digest"));
                }
                Self::ExactReference(reference)
            }
            "exactRepository" => Self::ExactRepository(reference(&mut members, "dockerRepository")?),
            "remapIdentity" => Self::RemapIdentity {
                prefix: prefix(&mut members, "prefix")?,
                signed_prefix: prefix(&mut members, "signedPrefix")?,
            },
            other => return Err(format!("Unknown policy reference match type {other:?}")),
        };
        members.finish()?;
        Ok(identity)
    }

    /// Whether a signature that names `signed` speaks for an image that the user calls `image`.
    pub fn accepts(&self, image: Option<&str>, signed: &str) -> bool {
        // ID-08: the signature's name is read like a user's.
        let Ok(signed) = Reference::parse_normalized(signed) else {
            return false;
        };
        match self {
            Self::ExactReference(intended) => !signed.is_name_only() && signed == *intended,
            Self::ExactRepository(intended) => same_repository(&signed, intended),
            // ID-07: without a name nothing can match it.
            _ => image
                .and_then(|image| Reference::parse_normalized(image).ok())
                .is_some_and(|image| self.matches(image, &signed)),
        }
    }

    fn matches(&self, image: Reference, signed: &Reference) -> bool {
        match self {
            Self::MatchExact => !image.is_name_only() && !signed.is_name_only() && image == *signed,
            Self::MatchRepository => same_repository(&image, signed),
            Self::RemapIdentity { prefix, signed_prefix } => {
                remap(image, prefix, signed_prefix).is_some_and(|image| repo_digest_or_exact(&image, signed))
            }
            _ => repo_digest_or_exact(&image, signed),
        }
    }
}

fn same_repository(one: &Reference, other: &Reference) -> bool {
    (one.domain(), one.path()) == (other.domain(), other.path())
}

/// ID-02. The manifest's digest was compared before, so a signature for another tag says of an image that is named by
/// digest all that is needed.
fn repo_digest_or_exact(image: &Reference, signed: &Reference) -> bool {
    if signed.is_name_only() {
        false
    } else if image.tag().is_some() {
        image == signed
    } else {
        image.digest().is_some() && same_repository(image, signed)
    }
}

/// ID-06; none if the result is no name in full form.
fn remap(image: Reference, prefix: &str, signed_prefix: &str) -> Option<Reference> {
    let text = image.to_string();
    let name = image.name();
    let is_below = name
        .strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if !is_below {
        return Some(image);
    }
    let renamed = format!("{signed_prefix}{}", &text[prefix.len()..]);
    Reference::parse_normalized(&renamed)
        .ok()
        .filter(|reference| reference.to_string() == renamed)
}

fn reference(members: &mut Members, key: &str) -> Result<Reference, String> {
    let text: String = members.required(key)?;
    Reference::parse_normalized(&text).map_err(|error| format!("Invalid format of {key} {text:?}: {error}"))
}

/// A host, or a repository with its host; not normalised, as it may be only the beginning of a name.
fn prefix(members: &mut Members, key: &str) -> Result<String, String> {
    let text: String = members.required(key)?;
    let valid = match text.split_once('/') {
        None => is_domain(&text),
        Some((domain, path)) => is_domain(domain) && is_repository_path(path),
    };
    if valid {
        Ok(text)
    } else {
        Err(format!("{key} {text:?} is not valid"))
    }
}

#[cfg(test)]
mod tests;
