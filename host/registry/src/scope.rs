use std::collections::BTreeSet;

use crate::limits::MAX_CHALLENGE_SCOPES;

/// What a token is to allow: a set of scopes, in the order that makes equal sets equal text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scopes(BTreeSet<String>);

impl Scopes {
    /// The scope of one repository.
    pub(crate) fn repository(path: &str, access: Access) -> Self {
        Self::default().and(path, access)
    }

    /// With the scope of one more repository (AU-04, mounts).
    pub(crate) fn and(mut self, path: &str, access: Access) -> Self {
        self.0.insert(format!("repository:{path}:{}", access.actions()));
        self
    }

    /// With what a challenge asks for besides (AU-06).
    pub(crate) fn and_challenge(mut self, scope: &str) -> Self {
        let asked = scope.split_ascii_whitespace().take(MAX_CHALLENGE_SCOPES);
        self.0.extend(asked.map(str::to_owned));
        self
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(crate) fn joined(&self) -> String {
        let scopes: Vec<&str> = self.iter().collect();
        scopes.join(" ")
    }
}

/// What tokens of a [`Repository`](crate::Repository) are asked to allow (AU-04).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// `pull`.
    #[default]
    Read,
    /// `pull,push`.
    Write,
    /// `*`.
    Delete,
}

impl Access {
    fn actions(self) -> &'static str {
        match self {
            Self::Read => "pull",
            Self::Write => "pull,push",
            Self::Delete => "*",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Scopes};

    #[test]
    fn sets_are_ordered_and_bounded() {
        let one = Scopes::repository("b", Access::Write).and("a", Access::Read);
        let other = Scopes::repository("a", Access::Read).and("b", Access::Write);
        assert_eq!(one, other);
        assert_eq!(one.joined(), "repository:a:pull repository:b:pull,push");
        assert_eq!(Scopes::repository("a", Access::Delete).joined(), "repository:a:*");

        let flood: String = (0..1000).map(|n| format!("repository:{n}:pull ")).collect();
        assert!(one.and_challenge(&flood).iter().count() <= 18);
    }
}
