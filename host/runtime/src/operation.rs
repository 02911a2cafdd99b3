//! What was granted to one operation: opened when it is asked for, made lasting or removed at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore_blob::{ChunkReader, ChunkSource, Durability};

use crate::files::{
    Directory, GuestResult, Input, NewFile, OpenFile, Replacement, Root, Sink, Tree, guest_error, spool,
};
use crate::grants::{Access, Grant, Settings};
use crate::http::{Client, HttpGrant};
use crate::{Error, limits};

/// The grants of one operation, opened as the guest asks for them.
pub(crate) struct Operation {
    pub(crate) reference: String,
    pub(crate) settings: Arc<Settings>,
    pub(crate) durability: Durability,
    /// Folder for files as large as an image.
    temporary: PathBuf,
    granted: BTreeMap<String, Granted>,
    /// Clients are made when they are asked for.
    http: BTreeMap<String, (HttpGrant, Option<Client>)>,
    /// Directories that were made, outermost first; removed again if the
    /// operation fails and nothing is in them.
    made: Vec<PathBuf>,
}

enum Granted {
    Directory {
        grant: Grant,
        root: Option<Arc<Root>>,
    },
    Replacement {
        grant: Grant,
        replacement: Option<Replacement>,
    },
    Input(Input),
    NewFile {
        grant: Grant,
        replace: bool,
        file: Option<NewFile>,
    },
}

impl Operation {
    pub(crate) fn new(
        reference: String,
        settings: Arc<Settings>,
        grants: Vec<Grant>,
        http: Vec<HttpGrant>,
        durability: Durability,
        temporary: PathBuf,
    ) -> Self {
        let granted = grants.into_iter().map(|grant| {
            let label = grant.label.clone();
            let granted = match grant.access {
                Access::Replace => Granted::Replacement {
                    grant,
                    replacement: None,
                },
                Access::ReadFile { inflate } => Granted::Input(Input::new(grant.path, inflate)),
                Access::NewFile { replace } => Granted::NewFile {
                    grant,
                    replace,
                    file: None,
                },
                _ => Granted::Directory { grant, root: None },
            };
            (label, granted)
        });
        Self {
            reference,
            settings,
            durability,
            temporary,
            granted: granted.collect(),
            http: http
                .into_iter()
                .map(|grant| (grant.label.clone(), (grant, None)))
                .collect(),
            made: Vec::new(),
        }
    }

    pub(crate) fn directory(&mut self, label: &str) -> GuestResult<Directory> {
        let durability = self.durability;
        match self.granted.get_mut(label) {
            None | Some(Granted::Input(_) | Granted::NewFile { .. }) => Err(not_granted(label)),
            Some(Granted::Directory { grant, root }) => {
                let opened = match root {
                    Some(opened) => Arc::clone(opened),
                    None => {
                        if grant.access == Access::Create {
                            make_missing(&grant.path, &mut self.made).map_err(for_guest)?;
                        }
                        let opened = Root::open(&grant.path, grant.access != Access::Read, durability, false);
                        Arc::clone(root.insert(opened.map_err(for_guest)?))
                    }
                };
                Directory::of(&opened)
            }
            Some(Granted::Replacement { grant, replacement }) => match replacement {
                Some(replacement) => replacement.directory(),
                None => {
                    let target = Replacement::resolve(&grant.path).map_err(for_guest)?;
                    replacement
                        .insert(Replacement::create(target, durability).map_err(for_guest)?)
                        .directory()
                }
            },
        }
    }

    /// A directory with its POSIX extra.
    pub(crate) fn tree(&mut self, label: &str) -> GuestResult<Tree> {
        match self.granted.get(label) {
            Some(Granted::Directory { grant, .. }) if grant.posix => {}
            _ => {
                return Err(guest_error(
                    "access-denied",
                    format!("nothing of POSIX was granted as {label:?}"),
                ));
            }
        }
        self.directory(label)?;
        match self.granted.get(label) {
            Some(Granted::Directory { root: Some(root), .. }) => Tree::of(root),
            _ => Err(not_granted(label)),
        }
    }

