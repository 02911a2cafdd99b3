//! Where things are in a store.

use std::fmt;

use longshore_guest::{Context as _, Directory, Error, File, Identity, Lock, LockKind, Session, code};
use longshore_types::Reference;

use crate::records::{ImageRecord, LayerRecord, Record, Records};
use crate::reference::StoreSpec;

/// Label of the folder with what lives until the machine is started anew; for deleting only.
pub(crate) const RUN: &str = "run";
/// Label of the driver's folder, where layers are; for writing only.
pub(crate) const DRIVER: &str = "driver";
/// Most stores that are searched: there is an end to what one operation may be granted.
const MAX_STORES: usize = 12;
/// Largest list that is read or written.
const MAX_LIST: u32 = 8 << 20;
/// Bytes at the beginning of a lock file that tell who wrote the list last.
const TOKEN: usize = 64;
/// Letters of a layer's short name.
const LINK: usize = 26;

/// Label of a store: the first is the one that is written to.
pub(crate) fn label(index: usize) -> String {
    format!("store-{index}")
}

/// What a reference and the settings say about where the stores are.
#[derive(Debug, PartialEq)]
pub(crate) struct Places {
    driver: Option<String>,
    /// The store, then those that are only read.
    pub(crate) roots: Vec<String>,
    pub(crate) run_root: String,
    options: Vec<String>,
}

impl Places {
    /// `setting` answers by the keys of the contract. A reference that says anything about its store is not extended by
    /// the configured driver, options and further stores.
    pub(crate) fn new(spec: &StoreSpec, setting: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let configured = *spec == StoreSpec::default();
        let root = spec.root.clone().or_else(|| setting("storage-root"));
        let root = root.ok_or_else(|| {
            Error::invalid_reference("the reference names no store as [GRAPHROOT], and none is configured")
        })?;
        let run_root = spec.run_root.clone().or_else(|| setting("storage-run-root"));
        let mut places = Self {
            driver: spec.driver.clone(),
            run_root: run_root.unwrap_or_else(|| root.clone()),
            roots: vec![root],
            options: spec.options.clone(),
        };
        if configured {
            places.driver = setting("storage-driver");
            let further = setting("storage-image-stores").unwrap_or_default();
            places.roots.extend(further.lines().map(str::to_owned));
            let options = setting("storage-options").unwrap_or_default();
            let options = options.split(',').filter(|option| !option.is_empty());
            places.options.extend(options.map(str::to_owned));
        }
        for option in &places.options {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            match key.trim().rsplit('.').next() {
                // CS-01: that of the drivers names stores to read from, that of the store itself one to write to.
                Some("imagestore") if key.trim() == "storage.imagestore" => {
                    return Err(Error::unsupported(format_args!(
                        "a separate store for images ({option}) is not supported"
                    )));
                }
                Some("imagestore" | "additionalimagestore") => places.roots.push(value.trim().to_owned()),
                _ => {}
            }
        }
        if places.roots.len() > MAX_STORES {
            return Err(Error::unsupported(format_args!(
                "more than {MAX_STORES} image stores are not supported"
            )));
        }
        Ok(places)
    }
}

/// How a store keeps the files of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    /// Each layer has its own files.
    Overlay,
    /// Each layer has those of all layers below it too.
    Vfs,
}

impl Driver {
    fn parse(name: &str) -> Result<Self, Error> {
        match name {
            "overlay" | "overlay2" => Ok(Self::Overlay),
            "vfs" => Ok(Self::Vfs),
            other => Err(Error::unsupported(format_args!(
                "storage driver \"{other}\" is not supported: only overlay and vfs are"
            ))),
        }
    }

    /// That of a store that is there, as the reference implementation looks for it.
    fn detect(directory: &Directory) -> Result<Self, Error> {
        for driver in [Self::Overlay, Self::Vfs] {
            if directory
                .stat(format!("{driver}-images").as_bytes())
                .optional()?
                .is_some()
            {
                return Ok(driver);
            }
        }
        Ok(Self::Overlay)
    }

