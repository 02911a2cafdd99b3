//! What a reference needs, and what was granted of it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::http::HttpWish;
use crate::limits;
use crate::transport::Purpose;

/// Settings of one side of a copy that plugins may ask for by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<String, String>,
    insecure: bool,
}

impl Settings {
    /// Directory of blobs shared by several layouts (F-10).
    pub const SHARED_BLOB_DIR: &'static str = "shared-blob-dir";

    /// More names for the image that is written, separated by single spaces (CP-01).
    pub const ADDITIONAL_TAGS: &'static str = "additional-tags";

    /// OS of this machine, as in image configs.
    pub const HOST_OS: &'static str = "host-os";

    /// Architecture of this machine, as in image configs.
    pub const HOST_ARCHITECTURE: &'static str = "host-architecture";

    /// Folder of the images of `containers-storage`.
    pub const STORAGE_ROOT: &'static str = "storage-root";

    /// Folder of what lives there until the machine is started anew.
    pub const STORAGE_RUN_ROOT: &'static str = "storage-run-root";

    /// How layers are kept there, if that is configured.
    pub const STORAGE_DRIVER: &'static str = "storage-driver";

    /// Options of the driver, separated by commas.
    pub const STORAGE_OPTIONS: &'static str = "storage-options";

    /// Folders of further images that are only read, one a line.
    pub const STORAGE_IMAGE_STORES: &'static str = "storage-image-stores";

    /// URL of a daemon (F-11).
    pub const DAEMON_HOST: &'static str = "daemon-host";

    /// Folder of certificates for connections (F-08).
    pub const CERT_DIR: &'static str = "cert-dir";

    /// Adds or replaces a setting.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.values.insert(key.to_owned(), value.into());
        self
    }

    /// Has certificates of servers not verified (F-09). No plugin can ask for that.
    #[must_use]
    pub fn without_tls_verification(mut self) -> Self {
        self.insecure = true;
        self
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    pub(crate) fn is_insecure(&self) -> bool {
        self.insecure
    }
}

/// How a directory or file may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It must exist and is not changed.
    Read,
    /// It must exist.
    Write,
    /// It is made if it is missing.
    Create,
    /// It is replaced as a whole when the operation succeeds.
    Replace,
    /// A file that must exist and is not changed.
    ReadFile {
        /// A compressed one is decompressed for the plugin.
        inflate: bool,
    },
    /// A file that comes to be when the operation succeeds.
    NewFile {
        /// It may take the place of another one.
        replace: bool,
    },
}

impl Access {
    /// Whether an operation may have it: what is only read is not changed, and what something is removed from is not
    /// replaced.
    pub(crate) fn serves(self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Source | Purpose::Enumerate => matches!(self, Self::Read | Self::ReadFile { .. }),
            Purpose::Delete => matches!(self, Self::Read | Self::Write | Self::ReadFile { .. }),
            Purpose::Destination => true,
        }
    }
}

/// A directory or file that a plugin asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What the plugin calls it.
    pub label: String,
    /// As it stands in the reference or a setting.
    pub path: PathBuf,
    /// What may be done with it.
    pub access: Access,
    /// Whether owners, modes, extended attributes, links and nodes come with it.
    pub posix: bool,
}

impl Grant {
    /// Whether it is a file.
    pub fn is_file(&self) -> bool {
        matches!(self.access, Access::ReadFile { .. } | Access::NewFile { .. })
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = match self.access {
            Access::Read => "read",
            Access::Write => "read and write",
            Access::Create => "read and write, made if missing",
            Access::Replace => "replaced as a whole",
            Access::ReadFile { .. } => "read",
            Access::NewFile { replace: false } => "made",
            Access::NewFile { replace: true } => "made or replaced",
        };
        let kind = if self.is_file() { "file" } else { "directory" };
        let extra = if self.posix { ", with all that POSIX has" } else { "" };
        write!(formatter, "{kind} {} ({access}{extra})", self.path.display())
    }
}

/// What `parse` put together; a resource of the guest until it returns.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Plan {
    pub(crate) settings: Arc<Settings>,
    grants: Vec<Grant>,
    http: Vec<HttpWish>,
}

/// What a plan holds in the end.
pub(crate) struct Wishes {
    pub(crate) grants: Vec<Grant>,
    pub(crate) http: Vec<HttpWish>,
}

