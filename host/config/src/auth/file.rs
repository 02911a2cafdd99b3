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

use super::helper::{self, HelperError};
use super::{AuthError, Credentials};
use crate::environment::Environment;

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
    username: Option<String>,
    password: Option<String>,
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

    /// This file's credentials for `HOST[:PORT][/PATH]`: from the registry's own helper if it has one, else an entry, else
    /// from the store that holds all that have no entry.
    pub(super) fn lookup(&self, name: &str, environment: &Environment) -> Result<Option<Credentials>, AuthError> {
        let Some(document) = self.read()? else {
            return Ok(None);
        };
        let registry = name.split('/').next().unwrap_or(name);
        let entries = document.auths.unwrap_or_default();
        let helpers = document.helpers.unwrap_or_default();
        if let Some(helper) = helpers.get(registry) {
            let found = helper::ask(helper, registry, environment);
            return found.map_err(|source| self.helper_failed(registry, helper, source));
        }
        let entry = self.find(&entries, name, registry);
        let credentials = match entry {
            Some((key, entry)) => self.decode(key, entry)?,
            None => None,
        };
        let Some(store) = document
            .store
            .filter(|store| !store.is_empty() && credentials.is_none())
        else {
            return Ok(credentials);
        };
        match helper::ask(&store, name_in_store(registry), environment) {
            Ok(found) => Ok(found),
            Err(source) => {
                let error = self.helper_failed(registry, &store, source);
                // An entry says that the user has logged in. Without one, most likely there is nothing in the store.
                if entry.is_some() {
                    return Err(error);
                }
                warn!("going on without credentials: {error}");
                Ok(None)
            }
        }
    }

    fn helper_failed(&self, registry: &str, helper: &str, source: HelperError) -> AuthError {
        AuthError::Helper {
            path: self.path.clone(),
            registry: registry.to_owned(),
            helper: helper.to_owned(),
            source,
        }
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
        let plain = || {
            let username = entry.username.clone().filter(|username| !username.is_empty())?;
            Some((username, entry.password.clone()?))
        };
        let pair = decoded
            .split_once(':')
            .map(|(username, password)| (username.to_owned(), password.trim_matches('\0').to_owned()))
            .or_else(plain);
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

/// What docker calls a registry in a credential store.
fn name_in_store(registry: &str) -> &str {
    match canonical_host(registry) {
        "index.docker.io" => "https://index.docker.io/v1/",
        _ => registry,
    }
}
