//! Where a cluster's API server is and who asks it: kubeconfig files (AT-01; formats, section 8).

use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longshore_types::ErrorKind;
use serde::Deserialize;

use crate::certificates::{ClientCertificate, PemFile};
use crate::environment::Environment;

/// Largest file that is read, in bytes: each cluster takes a few thousand.
const MAX_FILE: u64 = 4 << 20;

/// The server that is asked if nothing says another one.
const DEFAULT_SERVER: &str = "http://localhost:8080";

/// The API server of the current context. It never shows a secret in `Debug`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiServer {
    /// Its URL.
    pub url: String,
    /// The only roots to trust; none: the system's.
    pub roots: Option<PemFile>,
    /// Whether its certificate matters.
    pub tls_verify: bool,
    /// The certificate that proves who we are, and its key.
    pub client: Option<ClientCertificate>,
    /// What else proves it.
    pub credentials: Option<ApiCredentials>,
}

/// What an API server wants to see of a user. It never shows its secret in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum ApiCredentials {
    /// A token that is sent as it is.
    Token(String),
    /// A name and a password.
    Basic {
        /// The user's name.
        username: String,
        /// The user's password.
        password: String,
    },
}

impl fmt::Debug for ApiCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token(..)"),
            Self::Basic { username, .. } => f
                .debug_struct("Basic")
                .field("username", username)
                .finish_non_exhaustive(),
        }
    }
}

/// Why the files cannot be used. None of the texts quotes their contents but names.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KubeconfigError {
    /// A file that is there, or one that it names, cannot be read.
    #[error("reading {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is far larger than such files are.
    #[error("{}: the file is larger than the limit of {MAX_FILE} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A file is not YAML, or not of the right form.
    #[error("Error loading config file {:?}: it is no kubeconfig file{place}", path.display().to_string())]
    Form {
        /// The file.
        path: PathBuf,
        /// Where in it, if that is known.
        place: String,
    },
    /// What a file says does not fit together.
    #[error("invalid configuration: {reason} ({})", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl KubeconfigError {
    /// What kind of failure this is, to steer by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => ErrorKind::AccessDenied,
            Self::Read { .. } => ErrorKind::Other,
            Self::TooLarge { .. } | Self::Form { .. } | Self::Invalid { .. } => ErrorKind::InvalidData,
        }
    }
}

