//! Certificates for registries: the `certs.d` folders (TL-01 to TL-03).

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use longshore_types::ErrorKind;
use tracing::debug;

use crate::environment::Environment;

/// Largest certificate or key file that is read, in bytes: the system's whole bundle has a quarter of it.
const MAX_FILE: u64 = 1 << 20;

/// What a registry's certificate folder holds. It never shows a key in `Debug`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The `*.crt` files, which are trusted in addition to the system's roots, in the order of their names.
    pub roots: Vec<PemFile>,
    /// The `*.cert` files with their keys, in the order of their names.
    pub clients: Vec<ClientCertificate>,
}

/// A file that should hold PEM; nobody has looked into it yet.
#[derive(Clone, PartialEq, Eq)]
pub struct PemFile {
    /// Where it lies.
    pub path: PathBuf,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for PemFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PemFile").field(&self.path).finish()
    }
}

/// A certificate that proves who we are, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// `NAME.cert`
    pub certificate: PemFile,
    /// `NAME.key`
    pub key: PemFile,
}

/// Why a certificate folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The folder or a file in it cannot be read.
    #[error("reading {}: {source}", path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is far larger than certificates are.
    #[error("{}: the file is larger than the limit of {MAX_FILE} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A client certificate without its key.
    #[error(
        "missing key {key} for client certificate {certificate} in {}. Note that CA certificates should use the \
         extension .crt",
        folder.display()
    )]
    NoKey {
        /// The folder.
        folder: PathBuf,
        /// The name of the certificate.
        certificate: String,
        /// The name of the key that is not there.
        key: String,
    },
    /// A key without its client certificate.
    #[error("missing client certificate {certificate} for key {key} in {}", folder.display())]
    NoCertificate {
        /// The folder.
        folder: PathBuf,
        /// The name of the certificate that is not there.
        certificate: String,
        /// The name of the key.
        key: String,
    },
}

impl CertificateError {
    /// What kind of failure this is, to steer by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => ErrorKind::AccessDenied,
            Self::Read { .. } => ErrorKind::Other,
            Self::TooLarge { .. } | Self::NoKey { .. } | Self::NoCertificate { .. } => ErrorKind::InvalidData,
        }
    }
}

impl CertificateFiles {
    /// The certificates for `HOST[:PORT]`, written exactly as references have it: those in `explicit` if given, else
    /// those in the first folder of the usual places that exists. No folder is no error, and neither is one that we
    /// are not allowed to look into.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or one of a pair is missing.
    pub fn load(explicit: Option<&Path>, registry: &str, environment: &Environment) -> Result<Self, CertificateError> {
        let folder = match explicit {
            Some(folder) => Some(folder.to_path_buf()),
            None => environment
                .certificate_folders()
                .into_iter()
                .map(|folder| folder.join(registry))
                .find(|folder| folder.is_dir()),
        };
        folder.map_or_else(|| Ok(Self::default()), |folder| Self::read(&folder))
    }

    fn read(folder: &Path) -> Result<Self, CertificateError> {
        let names = match names(folder) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                debug!(
                    "going on without the certificates in {}, which must not be read",
                    folder.display()
                );
                return Ok(Self::default());
            }
            Err(source) => {
                let path = folder.to_path_buf();
                return Err(CertificateError::Read { path, source });
            }
        };
        let has = |name: &str| names.iter().any(|known| known == name);
        let mut files = Self::default();
        for name in &names {
            if name.ends_with(".crt") {
                files.roots.push(read_pem(folder.join(name))?);
            } else if let Some(base) = name.strip_suffix(".cert") {
                let key = format!("{base}.key");
                if !has(&key) {
                    return Err(CertificateError::NoKey {
                        folder: folder.to_path_buf(),
                        certificate: name.clone(),
                        key,
                    });
                }
                files.clients.push(ClientCertificate {
                    certificate: read_pem(folder.join(name))?,
                    key: read_pem(folder.join(key))?,
                });
            } else if let Some(base) = name.strip_suffix(".key") {
                let certificate = format!("{base}.cert");
                if !has(&certificate) {
                    return Err(CertificateError::NoCertificate {
                        folder: folder.to_path_buf(),
                        certificate,
                        key: name.clone(),
                    });
                }
            }
        }
        Ok(files)
    }
}

/// The names in a folder that are text, sorted; others cannot end as certificates do.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

