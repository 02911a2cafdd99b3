//! How the trust policy names references.

use super::{Reference, ReferenceError};

impl Reference {
    /// The identity by which a policy looks this image up: `DOMAIN/PATH:TAG` or `DOMAIN/PATH@DIGEST` (TD-05).
    ///
    /// # Errors
    /// If there is neither tag nor digest, or both.
    pub fn policy_identity(&self) -> Result<String, ReferenceError> {
        match (self.tag(), self.digest()) {
            (None, None) => Err(ReferenceError::NeitherTagNorDigest(self.to_string())),
            (Some(_), Some(_)) => Err(ReferenceError::TagAndDigest(self.to_string())),
            _ => Ok(self.to_string()),
        }
    }

    /// The scopes that a policy tries after the identity, most specific first (TD-06): the repository, each parent
    /// path, the domain with its port, and for each suffix of the domain the wildcard `*.SUFFIX`.
    pub fn policy_scopes(&self) -> Vec<String> {
        let mut scopes = Vec::new();
        let name = self.name();
        let mut parent = Some(name.as_str());
        while let Some(scope) = parent {
            scopes.push(scope.to_owned());
            parent = scope.rsplit_once('/').map(|(parent, _)| parent);
        }
        let host = self.domain().split(':').next().unwrap_or_default();
        let mut suffix = host.split_once('.').map(|(_, suffix)| suffix);
        while let Some(domain) = suffix {
            scopes.push(format!("*.{domain}"));
            suffix = domain.split_once('.').map(|(_, suffix)| suffix);
        }
        scopes
    }
}