    pub(crate) fn replaced(&mut self, label: &str) -> GuestResult<Option<Directory>> {
        let Some(Granted::Replacement { grant, .. }) = self.granted.get(label) else {
            return Err(not_granted(label));
        };
        let target = Replacement::resolve(&grant.path).map_err(for_guest)?;
        match target.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            _ => {
                let root = Root::open(&target, false, self.durability, false).map_err(for_guest)?;
                Directory::of(&root).map(Some)
            }
        }
    }

    /// A file to read. `cancelled` ends the wait for a stream.
    pub(crate) fn file(
        &mut self,
        label: &str,
        cancelled: impl Fn() -> bool + Clone + Send + 'static,
    ) -> GuestResult<OpenFile> {
        match self.granted.get_mut(label) {
            Some(Granted::Input(input)) => input.open(&self.temporary, cancelled),
            _ => Err(not_granted(label)),
        }
    }

    /// A file to write. `cancelled` ends the wait for the reader of a FIFO.
    pub(crate) fn new_file(&mut self, label: &str, cancelled: &dyn Fn() -> bool) -> GuestResult<Sink> {
        let Some(Granted::NewFile { grant, replace, file }) = self.granted.get_mut(label) else {
            return Err(not_granted(label));
        };
        match file {
            Some(file) => file.sink(),
            None => file
                .insert(NewFile::create(&grant.path, *replace, self.durability, cancelled)?)
                .sink(),
        }
    }

    /// HTTP to what was granted.
    pub(crate) fn http(&mut self, label: &str) -> GuestResult<Client> {
        let Some((grant, client)) = self.http.get_mut(label) else {
            return Err(not_granted(label));
        };
        match client {
            Some(client) => Ok(client.clone()),
            None => {
                let made = Client::new(grant, self.settings.is_insecure(), limits::HTTP_STALL)?;
                Ok(client.insert(made).clone())
            }
        }
    }

    /// A stream as a temporary file. `cancelled` ends the wait for it.
    pub(crate) fn spool(&self, source: Box<dyn ChunkSource>, cancelled: &dyn Fn() -> bool) -> GuestResult<OpenFile> {
        let mut reader = ChunkReader::new(source);
        let file = spool(&mut reader, &self.temporary, cancelled, |error| {
            guest_error(crate::error::io_kind(&error).as_code(), error.to_string())
        })?;
        Ok(OpenFile::spooled(file, self.temporary.clone()))
    }

    /// The real path of what was granted. A directory that must exist is opened for it: the path is that of what will
    /// be worked on, whatever a link points to by then.
    pub(crate) fn real_path(&mut self, label: &str) -> GuestResult<String> {
        let exists =
            matches!(self.granted.get(label), Some(Granted::Directory { grant, .. }) if grant.access != Access::Create);
        if exists {
            self.directory(label)?;
        }
        let path = match self.granted.get_mut(label) {
            None => return Err(not_granted(label)),
            Some(Granted::Directory { root: Some(root), .. }) => root.path().to_owned(),
            Some(Granted::Input(input)) => input.real_path()?,
            Some(Granted::NewFile { grant, .. }) if NewFile::is_stdout(&grant.path) => PathBuf::from("/dev/stdout"),
            Some(Granted::NewFile { grant, .. }) => real_path(&grant.path)
                .ok_or_else(|| guest_error("not-found", format!("{}: no such path", grant.path.display())))?,
            Some(Granted::Directory { grant, .. } | Granted::Replacement { grant, .. }) => real_path(&grant.path)
                .ok_or_else(|| guest_error("not-found", format!("{}: no such path", grant.path.display())))?,
        };
        // Policy is looked up by it: an approximation could miss the scope that refuses the image.
        path.into_os_string().into_string().map_err(|path| {
            let path = path.to_string_lossy().into_owned();
            guest_error(
                "invalid-data",
                format!("{path}: a path that is not UTF-8 has no place in a policy"),
            )
        })
    }

    /// Has everything on disk that was published in other directories than the one that is about to name it.
    pub(crate) fn sync_published(&self) -> GuestResult<()> {
        for granted in self.granted.values() {
            if let Granted::Directory { root: Some(root), .. } = granted {
                root.sync()
                    .map_err(|error| crate::files::io_error(root.path(), &error))?;
            }
        }
        Ok(())
    }

    /// Makes everything lasting that was published, and puts new directories in
    /// their places.
    pub(crate) fn commit(&mut self) -> Result<(), Error> {
        for granted in self.granted.values_mut() {
            match granted {
                Granted::Directory { root: Some(root), .. } => {
                    root.discard_staged();
                    root.sync().map_err(Error::io(root.path()))?;
                    sync_made(&self.made, self.durability)?;
                }
                Granted::Replacement { replacement, .. } => {
                    if let Some(replacement) = replacement.take() {
                        replacement.commit()?;
                    }
                }
                Granted::NewFile { file, .. } => {
                    if let Some(file) = file.take() {
                        file.commit()?;
                    }
                }
                Granted::Directory { root: None, .. } | Granted::Input(_) => {}
            }
        }
        self.made.clear();
        Ok(())
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        // Staged files go first: they are in the directories.
        for granted in self.granted.values() {
            if let Granted::Directory { root: Some(root), .. } = granted {
                root.discard_staged();
            }
        }
        self.granted.clear();
        while let Some(path) = self.made.pop() {
            if std::fs::remove_dir(&path).is_err() {
                break;
            }
        }
    }
}

