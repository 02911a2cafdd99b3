//! One credentials file.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use tracing::warn;

use super::{AuthError, Credentials};

/// A credentials file that may not exist.
#[derive(Clone, Debug)]
pub(super) struct AuthFile {
    path: PathBuf,
    legacy: bool,
}

/// `auth.json` and docker's `config.json`, which hold much more that does not concern us (AF-03).
#[derive(Default, Deserialize)]
struct Document {
    auths: Option<BTreeMap<String, Option<Entry>>>,
    #[serde(rename = "credHelpers")]
    helpers: Option<BTreeMap<String, String>>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
}

#[derive(Default, Deserialize)]
struct Entry {
    auth: Option<String>,
    #[serde(rename = "identitytoken")]
    identity_token: Option<String>,
}

impl AuthFile {
    /// A file in the present format.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, legacy: false }
    }

    /// A file in the old format, which holds the entries alone.
    pub(super) fn legacy(path: PathBuf) -> Self {
        Self { path, legacy: true }
    }

    /// This file's credentials for `HOST[:PORT][/PATH]`.
    pub(super) fn lookup(&self, name: &str) -> Result<Option<Credentials>, AuthError> {
        let Some(document) = self.read()? else {
            return Ok(None);
        };
        let registry = name.split('/').next().unwrap_or(name);
        let entries = document.auths.unwrap_or_default();
        if let Some(helper) = document.helpers.unwrap_or_default().remove(registry) {
            return Err(AuthError::Helper {
                path: self.path.clone(),
                registry: registry.to_owned(),
                helper,
            });
        }
        let Some((key, entry)) = self.find(&entries, name, registry) else {
            return Ok(None);
        };
        let credentials = self.decode(key, entry)?;
        if let (None, Some(store)) = (&credentials, document.store) {
            warn!(
                registry, store, file = %self.path.display(),
                "credentials are in a credential store, which is not supported: going on without"
            );
        }
        Ok(credentials)
    }

    /// Exact keys from the whole name up to the host; then keys written as URLs, which stand for their host (AF-04).
    fn find<'e>(
        &self,
        entries: &'e BTreeMap<String, Option<Entry>>,
        name: &str,
        registry: &str,
    ) -> Option<(&'e String, &'e Option<Entry>)> {
        let start = if self.legacy { registry } else { name };
        parents(start).find_map(|key| entries.get_key_value(key)).or_else(|| {
            let wanted = canonical_host(registry);
            entries
                .iter()
                .find(|(key, _)| canonical_host(host_of_key(key, self.legacy)) == wanted)
        })
    }

    fn decode(&self, key: &str, entry: &Option<Entry>) -> Result<Option<Credentials>, AuthError> {
        let Some(entry) = entry else {
            return Ok(None);
        };
        let failed = || AuthError::Entry {
            path: self.path.clone(),
            key: key.to_owned(),
        };
        let encoded = entry.auth.as_deref().unwrap_or_default().trim();
        let decoded = STANDARD.decode(encoded).map_err(|_| failed())?;
        let decoded = String::from_utf8(decoded).map_err(|_| failed())?;
        let pair = decoded
            .split_once(':')
            .map(|(username, password)| (username.to_owned(), password.trim_matches('\0').to_owned()));
        let token = entry.identity_token.clone().filter(|token| !token.is_empty());
        Ok(match (pair, token) {
            (pair, Some(token)) => Some(Credentials::IdentityToken {
                username: pair.map(|(username, _)| username).unwrap_or_default(),
                token,
            }),
            (Some((username, password)), None) => Some(Credentials::Basic { username, password }),
            // As docker and skopeo: an entry without a colon says nothing.
            (None, None) => None,
        })
    }

    fn read(&self) -> Result<Option<Document>, AuthError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            // The second comes where a parent is a file.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(source) => {
                return Err(AuthError::Read {
                    path: self.path.clone(),
                    source,
                });
            }
        };
        if bytes.trim_ascii().is_empty() {
            return Ok(None);
        }
        let document = if self.legacy {
            Document {
                auths: Some(self.parse(&bytes)?),
                ..Document::default()
            }
        } else {
            self.parse(&bytes)?
        };
        Ok(Some(document))
    }

    fn parse<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, AuthError> {
        serde_json::from_slice(bytes).map_err(|error| AuthError::Format {
            path: self.path.clone(),
            // The library's own words can quote a value, and values are secrets here.
            reason: match error.classify() {
                Category::Syntax | Category::Io => "invalid JSON",
                Category::Eof => "unexpected end of JSON",
                Category::Data => "a value of another type than expected",
            }
            .to_owned(),
            line: error.line(),
            column: error.column(),
        })
    }
}

/// `a/b/c`, `a/b`, `a`.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.rsplit_once('/').map(|(parent, _)| parent))
}

fn host_of_key(key: &str, legacy: bool) -> &str {
    let stripped = key.strip_prefix("http://").unwrap_or(key);
    let stripped = stripped.strip_prefix("https://").unwrap_or(stripped);
    if legacy || stripped.len() != key.len() {
        stripped.split('/').next().unwrap_or(stripped)
    } else {
        stripped
    }
}

/// The names that docker.io has gone by stand for one another.
fn canonical_host(host: &str) -> &str {
    match host {
        "docker.io" | "registry-1.docker.io" => "index.docker.io",
        other => other,
    }
}
