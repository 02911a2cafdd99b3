//! The trust policy: which images may be used (policy.json).

mod load;
mod parse;

use std::collections::BTreeMap;
use std::fmt;

pub use load::PolicyError;

/// One condition that an image must meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The value of its `type`.
    pub kind: String,
    /// The JSON object as it stands in the policy, `type` included.
    pub json: String,
}

/// What knows the grammar of requirements and scopes, asked while a policy is loaded.
///
/// `()` knows nothing: then only the types that every container tool knows are accepted.
pub trait RequirementCheck {
    /// Checks a requirement's JSON object strictly; the reason of a refusal is put into the error.
    ///
    /// `None` means that this type is unknown here.
    fn check_requirement(&self, kind: &str, json: &str) -> Option<Result<(), String>> {
        let _ = (kind, json);
        None
    }

    /// Whether `scope`, which is not empty, can be one of `transport`'s (PG-04). Unknown transports take any (PG-03).
    fn is_scope(&self, transport: &str, scope: &str) -> bool {
        let _ = (transport, scope);
        true
    }
}

impl RequirementCheck for () {}

/// A loaded trust policy. Every list of requirements in it has at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    default: Vec<Requirement>,
    transports: BTreeMap<String, BTreeMap<String, Vec<Requirement>>>,
}

/// The part of a policy that decides about an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicySection<'p> {
    /// A scope of a transport; the scope is empty for the transport's own default.
    Scope {
        /// The transport's name.
        transport: &'p str,
        /// The key below it.
        scope: &'p str,
    },
    /// The policy's default.
    Default,
}

impl fmt::Display for PolicySection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope { transport, scope } => write!(f, "transport {transport:?} policy section {scope:?}"),
            Self::Default => f.write_str("default policy section"),
        }
    }
}

impl Policy {
    /// The policy that accepts every image (PO-01).
    pub fn accept_anything() -> Self {
        let requirement = Requirement {
            kind: "insecureAcceptAnything".to_owned(),
            json: r#"{"type":"insecureAcceptAnything"}"#.to_owned(),
        };
        Self {
            default: vec![requirement],
            transports: BTreeMap::new(),
        }
    }

    /// All requirements of all sections, the default's first.
    pub fn all_requirements(&self) -> impl Iterator<Item = &Requirement> {
        let of_transports = self.transports.values().flat_map(BTreeMap::values);
        std::iter::once(&self.default).chain(of_transports).flatten()
    }

    /// The keys below a transport's name that the section for an image is looked for by, in that order (SC-01): its
    /// identity, then its scopes, then the empty one, which is the transport's default. An image without identity has
    /// only that (SC-04).
    pub fn scopes<'a>(identity: &'a str, scopes: &'a [String]) -> impl Iterator<Item = &'a str> {
        std::iter::once(identity)
            .chain(scopes.iter().map(String::as_str))
            .filter(move |scope| !identity.is_empty() && !scope.is_empty())
            .chain([""])
    }

    /// The requirements that an image must all meet, and the section that they stand in (SC-01).
    ///
    /// `identity` is the image's policy identity and `scopes` are its policy scopes from specific to general, as its
    /// transport gives them. The first section found by [`Policy::scopes`] counts alone.
    pub fn requirements(
        &self,
        transport: &str,
        identity: &str,
        scopes: &[String],
    ) -> (PolicySection<'_>, &[Requirement]) {
        let Some((transport, sections)) = self.transports.get_key_value(transport) else {
            return (PolicySection::Default, &self.default);
        };
        Self::scopes(identity, scopes)
            .find_map(|scope| sections.get_key_value(scope))
            .map_or((PolicySection::Default, &self.default), |(scope, requirements)| {
                (PolicySection::Scope { transport, scope }, requirements)
            })
    }
}

#[cfg(test)]
mod tests;