fn not_granted(label: &str) -> crate::files::GuestError {
    guest_error("access-denied", format!("nothing was granted as {label:?}"))
}

fn for_guest(error: Error) -> crate::files::GuestError {
    match &error {
        Error::Io { path, source } => crate::files::io_error(path, source),
        _ => guest_error(error.kind().as_code(), error.to_string()),
    }
}

/// Makes a directory and its missing parents, and notes which.
fn make_missing(path: &Path, made: &mut Vec<PathBuf>) -> Result<(), Error> {
    let mut missing = Vec::new();
    let mut ancestor = Some(path);
    while let Some(path) = ancestor.filter(|path| !path.as_os_str().is_empty() && !path.exists()) {
        missing.push(path.to_owned());
        ancestor = path.parent();
    }
    for path in missing.into_iter().rev() {
        match std::fs::create_dir(&path) {
            Ok(()) => {
                use std::os::unix::fs::PermissionsExt as _;
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).map_err(Error::io(&path))?;
                made.push(path);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io(path)(error)),
        }
    }
    Ok(())
}

/// Has the names of directories that were made on disk.
fn sync_made(made: &[PathBuf], durability: Durability) -> Result<(), Error> {
    if durability == Durability::NoSync {
        return Ok(());
    }
    let parents: BTreeSet<&Path> = made
        .iter()
        .filter_map(|path| path.parent())
        .map(|parent| {
            if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            }
        })
        .collect();
    for parent in parents {
        std::fs::File::open(parent)
            .and_then(|directory| directory.sync_all())
            .map_err(Error::io(parent))?;
    }
    Ok(())
}

/// The real path of what exists of `path`, with the rest appended.
fn real_path(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    let mut rest = Vec::new();
    let mut existing = absolute.as_path();
    loop {
        if let Ok(real) = existing.canonicalize() {
            return Some(rest.iter().rev().fold(real, |path, name| path.join(name)));
        }
        rest.push(existing.file_name()?.to_owned());
        existing = existing.parent()?;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_was_made_goes_when_nothing_came_of_it() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("a/b");
        let grant = || Grant {
            label: "l".to_owned(),
            path: path.clone(),
            access: Access::Create,
            posix: false,
        };
        let operation = || {
            let grants = vec![grant()];
            let (reference, http) = (String::new(), Vec::new());
            Operation::new(
                reference,
                Arc::default(),
                grants,
                http,
                Durability::Sync,
                PathBuf::new(),
            )
        };

        let mut failed = operation();
        failed.directory("l").unwrap();
        assert!(path.is_dir());
        drop(failed);
        assert!(!temporary.path().join("a").exists());

        let mut good = operation();
        good.directory("l").unwrap().replace(b"f", b"x").unwrap();
        good.commit().unwrap();
        drop(good);
        assert_eq!(std::fs::read(path.join("f")).unwrap(), b"x");
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1);
    }
}
