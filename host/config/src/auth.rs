//! Registry credentials from the files that `login` commands write (AF-01 to AF-07).

mod file;
mod helper;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use longshore_types::{ErrorKind, Reference};

use crate::environment::Environment;
use file::AuthFile;
pub use helper::HelperError;

/// What a registry wants to see of a user. It never shows its secret in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password.
    Basic {
        /// The user's name.
        username: String,
        /// The user's password.
        password: String,
    },
    /// A token that the registry's token server exchanges for others (AU-03).
    IdentityToken {
        /// The user's name; may be empty.
        username: String,
        /// The token.
        token: String,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, username) = match self {
            Self::Basic { username, .. } => ("Basic", username),
            Self::IdentityToken { username, .. } => ("IdentityToken", username),
        };
        f.debug_struct(name).field("username", username).finish_non_exhaustive()
    }
}

/// Why credentials could not be looked up. None of the texts quotes a credentials file's content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// A credentials file exists but cannot be read.
    #[error("reading credentials file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A credentials file is not JSON of the expected shape.
    #[error("credentials file {}: {reason} at line {line} column {column}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
        /// The line of the failure, from 1.
        line: usize,
        /// The column of the failure, from 1.
        column: usize,
    },
    /// An entry's `auth` value cannot be decoded.
    #[error("credentials file {}: the \"auth\" value of {key:?} is not valid base64 of text", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The entry's key.
        key: String,
    },
    /// The program that holds the registry's credentials gives none.
    #[error("credential helper {helper:?} for {registry}, named in {}: {source}", path.display())]
    Helper {
        /// The file that names the helper.
        path: PathBuf,
        /// The registry.
        registry: String,
        /// The helper's name.
        helper: String,
        /// What is wrong.
        source: HelperError,
    },
}

impl AuthError {
    /// What kind of failure this is, to steer by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => ErrorKind::AccessDenied,
            Self::Read { .. } => ErrorKind::Other,
            Self::Format { .. } | Self::Entry { .. } => ErrorKind::InvalidData,
            Self::Helper { .. } => ErrorKind::AccessDenied,
        }
    }
}

/// The credentials files of one user, in the order in which they are asked.
///
/// Files are read when something is looked up, and only as far as needed, so that a broken file which does not matter
/// stops nobody.
#[derive(Clone, Debug)]
pub struct AuthStore {
    files: Vec<AuthFile>,
    environment: Environment,
}

impl AuthStore {
    /// Uses only `explicit`, or else only `REGISTRY_AUTH_FILE`, or else all the usual places (AF-01, AF-02).
    pub fn load(explicit: Option<&Path>, environment: &Environment) -> Self {
        let single = explicit
            .map(Path::to_path_buf)
            .or_else(|| environment.registry_auth_file());
        let files = match single {
            Some(path) => vec![AuthFile::new(path)],
            None => environment
                .auth_files()
                .into_iter()
                .map(AuthFile::new)
                .chain(environment.legacy_auth_file().map(AuthFile::legacy))
                .collect(),
        };
        Self {
            files,
            environment: environment.clone(),
        }
    }

    /// The credentials for `HOST[:PORT][/PATH]`: the most specific entry of the first file that has one (AF-04). This may
    /// run a credential helper (AF-05), and so take its time.
    ///
    /// No credentials anywhere is no error (AF-07), and neither is a file that does not exist.
    ///
    /// # Errors
    ///
    /// A file that is needed for the answer cannot be read or understood, or a credential helper that it names for the
    /// registry fails.
    pub fn lookup(&self, name: &str) -> Result<Option<Credentials>, AuthError> {
        for file in &self.files {
            if let Some(credentials) = file.lookup(name, &self.environment)? {
                return Ok(Some(credentials));
            }
        }
        Ok(None)
    }

    /// The credentials for a reference's repository, as [`lookup`](Self::lookup).
    ///
    /// # Errors
    ///
    /// As [`lookup`](Self::lookup).
    pub fn lookup_reference(&self, reference: &Reference) -> Result<Option<Credentials>, AuthError> {
        self.lookup(&reference.name())
    }
}

#[cfg(test)]
mod tests;
