//! Finding and reading the policy file (PO-02 to PO-05).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use longshore_types::ErrorKind;

use super::{Policy, RequirementCheck, parse};
use crate::environment::Environment;

/// Why there is no policy to go by.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// None of the places has a policy file.
    #[error("no policy.json file found at any of the following: {}", quoted(searched))]
    NotFound {
        /// Where it was looked for.
        searched: Vec<PathBuf>,
    },
    /// The policy file cannot be read.
    #[error("reading policy {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The policy does not follow the grammar.
    #[error("invalid policy{}: {reason} at line {line} column {column}", in_file(path.as_deref()))]
    Invalid {
        /// The file, if the policy came from one.
        path: Option<PathBuf>,
        /// What is wrong.
        reason: String,
        /// The line of the failure, from 1.
        line: usize,
        /// The column in bytes: where a requirement starts, or where a key or list that is wrong ends.
        column: usize,
    },
}

impl PolicyError {
    fn invalid(path: Option<&Path>, refused: parse::Refused) -> Self {
        Self::Invalid {
            path: path.map(Path::to_path_buf),
            reason: refused.reason,
            line: refused.line,
            column: refused.column,
        }
    }

    /// What kind of failure this is, to steer by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } => ErrorKind::Other,
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => ErrorKind::AccessDenied,
            Self::Read { .. } => ErrorKind::Other,
            Self::Invalid { .. } => ErrorKind::InvalidData,
        }
    }
}

fn quoted(paths: &[PathBuf]) -> String {
    let quoted: Vec<_> = paths
        .iter()
        .map(|path| format!("{:?}", path.display().to_string()))
        .collect();
    quoted.join(", ")
}

fn in_file(path: Option<&Path>) -> String {
    path.map(|path| format!(" in {:?}", path.display().to_string()))
        .unwrap_or_default()
}

impl Policy {
    /// Reads `explicit`, or else the file that `CONTAINERS_POLICY_JSON` names, or else the first that exists of the
    /// usual places.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be read or does not follow the grammar.
    pub fn load(
        explicit: Option<&Path>,
        environment: &Environment,
        check: &dyn RequirementCheck,
    ) -> Result<Self, PolicyError> {
        if let Some(path) = explicit.map(Path::to_path_buf).or_else(|| environment.policy_file()) {
            return match read(&path)? {
                Some(text) => Self::parse_file(&path, &text, check),
                None => Err(PolicyError::Read {
                    path,
                    source: io::ErrorKind::NotFound.into(),
                }),
            };
        }
        let searched = environment.policy_files();
        for path in &searched {
            if let Some(text) = read(path)? {
                return Self::parse_file(path, &text, check);
            }
        }
        Err(PolicyError::NotFound { searched })
    }

    /// Reads a policy from its JSON text (PG-01 to PG-07).
    ///
    /// # Errors
    ///
    /// The text does not follow the grammar.
    pub fn parse(text: &str, check: &dyn RequirementCheck) -> Result<Self, PolicyError> {
        parse::policy(text, check).map_err(|refused| PolicyError::invalid(None, refused))
    }

    fn parse_file(path: &Path, text: &str, check: &dyn RequirementCheck) -> Result<Self, PolicyError> {
        parse::policy(text, check).map_err(|refused| PolicyError::invalid(Some(path), refused))
    }
}

fn read(path: &Path) -> Result<Option<String>, PolicyError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(PolicyError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}
