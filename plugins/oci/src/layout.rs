//! Where things are in a layout.

use longshore_guest::{Context as _, Directory, Error, Lock, LockKind, Session, code};
use longshore_layout::{
    BLOBS_DIRECTORY, INDEX_FILE, Index, LAYOUT_CONTENT, LAYOUT_FILE, MAX_DOCUMENT, MAX_LAYOUT_FILE, blob_path,
    check_version,
};
use longshore_types::Digest;

/// Label of the layout's directory.
pub(crate) const LAYOUT: &str = "layout";
/// Label of the shared blob directory, if there is one.
pub(crate) const BLOBS: &str = "blobs";
/// The setting that names it (F-10).
pub(crate) const SHARED_BLOB_DIR: &str = "shared-blob-dir";

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
        let path = blob_path(digest);
        match &self.shared_blobs {
            Some(shared) => (shared, path.into_bytes()),
            None => (&self.directory, format!("{BLOBS_DIRECTORY}/{path}").into_bytes()),
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
        match self.directory.read(INDEX_FILE.as_bytes(), MAX_DOCUMENT).optional()? {
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
        let content = self.directory.read(LAYOUT_FILE.as_bytes(), MAX_LAYOUT_FILE);
        let Some(content) = content.optional()? else {
            return Ok(false);
        };
        check_version(&content).map(|()| true)
    }

    /// Changes `index.json` under its lock.
    pub(crate) fn update_index(&self, change: impl FnOnce(&mut Index)) -> Result<(), Error> {
        self.directory.make_directory(BLOBS_DIRECTORY.as_bytes())?;
        let _lock = self.directory.lock(BLOBS_DIRECTORY.as_bytes(), LockKind::Flock, true)?;
        let mut index = self.index()?.unwrap_or_default();
        change(&mut index);
        if !self.is_marked()? {
            self.directory.replace(LAYOUT_FILE.as_bytes(), LAYOUT_CONTENT)?;
        }
        self.directory.replace(INDEX_FILE.as_bytes(), &index.to_bytes()?)
    }
}
