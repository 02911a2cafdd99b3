//! Where the signatures of images in registries are kept: the `registries.d` folder (RD-01 to RD-06).

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use longshore_types::ErrorKind;
use serde::Deserialize;

use crate::environment::Environment;

/// Largest file that is read, in bytes: one entry has a few hundred.
const MAX_FILE: u64 = 1 << 20;

/// What the files of a `registries.d` folder say together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureStorage {
    default: Option<Entry>,
    scopes: BTreeMap<String, Entry>,
}

/// What signatures are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageUse {
    /// To read them.
    Read,
    /// To write or remove them.
    Write,
}

/// One file, as it is written (RD-03). Keys that are not known here are other tools' business.
#[derive(Deserialize)]
struct Document {
    #[serde(default, rename = "default-docker")]
    default: Option<Entry>,
    #[serde(default)]
    docker: Option<BTreeMap<String, Entry>>,
}

/// The settings of a scope; `sigstore` is what `lookaside` was called once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Entry {
    lookaside: Option<String>,
    lookaside_staging: Option<String>,
    sigstore: Option<String>,
    sigstore_staging: Option<String>,
    use_sigstore_attachments: Option<bool>,
}

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureStorageError {
    /// The folder or a file in it cannot be read.
    #[error("reading {}: {source}", path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not follow the grammar.
    #[error("parsing {}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        reason: String,
    },
    /// Two files say something about the same scope.
    #[error("parsing signature storage configuration: {what} defined both in {:?} and {:?}", first.display().to_string(), second.display().to_string())]
    Twice {
        /// The scope.
        what: String,
        /// The file that was read before.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
    },
}

impl SignatureStorageError {
    /// What kind of failure this is, to steer by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => ErrorKind::AccessDenied,
            Self::Read { .. } => ErrorKind::Other,
            Self::Invalid { .. } | Self::Twice { .. } => ErrorKind::InvalidData,
        }
    }
}

impl SignatureStorage {
    /// Reads all `*.yaml` of the folder that `environment` finds; without a folder nothing is configured.
    ///
    /// # Errors
    ///
    /// A file cannot be read or parsed, or two of them are about the same scope.
    pub fn load(environment: &Environment) -> Result<Self, SignatureStorageError> {
        let folder = environment.registries_d_folder();
        let mut storage = Self::default();
        let mut default_in = None;
        let mut defined_in: BTreeMap<String, PathBuf> = BTreeMap::new();
        for path in files(&folder)? {
            let Document { default, docker } = parse(&path)?;
            let twice = |what, first: PathBuf| SignatureStorageError::Twice {
                what,
                first,
                second: path.clone(),
            };
            if let Some(entry) = default {
                if let Some(first) = default_in.replace(path.clone()) {
                    return Err(twice("\"default-docker\"".to_owned(), first));
                }
                storage.default = Some(entry);
            }
            for (scope, entry) in docker.unwrap_or_default() {
                if let Some(first) = defined_in.insert(scope.clone(), path.clone()) {
                    return Err(twice(format!("\"docker\" namespace {scope:?}"), first));
                }
                storage.scopes.insert(scope, entry);
            }
        }
        Ok(storage)
    }

    /// The base URL of the lookaside storage for an image whose scopes, most specific first, are these; none if nothing
    /// is configured. A scope without such a key leaves it to the next one (RD-04).
    pub fn lookaside(&self, scopes: &[String], purpose: StorageUse) -> Option<&str> {
        self.entries(scopes).find_map(|entry| {
            let staging = [&entry.lookaside_staging, &entry.sigstore_staging];
            let staging = staging.into_iter().filter(|_| purpose == StorageUse::Write);
            let mut urls = staging.chain([&entry.lookaside, &entry.sigstore]).flatten();
            urls.find(|url| !url.is_empty()).map(String::as_str)
        })
    }

    /// Whether signatures are also kept as attachments in the registry itself (RD-10).
    pub fn uses_attachments(&self, scopes: &[String]) -> bool {
        let mut said = self.entries(scopes).map(|entry| entry.use_sigstore_attachments);
        said.find_map(|said| said).unwrap_or(false)
    }

    fn entries<'s>(&'s self, scopes: &[String]) -> impl Iterator<Item = &'s Entry> {
        let named = scopes.iter().filter_map(|scope| self.scopes.get(scope));
        named.chain(&self.default)
    }
}

