//! Where `containers-storage` is: `storage.conf` and its variables.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::environment::Environment;

/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// What is configured about the storage of podman, buildah and CRI-O.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageConfig {
    /// How layers are kept; none: as the storage that is there keeps them.
    pub driver: Option<String>,
    /// Folder of images and layers.
    pub graph_root: PathBuf,
    /// Folder of what does not outlive a restart, such as mounts.
    pub run_root: PathBuf,
    /// Further storages to look for images in, in this order.
    pub image_stores: Vec<String>,
    /// Options of the driver that variables name.
    pub options: Vec<String>,
}

/// Why `storage.conf` cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageConfigError {
    /// The file cannot be read.
    #[error("reading {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file does not follow the grammar.
    #[error("parsing {}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        reason: String,
    },
    /// Nothing says where the user's storage is.
    #[error("no storage is configured, and neither HOME nor XDG_DATA_HOME says where the user's is")]
    Nowhere,
}

/// The file, as far as it says where images are. Keys that are not known here are other tools' business.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    storage: Storage,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Storage {
    driver: String,
    graphroot: String,
    runroot: String,
    rootless_storage_path: String,
    imagestore: String,
    options: Options,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Options {
    additionalimagestores: Vec<String>,
}

impl StorageConfig {
    /// Reads the files that `environment` finds: the one that replaces all others; or the system's, and for users who
    /// are not root their own, which says where their storage is.
    ///
    /// # Errors
    ///
    /// A file cannot be read or parsed, or there is no place for a user's storage.
    pub fn load(environment: &Environment) -> Result<Self, StorageConfigError> {
        let defaults = environment.storage_folders();
        let (mut storage, is_own) = match environment.storage_conf() {
            Some(path) => (read(&path)?, true),
            None => {
                let system = first(&environment.system_storage_confs())?.unwrap_or_default();
                let own = environment.user_storage_conf();
                match own.map(|path| first(&[path])).transpose()?.flatten() {
                    Some(own) => (own, true),
                    None => (system, !environment.is_rootless()),
                }
            }
        };
        if !is_own {
            // The folders of the system's file are root's.
            storage.graphroot = std::mem::take(&mut storage.rootless_storage_path);
            storage.runroot.clear();
        }
        let configured = |path: &str| (!path.is_empty()).then(|| environment.expand(path));
        let (graph_root, run_root) = (configured(&storage.graphroot), configured(&storage.runroot));
        let (driver, options) = environment.storage_variables();
        let default = |pick: fn(&(PathBuf, PathBuf)) -> &PathBuf| {
            defaults
                .as_ref()
                .map(|both| pick(both).clone())
                .ok_or(StorageConfigError::Nowhere)
        };
        let options = options.unwrap_or_default();
        let mut options: Vec<String> = options.split(',').map(str::trim).map(str::to_owned).collect();
        if !storage.imagestore.is_empty() {
            options.push(format!("storage.imagestore={}", storage.imagestore));
        }
        options.retain(|option| !option.is_empty());
        Ok(Self {
            driver: driver.or(Some(storage.driver)).filter(|driver| !driver.is_empty()),
            graph_root: graph_root.map_or_else(|| default(|(images, _)| images), Ok)?,
            run_root: run_root.map_or_else(|| default(|(_, run)| run), Ok)?,
            image_stores: storage.options.additionalimagestores,
            options,
        })
    }
}

/// The first file that is there.
fn first(paths: &[PathBuf]) -> Result<Option<Storage>, StorageConfigError> {
    let found = paths.iter().find(|path| path.exists());
    found.map(|path| read(path)).transpose()
}

