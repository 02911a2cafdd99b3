//! What a reference needs, and what was granted of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore_blob::Durability;

use crate::Error;
use crate::files::{Directory, GuestResult, Input, NewFile, OpenFile, Replacement, Root, Sink, guest_error};
use crate::limits;
use crate::transport::Purpose;

/// Settings of one side of a copy that plugins may ask for by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Directory of blobs shared by several layouts (F-10).
    pub const SHARED_BLOB_DIR: &'static str = "shared-blob-dir";

    /// More names for the image that is written, separated by single spaces (CP-01).
    pub const ADDITIONAL_TAGS: &'static str = "additional-tags";

    /// Adds or replaces a setting.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
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
        write!(formatter, "{kind} {} ({access})", self.path.display())
    }
}

/// What `parse` put together; a resource of the guest until it returns.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Plan {
    pub(crate) settings: Arc<Settings>,
    grants: Vec<Grant>,
}

impl Plan {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            grants: Vec::new(),
        }
    }

    /// An error is a trap.
    pub(crate) fn add(&mut self, label: String, path: String, access: Access) -> Result<(), String> {
        if self.grants.len() == limits::GRANTS {
            return Err(format!("asked for more than {} things", limits::GRANTS));
        }
        if self.grants.iter().any(|grant| grant.label == label) {
            return Err(format!("asked twice for {label:?}"));
        }
        self.grants.push(Grant {
            label,
            path: PathBuf::from(path),
            access,
        });
        Ok(())
    }

    pub(crate) fn into_grants(self) -> Vec<Grant> {
        self.grants
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

/// The grants of one operation, opened as the guest asks for them.
pub(crate) struct Operation {
    pub(crate) reference: String,
    pub(crate) settings: Arc<Settings>,
    pub(crate) durability: Durability,
    /// Folder for files as large as an image.
    temporary: PathBuf,
    granted: BTreeMap<String, Granted>,
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
    fn what_was_made_goes_when_nothing_came_of_it() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("a/b");
        let grant = || Grant {
            label: "l".to_owned(),
            path: path.clone(),
            access: Access::Create,
        };
        let operation = || {
            let grants = vec![grant()];
            Operation::new(String::new(), Arc::default(), grants, Durability::Sync, PathBuf::new())
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
}