/// The `*.yaml` files of a folder, sorted.
fn files(folder: &Path) -> Result<Vec<PathBuf>, SignatureStorageError> {
    let failed = |source| SignatureStorageError::Read {
        path: folder.to_path_buf(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = paths.collect::<io::Result<_>>().map_err(failed)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    Ok(paths)
}

fn parse(path: &Path) -> Result<Document, SignatureStorageError> {
    let invalid = |reason: String| SignatureStorageError::Invalid {
        path: path.to_path_buf(),
        reason,
    };
    let read = || {
        let mut text = String::new();
        fs::File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = read().map_err(|source| SignatureStorageError::Read {
        path: path.to_path_buf(),
        source,
    })?;
    if text.len() as u64 > MAX_FILE {
        return Err(invalid(format!("larger than the limit of {MAX_FILE} bytes")));
    }
    // Nothing but comments is a file that says nothing.
    let document: Option<Document> = serde_saphyr::from_str(&text).map_err(|error| invalid(error.to_string()))?;
    Ok(document.unwrap_or(Document {
        default: None,
        docker: None,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tempfile::TempDir;

    use super::*;

    fn load(files: &[(&str, &str)]) -> Result<SignatureStorage, String> {
        let root = TempDir::new().unwrap();
        let folder = root.path().join("etc/containers/registries.d");
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
        let loaded = SignatureStorage::load(&Environment::empty(root.path()));
        loaded.map_err(|error| error.to_string().replace(&format!("{}/", folder.display()), ""))
    }

    fn scopes(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn the_most_specific_scope_that_says_something_counts() {
        let storage = load(&[
            (
                "1.yaml",
                "default-docker:\n  lookaside: file:///d\n  use-sigstore-attachments: true\n",
            ),
            (
                "2.yaml",
                "docker:\n  h/a:\n    sigstore: https://old\n    sigstore-staging: file:///old\n  h/a/b:\n    \
                 use-sigstore-attachments: false\n  h/a/c:\n    lookaside: http://new\n    lookaside-staging: \
                 file:///new\n    sigstore: https://never\n",
            ),
            ("ignored.yml", "- ["),
            ("3.yaml", "# nothing\n"),
        ])
        .unwrap();
        let rows: [(&[&str], &str, &str, bool); 4] = [
            (&["other/x", "other"], "file:///d", "file:///d", true),
            (&["h/a/b:1", "h/a/b", "h/a", "h"], "https://old", "file:///old", false),
            (&["h/a/c", "h/a", "h"], "http://new", "file:///new", true),
            (&["h"], "file:///d", "file:///d", true),
        ];
        for (texts, read, write, attachments) in rows {
            let scopes = scopes(texts);
            assert_eq!(storage.lookaside(&scopes, StorageUse::Read), Some(read), "{texts:?}");
            assert_eq!(storage.lookaside(&scopes, StorageUse::Write), Some(write), "{texts:?}");
            assert_eq!(storage.uses_attachments(&scopes), attachments, "{texts:?}");
        }
        let nothing = SignatureStorage::default();
        assert_eq!(nothing.lookaside(&scopes(&["h"]), StorageUse::Read), None);
        assert!(!nothing.uses_attachments(&scopes(&["h"])));
    }

    #[test]
    fn broken_files_are_named() {
        let twice = "docker:\n  h:\n    lookaside: file:///x\n";
        let default = "default-docker:\n  lookaside: file:///x\n";
        let long = " ".repeat(usize::try_from(MAX_FILE).unwrap() + 1);
        let rows: [(&[(&str, &str)], &str); 7] = [
            (
                &[("a.yaml", twice), ("b.yaml", twice)],
                "\"docker\" namespace \"h\" defined both in \"a.yaml\" and \"b.yaml\"",
            ),
            (
                &[("a.yaml", default), ("b.yaml", default)],
                "\"default-docker\" defined both in",
            ),
            (&[("a.yaml", "docker: [")], "parsing a.yaml: "),
            (&[("a.yaml", "docker:\n  h: text\n")], "parsing a.yaml: "),
            (&[("a.yaml", "docker:\n  h:\n    lookaside: [1]\n")], "parsing a.yaml: "),
            (&[("a.yaml", "docker:\n  h: {}\n  h: {}\n")], "parsing a.yaml: "),
            (&[("a.yaml", &long)], "larger than the limit"),
        ];
        for (files, expected) in rows {
            let error = load(files).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_folder_that_is_none_is_named() {
        let root = TempDir::new().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let environment = Environment::empty("/").with_registries_d(Some(file.clone()));
        let error = SignatureStorage::load(&environment).unwrap_err();
        assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
        let environment = Environment::empty("/").with_registries_d(Some(root.path().join("none")));
        assert_eq!(
            SignatureStorage::load(&environment).unwrap(),
            SignatureStorage::default()
        );
    }
}
