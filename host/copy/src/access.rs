use std::path::PathBuf;

use longshore_config::Credentials;
use longshore_types::Reference;

/// How a registry learns who asks.
#[derive(Clone, Debug, Default)]
pub enum CredentialChoice {
    /// What the credential files hold for the repository or its registry (AF-01 to AF-04); anonymous if nothing.
    #[default]
    Stored,
    /// Anonymous, whatever is stored (F-07).
    Anonymous,
    /// Given by the user (F-03, F-05).
    Given(Credentials),
    /// A bearer token that is sent as it is, without asking a token server (F-06).
    RegistryToken(Secret),
}

/// A secret text: `Debug` does not show it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for sending.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The settings of one side of a copy, or of the one image that another command works on.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Whose name registries are asked in.
    pub credentials: CredentialChoice,
    /// The only file to look for credentials in (F-01, F-02); none: the usual search.
    pub authfile: Option<PathBuf>,
    /// F-08: the only folder to look for certificates in; none: the usual search (TL-01, TL-02).
    pub cert_dir: Option<PathBuf>,
    /// F-09: unset, or an explicit choice. `Some(false)` also allows plain HTTP.
    pub tls_verify: Option<bool>,
    /// F-10: blob pool of `oci:` layouts.
    pub shared_blob_dir: Option<PathBuf>,
    /// F-11: the address of a Docker daemon; none: its usual one.
    pub daemon_host: Option<String>,
    /// More names for the image that is written to a `docker-archive:`; all have tags (CP-01).
    pub additional_tags: Vec<Reference>,
    /// The `User-Agent` that registries see; none: `longshore/VERSION`.
    pub user_agent: Option<String>,
}