fn read_pem(path: PathBuf) -> Result<PemFile, CertificateError> {
    let read = || {
        use io::Read as _;
        let mut bytes = Vec::new();
        fs::File::open(&path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) if bytes.len() as u64 > MAX_FILE => Err(CertificateError::TooLarge { path }),
        Ok(bytes) => Ok(PemFile { path, bytes }),
        Err(source) => Err(CertificateError::Read { path, source }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tempfile::TempDir;

    use super::*;

    fn folder(names: &[&str]) -> TempDir {
        let folder = TempDir::new().unwrap();
        for name in names {
            fs::write(folder.path().join(name), name).unwrap();
        }
        folder
    }

    fn base_names(files: &CertificateFiles) -> Vec<String> {
        let clients = files
            .clients
            .iter()
            .flat_map(|client| [&client.certificate, &client.key]);
        let all = files.roots.iter().chain(clients);
        all.map(|file| String::from_utf8(file.bytes.clone()).unwrap()).collect()
    }

    #[test]
    fn kinds_are_told_by_their_endings() {
        type Names = &'static [&'static str];
        let cases: [(Names, Result<Names, &str>); 8] = [
            (&[], Ok(&[])),
            (&["b.crt", "a.crt"], Ok(&["a.crt", "b.crt"])),
            (&["c.key", "c.cert", "a.crt"], Ok(&["a.crt", "c.cert", "c.key"])),
            (&["README", "x.pem", "crt", "cert"], Ok(&[])),
            (
                &["c.cert"],
                Err("missing key c.key for client certificate c.cert in DIR. \
                     Note that CA certificates should use the extension .crt"),
            ),
            (
                &["c.key"],
                Err("missing client certificate c.cert for key c.key in DIR"),
            ),
            (
                &["a.cert", "a.key", "b.key"],
                Err("missing client certificate b.cert for key b.key in DIR"),
            ),
            (
                &["a.cert", "a.key", "b.cert", "b.key"],
                Ok(&["a.cert", "a.key", "b.cert", "b.key"]),
            ),
        ];
        for (names, expected) in cases {
            let folder = folder(names);
            let read = CertificateFiles::load(Some(folder.path()), "h", &Environment::empty("/"));
            let found = read.map(|files| base_names(&files)).map_err(|error| error.to_string());
            let shown = folder.path().display().to_string();
            let expected = expected
                .map(|names| names.iter().map(ToString::to_string).collect())
                .map_err(|text| text.replace("DIR", &shown));
            assert_eq!(found, expected, "{names:?}");
        }
    }

    #[test]
    fn the_first_folder_of_the_host_is_taken_as_a_whole() {
        let root = TempDir::new().unwrap();
        let places = [
            "home/.config/containers/certs.d",
            "etc/containers/certs.rootless.d/7",
            "etc/containers/certs.rootless.d",
            "etc/containers/certs.d",
            "usr/share/containers/certs.rootless.d/7",
            "usr/share/containers/certs.rootless.d",
            "usr/share/containers/certs.d",
            "etc/docker/certs.d",
        ];
        let environment = Environment::empty(root.path())
            .with("HOME", root.path().join("home"))
            .with_user_id(7);
        let load = |host| CertificateFiles::load(None, host, &environment).unwrap();
        assert_eq!(load("h:5000"), CertificateFiles::default());
        for place in places.iter().rev() {
            let folder = root.path().join(place).join("h:5000");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("ca.crt"), place).unwrap();
            assert_eq!(base_names(&load("h:5000")), [*place]);
            for other in ["h", "h:5001", "o:5000"] {
                assert_eq!(load(other), CertificateFiles::default(), "{place} {other}");
            }
        }
    }

    #[test]
    fn root_has_a_folder_of_its_own() {
        let environment = Environment::empty("/").with_user_id(0);
        let expected = [
            "/etc/containers/certs.rootful.d",
            "/etc/containers/certs.d",
            "/usr/share/containers/certs.rootful.d",
            "/usr/share/containers/certs.d",
            "/etc/docker/certs.d",
        ];
        assert_eq!(environment.certificate_folders(), expected.map(PathBuf::from));
    }

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let folder = folder(&[]);
        fs::create_dir(folder.path().join("ca.crt")).unwrap();
        let load = || CertificateFiles::load(Some(folder.path()), "h", &Environment::empty("/"));
        assert!(load().unwrap_err().to_string().contains("ca.crt"));
        fs::remove_dir(folder.path().join("ca.crt")).unwrap();
        fs::write(folder.path().join("ca.crt"), vec![b'x'; MAX_FILE as usize + 1]).unwrap();
        let error = load().unwrap_err();
        assert!(matches!(error, CertificateError::TooLarge { .. }), "{error}");
        let missing = CertificateFiles::load(Some(Path::new("/nowhere/at/all")), "h", &Environment::empty("/"));
        assert_eq!(missing.unwrap(), CertificateFiles::default());
    }

    #[test]
    fn debug_hides_keys() {
        let folder = folder(&["secret.cert", "secret.key"]);
        fs::write(folder.path().join("secret.key"), "hunter2").unwrap();
        let files = CertificateFiles::load(Some(folder.path()), "h", &Environment::empty("/")).unwrap();
        let bytes = format!("{:?}", b"hunter2");
        let shown = format!("{files:?}");
        assert!(!shown.contains("hunter2") && !shown.contains(bytes.trim_matches(['[', ']'])));
    }
}