fn read(path: &Path) -> Result<Storage, StorageConfigError> {
    let failed = |source| StorageConfigError::Read {
        path: path.to_owned(),
        source,
    };
    let invalid = |reason: String| StorageConfigError::Invalid {
        path: path.to_owned(),
        reason,
    };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(failed)?;
    file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_FILE {
        return Err(invalid(format!("larger than {MAX_FILE} bytes")));
    }
    let document: Document = toml::from_str(&text).map_err(|error| invalid(error.message().to_owned()))?;
    Ok(document.storage)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    const SYSTEM: &str = "[storage]\ndriver = \"overlay\"\ngraphroot = \"/graph\"\nrunroot = \"/run-root\"\n";
    const FOR_USERS: &str = "[storage]\ndriver = \"vfs\"\nrootless_storage_path = \"/users/$UID\"\n";
    const STORES: &str = "[storage]\n[storage.options]\nadditionalimagestores = [\"/a\", \"/b\"]\nsize = \"1\"\n";

    #[test]
    fn where_the_storage_is() {
        type Pairs<'a> = &'a [(&'a str, &'a str)];
        type Found<'a> = (Option<&'a str>, &'a str, &'a str, &'a [&'a str]);
        let (etc, usr) = ("etc/containers/storage.conf", "usr/share/containers/storage.conf");
        let home = "home/.config/containers/storage.conf";
        let rows: [(u32, Pairs<'_>, Pairs<'_>, Found<'_>); 9] = [
            (
                0,
                &[],
                &[],
                (
                    None,
                    "/root/var/lib/containers/storage",
                    "/root/run/containers/storage",
                    &[],
                ),
            ),
            (0, &[(usr, SYSTEM)], &[], (Some("overlay"), "/graph", "/run-root", &[])),
            (
                0,
                &[(etc, STORES), (usr, SYSTEM)],
                &[],
                (
                    None,
                    "/root/var/lib/containers/storage",
                    "/root/run/containers/storage",
                    &["/a", "/b"],
                ),
            ),
            // root has no file of its own.
            (
                0,
                &[(home, SYSTEM)],
                &[],
                (
                    None,
                    "/root/var/lib/containers/storage",
                    "/root/run/containers/storage",
                    &[],
                ),
            ),
            (
                0,
                &[(etc, SYSTEM)],
                &[("STORAGE_DRIVER", "vfs")],
                (Some("vfs"), "/graph", "/run-root", &[]),
            ),
            (
                0,
                &[(etc, STORES), ("my.conf", SYSTEM)],
                &[("CONTAINERS_STORAGE_CONF", "/root/my.conf")],
                (Some("overlay"), "/graph", "/run-root", &[]),
            ),
            (
                7,
                &[(etc, SYSTEM)],
                &[],
                (
                    Some("overlay"),
                    "/root/home/.local/share/containers/storage",
                    "/root/run/user/7/containers",
                    &[],
                ),
            ),
            (
                7,
                &[(etc, FOR_USERS)],
                &[("XDG_RUNTIME_DIR", "/my-run")],
                (Some("vfs"), "/users/7", "/my-run/containers", &[]),
            ),
            (
                7,
                &[(etc, FOR_USERS), (home, SYSTEM)],
                &[],
                (Some("overlay"), "/graph", "/run-root", &[]),
            ),
        ];
        for (number, (user, files, variables, expected)) in rows.into_iter().enumerate() {
            let folder = tempfile::tempdir().unwrap();
            let shown = |path: &str| path.replace("/root", &folder.path().to_string_lossy());
            for (file, text) in files {
                let file = folder.path().join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, text).unwrap();
            }
            let empty = Environment::empty(folder.path()).with_user_id(user);
            let empty = empty.with("HOME", shown("/root/home"));
            let variables = variables.iter();
            let environment = variables.fold(empty, |all, (name, value)| all.with(name, shown(value)));
            let found = StorageConfig::load(&environment).unwrap();
            let (driver, graph_root, run_root, image_stores) = expected;
            assert_eq!(found.driver.as_deref(), driver, "row {number}");
            assert_eq!(found.graph_root, Path::new(&shown(graph_root)), "row {number}");
            assert_eq!(found.run_root, Path::new(&shown(run_root)), "row {number}");
            assert_eq!(found.image_stores, image_stores, "row {number}");
        }
    }

    #[test]
    fn options_come_from_variables_and_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("storage.conf");
        fs::write(&file, "[storage]\nimagestore = \"/images\"\n").unwrap();
        let environment = Environment::empty(folder.path())
            .with_user_id(0)
            .with("CONTAINERS_STORAGE_CONF", file)
            .with("STORAGE_OPTS", "overlay.mountopt=nodev, x=y,,");
        let options = StorageConfig::load(&environment).unwrap().options;
        assert_eq!(options, ["overlay.mountopt=nodev", "x=y", "storage.imagestore=/images"]);
    }

    #[test]
    fn files_that_cannot_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("storage.conf");
        let environment = Environment::empty(folder.path()).with("CONTAINERS_STORAGE_CONF", &file);
        let load = || StorageConfig::load(&environment).unwrap_err().to_string();
        assert!(load().starts_with(&format!("reading {}: ", file.display())));
        for text in [
            "[storage",
            "storage = 1",
            "[storage]\ndriver = []",
            "[storage.options]\nadditionalimagestores = 1",
        ] {
            fs::write(&file, text).unwrap();
            assert!(load().starts_with(&format!("parsing {}: ", file.display())), "{text}");
        }
        fs::write(&file, " ".repeat(1 << 20 | 1)).unwrap();
        assert!(load().contains("larger than"));
        let nowhere = Environment::empty(folder.path());
        assert!(matches!(
            StorageConfig::load(&nowhere),
            Err(StorageConfigError::Nowhere)
        ));
    }
}
