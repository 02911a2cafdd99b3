//! What signs images for sigstore, in a file of parameters (SS-19; containers-sigstore-signing-params.yaml(5)).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use longshore_types::ErrorKind;
use serde::Deserialize;

/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The parameters of a signer. The keys are those of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SigstoreParameters {
    /// `privateKeyFile`.
    pub private_key_file: PathBuf,
    /// `privateKeyPassphraseFile`; none: the passphrase is asked for.
    pub private_key_passphrase_file: Option<PathBuf>,
    /// `rekorURL`: the log that is to keep each signature.
    pub rekor_url: Option<String>,
}

/// Why the parameters cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigstoreParametersError {
    /// The file cannot be read.
    #[error("reading parameter file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file does not follow the grammar, or what it says does not fit together.
    #[error("parsing parameter file {}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        reason: String,
    },
    /// A way of signing that is not there.
    #[error("parameter file {}: {key} is not supported", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The key that asks for it.
        key: &'static str,
    },
}

impl SigstoreParametersError {
    /// What kind of failure this is, to steer by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => ErrorKind::AccessDenied,
            Self::Read { .. } => ErrorKind::Other,
            Self::Invalid { .. } => ErrorKind::InvalidData,
            Self::Unsupported { .. } => ErrorKind::Unsupported,
        }
    }
}

/// The file as it is written.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Document {
    private_key_file: Option<String>,
    private_key_passphrase_file: Option<String>,
    fulcio: Option<Fulcio>,
    #[serde(rename = "rekorURL")]
    rekor_url: Option<String>,
}

/// A certificate for a key of one signature. It is read to tell a mistake in the file from what is not supported.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fulcio {
    #[serde(rename = "fulcioURL")]
    url: Option<String>,
    #[serde(rename = "oidcMode")]
    mode: Option<String>,
    #[serde(rename = "oidcIssuerURL")]
    issuer_url: Option<String>,
    #[serde(rename = "oidcClientID")]
    client_id: Option<String>,
    #[serde(rename = "oidcClientSecret")]
    client_secret: Option<String>,
    #[serde(rename = "oidcIDToken")]
    id_token: Option<String>,
}

impl SigstoreParameters {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// It cannot be read, has keys that nobody knows, names no private key, or asks for a certificate.
    pub fn load(path: &Path) -> Result<Self, SigstoreParametersError> {
        let document = parse(path)?;
        let unsupported = |key| SigstoreParametersError::Unsupported {
            path: path.to_owned(),
            key,
        };
        if document.fulcio.is_some() {
            return Err(unsupported("fulcio"));
        }
        let file = |name: Option<String>| name.filter(|name| !name.is_empty()).map(PathBuf::from);
        let Some(private_key_file) = file(document.private_key_file) else {
            return Err(SigstoreParametersError::Invalid {
                path: path.to_owned(),
                reason: "no private key source provided (neither a private key nor Fulcio)".to_owned(),
            });
        };
        Ok(Self {
            private_key_file,
            private_key_passphrase_file: file(document.private_key_passphrase_file),
            rekor_url: document.rekor_url.filter(|url| !url.is_empty()),
        })
    }
}

fn parse(path: &Path) -> Result<Document, SigstoreParametersError> {
    let invalid = |reason: String| SigstoreParametersError::Invalid {
        path: path.to_owned(),
        reason,
    };
    let read = || {
        let mut text = String::new();
        File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = read().map_err(|source| SigstoreParametersError::Read {
        path: path.to_owned(),
        source,
    })?;
    if text.len() as u64 > MAX_FILE {
        return Err(invalid(format!("larger than the limit of {MAX_FILE} bytes")));
    }
    let document: Result<Option<Document>, _> = serde_saphyr::from_str(&text);
    match document {
        Ok(document) => Ok(document.unwrap_or_default()),
        // The whole message would quote lines of the file, which may have secrets of other parts.
        Err(error) => Err(invalid(error.without_snippet().to_string())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tempfile::TempDir;

    use super::*;

    fn load(text: &str) -> Result<SigstoreParameters, String> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("parameters");
        std::fs::write(&path, text).unwrap();
        let loaded = SigstoreParameters::load(&path);
        loaded.map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
    }

    #[test]
    fn keys() {
        for (text, passphrase, rekor_url) in [
            ("privateKeyFile: /key\n", None, None),
            (
                "privateKeyFile: /key\nprivateKeyPassphraseFile: /pass\nrekorURL: ''\n",
                Some("/pass"),
                None,
            ),
            (
                "privateKeyFile: /key\nrekorURL: https://r.test/x\n",
                None,
                Some("https://r.test/x"),
            ),
        ] {
            let expected = SigstoreParameters {
                private_key_file: "/key".into(),
                private_key_passphrase_file: passphrase.map(PathBuf::from),
                rekor_url: rekor_url.map(str::to_owned),
            };
            assert_eq!(load(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_refused() {
        let long = "#".repeat(usize::try_from(MAX_FILE).unwrap() + 1);
        let none = "no private key source provided";
        for (text, expected) in [
            ("", none),
            ("{}", none),
            ("privateKeyFile: ''\n", none),
            (
                "fulcio: {fulcioURL: https://f, oidcMode: staticToken}\n",
                "fulcio is not supported",
            ),
            ("fulcio: {unknown: x}\n", "parsing parameter file FILE: "),
            ("privateKeyfile: /key\n", "parsing parameter file FILE: "),
            (
                "privateKeyFile: /a\nprivateKeyFile: /b\n",
                "parsing parameter file FILE: ",
            ),
            ("privateKeyFile: [", "parsing parameter file FILE: "),
            ("- a", "parsing parameter file FILE: "),
            (&long, "larger than the limit"),
        ] {
            let error = load(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let secret = load("fulcio: {oidcIDToken: token-4711, oops: 1}\n").unwrap_err();
        assert!(!secret.contains("4711"), "{secret}");
    }
}
