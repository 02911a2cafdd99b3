//! Where things are in a layout.

use longshore_guest::{Context as _, Directory, Error, Lock, LockKind, Session, code};
use longshore_types::{Digest, LayoutReference, json::Object};

use crate::index::Index;

/// Label of the layout's directory.
pub(crate) const LAYOUT: &str = "layout";
/// Label of the shared blob directory, if there is one.
pub(crate) const BLOBS: &str = "blobs";
/// The setting that names it (F-10).
pub(crate) const SHARED_BLOB_DIR: &str = "shared-blob-dir";

pub(crate) const INDEX_FILE: &[u8] = b"index.json";
const LAYOUT_FILE: &[u8] = b"oci-layout";
const LAYOUT_CONTENT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const BLOBS_DIRECTORY: &[u8] = b"blobs";

/// Largest manifest and index that is read (PI-06).
pub(crate) const MAX_DOCUMENT: u32 = 4 << 20;
/// `oci-layout` has one short member.
const MAX_LAYOUT_FILE: u32 = 4 << 10;

/// Splits and checks the text after `oci:`.
pub(crate) fn reference(text: &str) -> Result<LayoutReference, Error> {
    LayoutReference::parse(text, false).map_err(Error::invalid_reference)
}

/// Parses a digest of a descriptor.
pub(crate) fn digest(text: &str) -> Result<Digest, Error> {
    Digest::parse(text).map_err(Error::invalid_data)
}

/// The directories of one layout.
pub(crate) struct Layout {
    pub(crate) directory: Directory,
    shared_blobs: Option<Directory>,
    /// Held for as long as the layout is in use; none where the file system
    /// has no locks and nothing is written.
    _lock: Option<Lock>,
}

impl Layout {
    /// For reading: without a lock where there can be none, such as on a
    /// read-only network file system.
    pub(crate) fn open_to_read(session: &Session) -> Result<Self, Error> {
        let directory = session.directory(LAYOUT)?;
        let lock = directory.lock(b"", LockKind::Flock, false).ok();
        Self::with(session, directory, lock)
    }

    /// For adding an image, beside others that read and add.
    pub(crate) fn open_to_add(session: &Session) -> Result<Self, Error> {
        let directory = session.directory(LAYOUT)?;
        let lock = directory.lock(b"", LockKind::Flock, false)?;
        Self::with(session, directory, Some(lock))
    }

    /// For removing images: waits until nobody else uses the layout.
    pub(crate) fn open_to_remove(session: &Session) -> Result<Self, Error> {
        let directory = session.directory(LAYOUT)?;
        let lock = directory.lock(b"", LockKind::Flock, true)?;
        Self::with(session, directory, Some(lock))
    }

    fn with(session: &Session, directory: Directory, lock: Option<Lock>) -> Result<Self, Error> {
        let shared_blobs = match session.setting(SHARED_BLOB_DIR) {
            Some(_) => Some(session.directory(BLOBS)?),
            None => None,
        };
        Ok(Self {
            directory,
            shared_blobs,
            _lock: lock,
        })
    }

    /// The directory that holds blobs, and the path of one in it.
    pub(crate) fn blob(&self, digest: &Digest) -> (&Directory, Vec<u8>) {
        match &self.shared_blobs {
            Some(shared) => (shared, format!("{}/{}", digest.algorithm(), digest.hex()).into_bytes()),
            None => (
                &self.directory,
                format!("blobs/{}/{}", digest.algorithm(), digest.hex()).into_bytes(),
            ),
        }
    }

    /// The directory that holds blobs.
    pub(crate) fn blob_directory(&self) -> &Directory {
        self.shared_blobs.as_ref().unwrap_or(&self.directory)
    }

    pub(crate) fn blobs_are_shared(&self) -> bool {
        self.shared_blobs.is_some()
    }

    /// `index.json`; none if there is no such file.
    pub(crate) fn index(&self) -> Result<Option<Index>, Error> {
        match self.directory.read(INDEX_FILE, MAX_DOCUMENT).optional()? {
            Some(bytes) => Index::parse(&bytes).map(Some),
            None => Ok(None),
        }
    }

    /// A manifest or index stored as a blob.
    pub(crate) fn document(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let (directory, path) = self.blob(digest);
        directory.read(&path, MAX_DOCUMENT).missing_is(code::BLOB_NOT_FOUND)
    }

    /// Whether `oci-layout` is there. One of another version is an error.
    pub(crate) fn is_marked(&self) -> Result<bool, Error> {
        let Some(content) = self.directory.read(LAYOUT_FILE, MAX_LAYOUT_FILE).optional()? else {
            return Ok(false);
        };
        let version: Option<String> = Object::parse(&content)
            .and_then(|object| object.get("imageLayoutVersion"))
            .map_err(|error| Error::invalid_data(format_args!("oci-layout: {error}")))?;
        match version.as_deref() {
            Some("1.0.0") => Ok(true),
            Some(other) => Err(Error::unsupported(format_args!(
                "oci-layout: unsupported imageLayoutVersion {other:?}"
            ))),
            None => Err(Error::invalid_data("oci-layout: imageLayoutVersion is missing")),
        }
    }

    /// Changes `index.json` under its lock.
    pub(crate) fn update_index(&self, change: impl FnOnce(&mut Index)) -> Result<(), Error> {
        self.directory.make_directory(BLOBS_DIRECTORY)?;
        let _lock = self.directory.lock(BLOBS_DIRECTORY, LockKind::Flock, true)?;
        let mut index = self.index()?.unwrap_or_default();
        change(&mut index);
        if !self.is_marked()? {
            self.directory.replace(LAYOUT_FILE, LAYOUT_CONTENT)?;
        }
        self.directory.replace(INDEX_FILE, &index.to_bytes()?)
    }
}