    /// The folder of all that the driver keeps of a layer.
    pub(crate) fn folder(self, id: &str) -> String {
        match self {
            Self::Overlay => format!("overlay/{id}"),
            Self::Vfs => format!("vfs/dir/{id}"),
        }
    }

    /// The folder of a layer's files.
    pub(crate) fn files(self, id: &str) -> String {
        match self {
            Self::Overlay => format!("overlay/{id}/diff"),
            Self::Vfs => self.folder(id),
        }
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Overlay => "overlay",
            Self::Vfs => "vfs",
        })
    }
}

/// A store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) directory: Directory,
    pub(crate) driver: Driver,
}

impl Store {
    /// A file or folder of a list; `list` is `images`, `layers` or `containers`.
    pub(crate) fn path(&self, list: &str, name: &str) -> Vec<u8> {
        format!("{}-{list}/{name}", self.driver).into_bytes()
    }

    /// The record of a layer's archive; none if the layer has none.
    pub(crate) fn tar_split(&self, layer: &str) -> Result<Option<File>, Error> {
        let path = self.path("layers", &format!("{layer}.tar-split.gz"));
        self.directory.open(&path, false).optional()
    }

    pub(crate) fn lock(&self, list: &str, exclusive: bool) -> Result<Lock, Error> {
        let path = self.path(list, &format!("{list}.lock"));
        self.directory.lock(&path, LockKind::Posix, exclusive)
    }

