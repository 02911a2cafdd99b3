use longshore_guest::{Context as _, Directory, Error, Lock, LockKind, Session, Staged, code};
use longshore_ostree::{Checksum, Commit};

use crate::config::{self, Mode};

/// The label of the repository.
pub(crate) const REPOSITORY: &str = "repository";

const LOCK: &[u8] = b".lock";
const MAX_CONFIG: u32 = 64 << 10;
/// Bytes of a reference and some space behind it.
const MAX_REFERENCE: u32 = 256;
/// Largest commit or directory that is read. Other programs read 10 MiB or 128 MiB, by their age.
const MAX_OBJECT: u64 = 32 << 20;

/// An opened repository, from which nobody removes objects.
pub(crate) struct Repository {
    pub(crate) directory: Directory,
    pub(crate) mode: Mode,
    path: String,
    /// `ostree prune` waits for it. A reader has none where there is no file to lock, or one that it may not open.
    _lock: Option<Lock>,
}

impl Repository {
    /// # Errors
    ///
    /// `invalid-data` for what is no repository, `unsupported` for one of another kind.
    pub(crate) fn to_read(session: &Session) -> Result<Self, Error> {
        Self::open(session, |directory| {
            match directory.lock(LOCK, LockKind::Ofd, false).optional() {
                Err(error) if error.code == code::ACCESS_DENIED => Ok(None),
                locked => locked,
            }
        })
    }

    /// # Errors
    ///
    /// As [`Repository::to_read`], and if it cannot be locked.
    pub(crate) fn to_write(session: &Session) -> Result<Self, Error> {
        Self::open(session, |directory| {
            let lock = || directory.lock(LOCK, LockKind::Ofd, false);
            if let Some(locked) = lock().optional()? {
                return Ok(Some(locked));
            }
            match Staged::publish(directory.stage()?, directory, LOCK, false) {
                Err(error) if error.code != code::ALREADY_EXISTS => return Err(error),
                _ => {}
            }
            lock().map(Some)
        })
    }

    fn open(session: &Session, lock: impl Fn(&Directory) -> Result<Option<Lock>, Error>) -> Result<Self, Error> {
        let directory = session.directory(REPOSITORY)?;
        let path = session.real_path(REPOSITORY)?;
        let config = directory.read(b"config", MAX_CONFIG).optional()?;
        let config = config
            .ok_or_else(|| Error::invalid_data(format_args!("{path} is no OSTree repository: it has no config")))?;
        let config = String::from_utf8(config)
            .map_err(|error| Error::invalid_data(format_args!("{path}/config is not UTF-8: {error}")))?;
        let mode = config::mode(&config).map_err(|error| Error::unsupported(format_args!("{path}/config: {error}")))?;
        if directory.stat(b"objects").optional()?.is_none() {
            return Err(Error::invalid_data(format_args!(
                "{path} is no OSTree repository: it has no objects"
            )));
        }
        Ok(Self {
            _lock: lock(&directory)?,
            directory,
            mode,
            path,
        })
    }

    /// A commit, directory or metadata of one, and nothing else than its name says.
    ///
    /// # Errors
    ///
    /// `invalid-data` if it is missing, damaged or too large.
    pub(crate) fn object(&self, checksum: Checksum, extension: &str) -> Result<Vec<u8>, Error> {
        let path = checksum.path(extension);
        let file = self.directory.open(&path, false).optional()?;
        let file = file.ok_or_else(|| self.invalid(checksum, extension, "missing"))?;
        let bytes = file.whole(MAX_OBJECT)?;
        if Checksum::of(&[&bytes]) != checksum {
            return Err(self.invalid(checksum, extension, "not what its name says"));
        }
        Ok(bytes)
    }

    /// The commit of a branch; none if there is no such branch.
    ///
    /// # Errors
    ///
    /// `invalid-data` for a malformed branch or commit.
    pub(crate) fn branch(&self, name: &str) -> Result<Option<Commit>, Error> {
        let path = format!("refs/heads/{name}");
        let Some(text) = self.directory.read(path.as_bytes(), MAX_REFERENCE).optional()? else {
            return Ok(None);
        };
        let checksum = std::str::from_utf8(text.trim_ascii_end())
            .ok()
            .and_then(Checksum::from_hex);
        let checksum = checksum
            .ok_or_else(|| Error::invalid_data(format_args!("{}/{path} is not the name of a commit", self.path)))?;
        let commit = Commit::parse(self.object(checksum, "commit")?);
        let commit = commit.ok_or_else(|| self.invalid(checksum, "commit", "malformed"))?;
        Ok(Some(commit))
    }

    /// What is wrong with an object.
    pub(crate) fn invalid(&self, checksum: Checksum, extension: &str, what: &str) -> Error {
        let path = checksum.path(extension);
        Error::invalid_data(format_args!(
            "{}/{} is {what}",
            self.path,
            String::from_utf8_lossy(&path)
        ))
    }
}
