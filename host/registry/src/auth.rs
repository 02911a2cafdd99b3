use std::fmt;

/// How a [`Client`](crate::Client) proves who it is. Never printed: its Debug form hides what is
/// secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Auth {
    /// No credentials; token servers are asked for an anonymous token.
    #[default]
    Anonymous,
    /// A user name and a password, for Basic challenges and for token servers (AU-01, AU-02).
    Basic {
        /// The user name.
        username: String,
        /// The password or personal access token.
        password: String,
    },
    /// An OAuth2 refresh token, as `docker login` stores one (AU-03).
    IdentityToken(String),
    /// A bearer token that is sent as it is; challenges are not answered (AU-07).
    RegistryToken(String),
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Basic { username, .. } => f
                .debug_struct("Basic")
                .field("username", username)
                .finish_non_exhaustive(),
            Self::IdentityToken(_) => f.write_str("IdentityToken(..)"),
            Self::RegistryToken(_) => f.write_str("RegistryToken(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Auth;

    #[test]
    fn debug_hides_secrets() {
        let cases = [
            Auth::Basic {
                username: "me".into(),
                password: "hunter2".into(),
            },
            Auth::IdentityToken("hunter2".into()),
            Auth::RegistryToken("hunter2".into()),
        ];
        for auth in cases {
            let text = format!("{auth:?}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