    /// For reading: none where there can be no lock, as nobody has written there or the file system has none.
    pub(crate) fn lock_to_read(&self, list: &str) -> Result<Option<Lock>, Error> {
        match self.lock(list, false) {
            Ok(lock) => Ok(Some(lock)),
            Err(error) if [code::NOT_FOUND, code::UNSUPPORTED].contains(&error.code.as_str()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn list<T: Record>(&self, list: &str, file: &str) -> Result<Records<T>, Error> {
        let path = self.path(list, file);
        let bytes = self.directory.read(&path, MAX_LIST).optional()?;
        Records::parse(&String::from_utf8_lossy(&path), bytes.as_deref())
    }

    pub(crate) fn images(&self) -> Result<Records<ImageRecord>, Error> {
        self.list("images", "images.json")
    }

    pub(crate) fn layers(&self) -> Result<Records<LayerRecord>, Error> {
        self.list("layers", "layers.json")
    }

    /// Replaces `LIST.json`. The mark in the lock file comes first: whoever has read the list before reads it again.
    pub(crate) fn write_list<T: Record>(&self, lock: &Lock, list: &str, records: &Records<T>) -> Result<(), Error> {
        lock.write(&token())?;
        let path = self.path(list, &format!("{list}.json"));
        self.directory.replace(&path, &records.to_bytes())
    }
}

/// What nobody else writes: the time, a counter and a process, which is none in here, then random bytes.
fn token() -> [u8; TOKEN] {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanoseconds = now.map_or(0, |now| now.as_nanos()) as u64;
    let mut token = [0; TOKEN];
    for (index, bytes) in token.chunks_mut(8).enumerate() {
        let value = if index == 0 {
            nanoseconds
        } else {
            RandomState::new().build_hasher().finish()
        };
        bytes.copy_from_slice(&value.to_le_bytes());
    }
    token
}

/// What a layer is called in mount options, which have no room for its ID.
pub(crate) fn new_link() -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let random = &token()[8..];
    random[..LINK]
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect()
}

/// All stores that a reference is looked up in.
#[derive(Debug)]
pub(crate) struct Stores {
    /// At least one.
    pub(crate) all: Vec<Store>,
    root: String,
    run_root: String,
    options: Vec<String>,
}

impl Stores {
    pub(crate) fn open(session: &Session, spec: &StoreSpec) -> Result<Self, Error> {
        let places = Places::new(spec, |key| session.setting(key))?;
        let directory = session.directory(&label(0))?;
        let driver = match &places.driver {
            Some(name) => Driver::parse(name)?,
            None => Driver::detect(&directory)?,
        };
        let mut all = vec![Store { directory, driver }];
        for index in 1..places.roots.len() {
            if let Some(directory) = session.directory(&label(index)).optional()? {
                all.push(Store { directory, driver });
            }
        }
        Ok(Self {
            all,
            root: session.real_path(&label(0))?,
            run_root: places.run_root,
            options: places.options,
        })
    }

    /// The store that is written to.
    pub(crate) fn primary(&self) -> &Store {
        &self.all[0]
    }

    /// The reference in full, without an ID unless it is given.
    pub(crate) fn canonical(&self, name: Option<&Reference>, id: Option<&str>) -> String {
        let options = match self.options.as_slice() {
            [] => String::new(),
            options => format!(":{}", options.join(",")),
        };
        let Self { root, run_root, .. } = self;
        let driver = self.primary().driver;
        format!("[{driver}@{root}+{run_root}{options}]{}", image_text(name, id))
    }

    /// CS-06.
    pub(crate) fn identity(&self, name: Option<&Reference>, id: Option<&str>) -> Identity {
        let store = format!("[{}@{}]", self.primary().driver, self.root);
        let mut policy_scopes = Vec::new();
        if let Some(name) = name {
            if id.is_some() {
                policy_scopes.push(format!("{store}{name}"));
            }
            if let (Some(tag), Some(_)) = (name.tag(), name.digest()) {
                policy_scopes.push(format!("{store}{}:{tag}", name.name()));
            }
            let repository = name.name();
            let mut rest = Some(repository.as_str());
            while let Some(scope) = rest {
                policy_scopes.push(format!("{store}{scope}"));
                rest = scope.rsplit_once('/').map(|(parent, _)| parent);
            }
        }
        policy_scopes.push(store.clone());
        policy_scopes.push(format!("[{}]", self.root));
        Identity {
            canonical: self.canonical(name, id),
            docker_reference: name.map(Reference::to_string),
            policy_identity: format!("{store}{}", image_text(name, id)),
            policy_scopes,
        }
    }
}

fn image_text(name: Option<&Reference>, id: Option<&str>) -> String {
    let name = name.map(Reference::to_string).unwrap_or_default();
    match id {
        Some(id) => format!("{name}@{id}"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::reference::StorageReference;

    fn places(text: &str) -> Result<Places, Error> {
        let store = StorageReference::parse(text).unwrap().store;
        Places::new(&store, |key| {
            let value = match key {
                "storage-root" => "/graph",
                "storage-run-root" => "/run",
                "storage-driver" => "overlay",
                "storage-options" => "overlay.mountopt=nodev,overlay.imagestore=/more",
                "storage-image-stores" => "/shared\n/other",
                _ => return None,
            };
            Some(value.to_owned())
        })
    }

    #[test]
    fn stores_are_configured_or_named() {
        for (text, driver, roots, run_root) in [
            (
                "x",
                Some("overlay"),
                &["/graph", "/shared", "/other", "/more"][..],
                "/run",
            ),
            ("[/a]x", None, &["/a"], "/run"),
            ("[vfs@/a+/b]x", Some("vfs"), &["/a"], "/b"),
            (
                "[vfs@/a:vfs.imagestore=/c,.imagestore=/d]x",
                Some("vfs"),
                &["/a", "/c", "/d"],
                "/run",
            ),
            ("[vfs@:o=1]x", Some("vfs"), &["/graph"], "/run"),
        ] {
            let places = places(text).unwrap();
            assert_eq!(places.driver.as_deref(), driver, "{text}");
            assert_eq!(places.roots, roots, "{text}");
            assert_eq!(places.run_root, run_root, "{text}");
        }
        assert!(places("[/a:storage.imagestore=/b]x").is_err());
        assert!(places(&format!("[/a:{}]x", "x.imagestore=/b,".repeat(12))).is_err());
        assert!(Places::new(&StoreSpec::default(), |_| None).is_err());
    }

    #[test]
    fn only_drivers_that_are_known() {
        for (name, driver) in [
            ("overlay", Some(Driver::Overlay)),
            ("overlay2", Some(Driver::Overlay)),
            ("vfs", Some(Driver::Vfs)),
            ("btrfs", None),
            ("", None),
        ] {
            assert_eq!(Driver::parse(name).ok(), driver, "{name}");
        }
    }
}