impl Plan {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            grants: Vec::new(),
            http: Vec::new(),
        }
    }

    /// An error is a trap.
    pub(crate) fn add(&mut self, label: String, path: String, access: Access) -> Result<(), String> {
        self.check_label(&label)?;
        self.grants.push(Grant {
            label,
            path: PathBuf::from(path),
            access,
            posix: false,
        });
        Ok(())
    }

    /// Asks for more of a directory that is on the plan. An error is a trap.
    pub(crate) fn add_posix(&mut self, label: &str) -> Result<(), String> {
        let is_directory = |grant: &&mut Grant| {
            grant.label == label && matches!(grant.access, Access::Read | Access::Write | Access::Create)
        };
        match self.grants.iter_mut().find(is_directory) {
            Some(grant) => {
                grant.posix = true;
                Ok(())
            }
            None => Err(format!(
                "asked for the POSIX extra of {label:?}, which is no directory of the plan"
            )),
        }
    }

    /// An error is a trap.
    pub(crate) fn add_http(&mut self, wish: HttpWish) -> Result<(), String> {
        self.check_label(&wish.label)?;
        self.http.push(wish);
        Ok(())
    }

    fn check_label(&self, label: &str) -> Result<(), String> {
        let mut labels = self.grants.iter().map(|grant| &grant.label);
        let mut http_labels = self.http.iter().map(|wish| &wish.label);
        if labels.len() + http_labels.len() == limits::GRANTS {
            return Err(format!("asked for more than {} things", limits::GRANTS));
        }
        if labels.any(|taken| taken == label) || http_labels.any(|taken| taken == label) {
            return Err(format!("asked twice for {label:?}"));
        }
        Ok(())
    }

    pub(crate) fn into_wishes(self) -> Wishes {
        Wishes {
            grants: self.grants,
            http: self.http,
        }
    }
}

/// Whether a path stands in what the user typed: it is the reference, or one of
/// the parts between its separators, or the value of a setting that is a path.
pub(crate) fn is_named_by_user(path: &Path, reference: &str, settings: &Settings) -> bool {
    let Some(path) = path.to_str().filter(|path| !path.is_empty()) else {
        return false;
    };
    reference == path
        || reference.split([':', ',', '@', '+', '[', ']']).any(|part| part == path)
        || settings.get(Settings::SHARED_BLOB_DIR) == Some(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_what_the_user_typed_is_granted_to_strangers() {
        let settings = Settings::default()
            .with("shared-blob-dir", "/pool")
            .with("additional-tags", "/tags");
        for (path, reference, named) in [
            ("/a/b", "/a/b", true),
            ("/a/b", "/a/b:tag", true),
            ("/a", "/a/b:tag", false),
            ("/a/b", "x,/a/b", true),
            ("/", "/a/b", false),
            ("", "/a/b:", false),
            ("/pool", "/a", true),
            ("/poo", "/a", false),
            ("/tags", "/a", false),
            ("-", "-", true),
            ("-", "-:tag", true),
            ("-", "/a", false),
            ("tag", "/a/b:tag", true),
            ("/etc/passwd", "/a/b", false),
        ] {
            assert_eq!(
                is_named_by_user(Path::new(path), reference, &settings),
                named,
                "{path} in {reference}"
            );
        }
    }

    #[test]
    fn plans_are_bounded() {
        let mut plan = Plan::new(Arc::default());
        for index in 0..limits::GRANTS {
            plan.add(index.to_string(), String::new(), Access::Read).unwrap();
        }
        assert!(plan.add("more".to_owned(), String::new(), Access::Read).is_err());
        let mut plan = Plan::new(Arc::default());
        plan.add("a".to_owned(), String::new(), Access::Read).unwrap();
        assert!(plan.add("a".to_owned(), String::new(), Access::Read).is_err());
    }

    #[test]
    fn the_extra_is_one_of_a_directory() {
        let mut plan = Plan::new(Arc::default());
        plan.add("dir".to_owned(), "/d".to_owned(), Access::Write).unwrap();
        plan.add("new".to_owned(), "/n".to_owned(), Access::Replace).unwrap();
        plan.add("file".to_owned(), "/f".to_owned(), Access::ReadFile { inflate: false })
            .unwrap();
        for (label, good) in [("dir", true), ("new", false), ("file", false), ("none", false)] {
            assert_eq!(plan.add_posix(label).is_ok(), good, "{label}");
        }
        let shown: Vec<_> = plan.into_wishes().grants.iter().map(ToString::to_string).collect();
        assert_eq!(shown[0], "directory /d (read and write, with all that POSIX has)");
        assert_eq!(shown[1], "directory /n (replaced as a whole)");
    }
}