/// One file, as it is written. A null says nothing.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Document {
    clusters: Option<Vec<NamedCluster>>,
    users: Option<Vec<NamedUser>>,
    contexts: Option<Vec<NamedContext>>,
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    #[serde(default)]
    cluster: Option<Cluster>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    #[serde(default)]
    user: Option<User>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    #[serde(default)]
    context: Option<Context>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Cluster {
    server: Option<String>,
    #[serde(rename = "insecure-skip-tls-verify")]
    insecure: Option<bool>,
    certificate_authority: Option<String>,
    certificate_authority_data: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct User {
    token: Option<String>,
    username: Option<String>,
    password: Option<String>,
    client_certificate: Option<String>,
    client_certificate_data: Option<String>,
    client_key: Option<String>,
    client_key_data: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Context {
    cluster: Option<String>,
    user: Option<String>,
}

/// Something with a name, and the file that says it.
struct Found<T> {
    name: String,
    path: PathBuf,
    value: T,
}

impl ApiServer {
    /// Reads the files that `environment` names; those that are not there say nothing, and of two that say something of
    /// the same name the first one counts.
    ///
    /// # Errors
    ///
    /// A file cannot be read or parsed, or what is said of the current context does not fit together.
    pub fn load(environment: &Environment) -> Result<Self, KubeconfigError> {
        let mut files = Vec::new();
        for path in environment.kubeconfig_files() {
            if let Some(document) = read(&path)? {
                files.push((path, document));
            }
        }
        let current = files
            .iter()
            .find_map(|(_, document)| set(document.current_context.clone()));
        let current = current.unwrap_or_default();
        let contexts = files
            .iter_mut()
            .flat_map(|(_, document)| document.contexts.take().unwrap_or_default());
        let context = contexts.into_iter().find(|context| context.name == current);
        let context = context.and_then(|found| found.context).unwrap_or_default();
        let cluster = files.iter_mut().find_map(|(path, document)| {
            let clusters = document.clusters.take().unwrap_or_default().into_iter();
            let found = named(
                clusters.map(|entry| (entry.name, entry.cluster)),
                context.cluster.as_deref(),
            );
            found.map(|(name, value)| Found {
                name,
                path: path.clone(),
                value,
            })
        });
        let user = files.iter_mut().find_map(|(path, document)| {
            let users = document.users.take().unwrap_or_default().into_iter();
            let found = named(users.map(|entry| (entry.name, entry.user)), context.user.as_deref());
            found.map(|(name, value)| Found {
                name,
                path: path.clone(),
                value,
            })
        });
        Self::of(cluster, user)
    }

    fn of(cluster: Option<Found<Cluster>>, user: Option<Found<User>>) -> Result<Self, KubeconfigError> {
        let server = cluster.as_ref().and_then(|cluster| set(cluster.value.server.clone()));
        let mut url = server.unwrap_or_else(|| DEFAULT_SERVER.to_owned());
        if !url.contains("://") {
            url = format!("http://{url}");
        }
        let mut found = Self {
            url,
            roots: None,
            tls_verify: true,
            client: None,
            credentials: None,
        };
        // Nothing secret goes over plain HTTP.
        if !found.url.starts_with("https://") {
            return Ok(found);
        }
        if let Some(cluster) = cluster {
            let what = ["certificate-authority", "certificate-authority-data"];
            let Cluster {
                insecure,
                certificate_authority,
                certificate_authority_data,
                ..
            } = &cluster.value;
            found.tls_verify = !insecure.unwrap_or_default();
            found.roots = pem(&cluster, what, certificate_authority, certificate_authority_data)?;
        }
        if let Some(user) = user {
            found.client = client(&user)?;
            found.credentials = credentials(user)?;
        }
        Ok(found)
    }
}

fn named<T>(mut entries: impl Iterator<Item = (String, Option<T>)>, name: Option<&str>) -> Option<(String, T)> {
    let name = name?;
    let (name, value) = entries.find(|(known, _)| known == name)?;
    value.map(|value| (name, value))
}

fn client(user: &Found<User>) -> Result<Option<ClientCertificate>, KubeconfigError> {
    let User {
        client_certificate,
        client_certificate_data,
        client_key,
        client_key_data,
        ..
    } = &user.value;
    let what = ["client-certificate", "client-certificate-data"];
    let Some(certificate) = pem(user, what, client_certificate, client_certificate_data)? else {
        return Ok(None);
    };
    match pem(user, ["client-key", "client-key-data"], client_key, client_key_data)? {
        Some(key) => Ok(Some(ClientCertificate { certificate, key })),
        None => Err(user.invalid(format!(
            "client-key-data or client-key must be specified for {} to use the clientCert authentication method",
            user.name
        ))),
    }
}

fn credentials(user: Found<User>) -> Result<Option<ApiCredentials>, KubeconfigError> {
    let invalid = user.invalid(format!(
        "more than one authentication method found for {}; found [token basicAuth], only one is allowed",
        user.name
    ));
    let User {
        token,
        username,
        password,
        ..
    } = user.value;
    match (set(token), set(username), set(password)) {
        (None, None, None) => Ok(None),
        (Some(token), None, None) => Ok(Some(ApiCredentials::Token(token))),
        (None, username, password) => Ok(Some(ApiCredentials::Basic {
            username: username.unwrap_or_default(),
            password: password.unwrap_or_default(),
        })),
        (Some(_), ..) => Err(invalid),
    }
}

impl<T> Found<T> {
    fn invalid(&self, reason: String) -> KubeconfigError {
        KubeconfigError::Invalid {
            path: self.path.clone(),
            reason,
        }
    }
}

/// What stands in another file, whose name is relative to that of this one, or in this one as base64.
fn pem<T>(
    found: &Found<T>,
    [file_key, data_key]: [&str; 2],
    file: &Option<String>,
    data: &Option<String>,
) -> Result<Option<PemFile>, KubeconfigError> {
    let name = &found.name;
    match (set(file.clone()), set(data.clone())) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(found.invalid(format!("{data_key} and {file_key} are both specified for {name}"))),
        (Some(file), None) => {
            let path = found.path.parent().unwrap_or(Path::new("")).join(file);
            match read_bytes(&path)? {
                Some(bytes) => Ok(Some(PemFile { path, bytes })),
                None => Err(KubeconfigError::Read {
                    path,
                    source: io::ErrorKind::NotFound.into(),
                }),
            }
        }
        (None, Some(data)) => {
            let data: String = data.split_ascii_whitespace().collect();
            let bytes = STANDARD.decode(data);
            // What is wrong with it could be told only by quoting it.
            let bytes = bytes.map_err(|_| found.invalid(format!("{data_key} of {name} is no base64")))?;
            let path = found.path.clone();
            Ok(Some(PemFile { path, bytes }))
        }
    }
}

fn set(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn read(path: &Path) -> Result<Option<Document>, KubeconfigError> {
    let Some(bytes) = read_bytes(path)? else {
        return Ok(None);
    };
    let form = |place: String| KubeconfigError::Form {
        path: path.to_owned(),
        place,
    };
    let text = String::from_utf8(bytes).map_err(|_| form(String::new()))?;
    // The parser's own words may quote a secret.
    let document: Option<Document> = serde_saphyr::from_str(&text).map_err(|error| {
        let place = error.location();
        form(place.map_or_else(String::new, |at| {
            format!(" at line {} column {}", at.line(), at.column())
        }))
    })?;
    Ok(Some(document.unwrap_or_default()))
}

/// The bytes of a file, if it is there.
fn read_bytes(path: &Path) -> Result<Option<Vec<u8>>, KubeconfigError> {
    let read = || {
        // Opening a FIFO would wait for its writer.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) if bytes.len() as u64 > MAX_FILE => Err(KubeconfigError::TooLarge { path: path.to_owned() }),
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(KubeconfigError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests;
