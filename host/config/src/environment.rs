//! Every environment variable and default path of the program, in one place.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// One row of [`VARIABLES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VariableDoc {
    /// The variable's name.
    pub name: &'static str,
    /// What it does.
    pub effect: &'static str,
}

const fn doc(name: &'static str, effect: &'static str) -> VariableDoc {
    VariableDoc { name, effect }
}

const REGISTRY_AUTH_FILE: &str = "REGISTRY_AUTH_FILE";
const DOCKER_CONFIG: &str = "DOCKER_CONFIG";
const CONTAINERS_POLICY_JSON: &str = "CONTAINERS_POLICY_JSON";
const CONTAINERS_STORAGE_CONF: &str = "CONTAINERS_STORAGE_CONF";
const STORAGE_DRIVER: &str = "STORAGE_DRIVER";
const STORAGE_OPTS: &str = "STORAGE_OPTS";
const KUBECONFIG: &str = "KUBECONFIG";
const XDG_RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";
const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
const XDG_DATA_HOME: &str = "XDG_DATA_HOME";
const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";
const HOME: &str = "HOME";
const TMPDIR: &str = "TMPDIR";
const PATH: &str = "PATH";

/// The variable that says, in a user namespace, whose it is; c/storage's programs set and read it.
pub const ROOTLESS_UID: &str = "_CONTAINERS_ROOTLESS_UID";

/// The variables that [`Environment`] reads. The network libraries read more by themselves: `HTTP_PROXY`,
/// `HTTPS_PROXY` and `NO_PROXY` in both cases, `SSL_CERT_FILE` and `SSL_CERT_DIR`.
pub const VARIABLES: [VariableDoc; 15] = [
    doc(REGISTRY_AUTH_FILE, "credentials file, as --authfile"),
    doc(DOCKER_CONFIG, "folder of docker's config.json instead of ~/.docker"),
    doc(CONTAINERS_POLICY_JSON, "trust policy file, unless --policy is given"),
    doc(
        CONTAINERS_STORAGE_CONF,
        "storage.conf of containers-storage instead of those of the user and the system",
    ),
    doc(STORAGE_DRIVER, "storage driver of containers-storage"),
    doc(
        STORAGE_OPTS,
        "storage options of containers-storage, separated by commas",
    ),
    doc(
        KUBECONFIG,
        "kubeconfig files of atomic:, separated by colons, instead of ~/.kube/config",
    ),
    doc(
        XDG_RUNTIME_DIR,
        "folder of containers/auth.json, the first credentials file looked at, and of the run root of containers-storage",
    ),
    doc(
        XDG_CONFIG_HOME,
        "folder of containers/auth.json, containers/certs.d, containers/policy.json, containers/registries.d and containers/storage.conf instead of ~/.config",
    ),
    doc(
        XDG_DATA_HOME,
        "folder of longshore/plugins, containers/cache and containers/storage instead of ~/.local/share",
    ),
    doc(
        XDG_CACHE_HOME,
        "folder of longshore, the cache of compiled plugins, instead of ~/.cache",
    ),
    doc(HOME, "the folder that ~ stands for"),
    doc(
        TMPDIR,
        "folder of small temporary files; blobs go to --tmpdir or /var/tmp",
    ),
    doc(PATH, "folders of credential helpers"),
    doc(
        ROOTLESS_UID,
        "the user, by number, whose files count inside of a user namespace, such as that of `podman unshare`",
    ),
];

/// Where the program finds its files: the user's variables and the system's paths.
///
/// An empty variable counts as unset. Relative values are kept, relative to the working directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<&'static str, OsString>,
    user_id: u32,
    system_root: PathBuf,
    registries_d: Option<PathBuf>,
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        let read = |name| std::env::var_os(name).map(|value| (name, value));
        Self {
            variables: VARIABLES.iter().filter_map(|variable| read(variable.name)).collect(),
            user_id: user_id(),
            system_root: PathBuf::from("/"),
            registries_d: None,
        }
    }

    /// An environment without variables, with system paths such as `/etc` looked up below `system_root`; for tests
    /// and for embedders that bring their own.
    pub fn empty(system_root: impl Into<PathBuf>) -> Self {
        Self {
            variables: BTreeMap::new(),
            user_id: 1000,
            system_root: system_root.into(),
            registries_d: None,
        }
    }

    /// The same with a variable set. A name that is not in [`VARIABLES`] has no effect.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        if let Some(variable) = VARIABLES.iter().find(|variable| variable.name == name) {
            self.variables.insert(variable.name, value.into());
        }
        self
    }

    /// The same for another user.
    #[must_use]
    pub fn with_user_id(self, user_id: u32) -> Self {
        Self { user_id, ..self }
    }

    /// The same with a folder that replaces the search for `registries.d` (G-05), if one is given.
    #[must_use]
    pub fn with_registries_d(self, folder: Option<PathBuf>) -> Self {
        Self {
            registries_d: folder,
            ..self
        }
    }

    /// The credentials file that replaces the search for one (AF-01).
    pub fn registry_auth_file(&self) -> Option<PathBuf> {
        self.path(REGISTRY_AUTH_FILE)
    }

    /// The credentials files to look at, in this order, before [`legacy_auth_file`](Self::legacy_auth_file) (AF-02).
    pub fn auth_files(&self) -> Vec<PathBuf> {
        let docker = self.path(DOCKER_CONFIG).or_else(|| self.home_path(".docker"));
        [
            self.runtime_auth_file(),
            self.config_home().map(|config| config.join("containers/auth.json")),
            docker.map(|docker| docker.join("config.json")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The credentials file in the old flat format, the last to look at (AF-02).
    pub fn legacy_auth_file(&self) -> Option<PathBuf> {
        self.home_path(".dockercfg")
    }

    /// The folders whose subfolders `HOST[:PORT]` hold certificates, the first that counts first (TL-01, TL-02).
    pub fn certificate_folders(&self) -> Vec<PathBuf> {
        let own = self.config_home().map(|config| config.join("containers/certs.d"));
        let system = ["/etc/containers", "/usr/share/containers"].map(|path| self.system_path(path));
        let system = system.iter().flat_map(|folder| {
            let privileged = match self.user_id() {
                0 => vec![folder.join("certs.rootful.d")],
                user => {
                    let rootless = folder.join("certs.rootless.d");
                    vec![rootless.join(user.to_string()), rootless]
                }
            };
            privileged.into_iter().chain([folder.join("certs.d")])
        });
        own.into_iter()
            .chain(system)
            .chain([self.system_path("/etc/docker/certs.d")])
            .collect()
    }

    /// The file that a program's name stands for; relative folders, which anybody could have filled, are passed over.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(self.variables.get(PATH)?)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(name))
            .find(|program| program.is_file())
    }

    /// The policy file that replaces the search for one (PO-04).
    pub fn policy_file(&self) -> Option<PathBuf> {
        self.path(CONTAINERS_POLICY_JSON)
    }

    /// The policy files of which the first that exists counts (PO-03, PO-04).
    pub fn policy_files(&self) -> Vec<PathBuf> {
        let user = self.config_home().map(|config| config.join("containers/policy.json"));
        let system = ["/etc/containers/policy.json", "/usr/share/containers/policy.json"];
        user.into_iter()
            .chain(system.map(|path| self.system_path(path)))
            .collect()
    }

    /// The folders that hold installed plugins: the system's, then the user's; the first wins. A folder need not exist.
    pub fn plugin_folders(&self) -> Vec<PathBuf> {
        let data = self.path(XDG_DATA_HOME).or_else(|| self.home_path(".local/share"));
        let own = data.map(|data| data.join("longshore/plugins"));
        std::iter::once(self.system_path("/usr/lib/longshore/plugins"))
            .chain(own)
            .collect()
    }

    /// The folder for what can be made again, such as compiled plugins. It need not exist.
    pub fn cache_folder(&self) -> Option<PathBuf> {
        let cache = self.path(XDG_CACHE_HOME).or_else(|| self.home_path(".cache"));
        cache.map(|cache| cache.join("longshore"))
    }

    /// The file that remembers blobs from copy to copy (BR-04), in the folder where skopeo has its own. root's is the
    /// system's unless a data folder is given. It need not exist.
    pub fn blob_info_cache_file(&self) -> Option<PathBuf> {
        let folder = match self.path(XDG_DATA_HOME) {
            None if self.user_id() == 0 => Some(self.system_path("/var/lib/containers/cache")),
            data => data
                .or_else(|| self.home_path(".local/share"))
                .map(|data| data.join("containers/cache")),
        };
        folder.map(|folder| folder.join("longshore-blob-info-v1.sqlite"))
    }

    /// The folder with files about where signatures of images in registries are kept: the user's own if there is one,
    /// else the system's, unless one is given (RD-01). It need not exist.
    pub fn registries_d_folder(&self) -> PathBuf {
        let own = self.config_home().map(|config| config.join("containers/registries.d"));
        let own = self
            .registries_d
            .clone()
            .or_else(|| own.filter(|folder| folder.is_dir()));
        own.unwrap_or_else(|| self.system_path("/etc/containers/registries.d"))
    }

    /// The folder that holds signatures of images in registries where nothing else is configured (RD-06).
    pub fn lookaside_folder(&self) -> Option<PathBuf> {
        if self.user_id() == 0 {
            return Some(self.system_path("/var/lib/containers/sigstore"));
        }
        self.home_path(".local/share/containers/sigstore")
    }

    /// The files that say where a cluster's API server is, the first that counts first. They need not exist.
    pub(crate) fn kubeconfig_files(&self) -> Vec<PathBuf> {
        let named = self.variables.get(KUBECONFIG).filter(|value| !value.is_empty());
        match named {
            Some(list) => std::env::split_paths(list)
                .filter(|path| !path.as_os_str().is_empty())
                .collect(),
            None => self.home_path(".kube/config").into_iter().collect(),
        }
    }

    /// The storage.conf that replaces the search for one.
    pub(crate) fn storage_conf(&self) -> Option<PathBuf> {
        self.path(CONTAINERS_STORAGE_CONF)
    }

    /// The system's storage.conf, of which the first that exists counts.
    pub(crate) fn system_storage_confs(&self) -> [PathBuf; 2] {
        ["/etc/containers/storage.conf", "/usr/share/containers/storage.conf"].map(|path| self.system_path(path))
    }

    /// The user's own storage.conf; root has none.
    pub(crate) fn user_storage_conf(&self) -> Option<PathBuf> {
        let own = self.config_home().filter(|_| self.user_id() != 0);
        own.map(|config| config.join("containers/storage.conf"))
    }

    /// The folders of images and of what does not outlive a restart, unless others are configured.
    pub(crate) fn storage_folders(&self) -> Option<(PathBuf, PathBuf)> {
        if self.user_id() == 0 {
            let folders = ["/var/lib/containers/storage", "/run/containers/storage"];
            let [images, run] = folders.map(|path| self.system_path(path));
            return Some((images, run));
        }
        let data = self.path(XDG_DATA_HOME).or_else(|| self.home_path(".local/share"))?;
        let run = self.path(XDG_RUNTIME_DIR);
        let run = run.unwrap_or_else(|| self.system_path("/run/user").join(self.user_id().to_string()));
        Some((data.join("containers/storage"), run.join("containers")))
    }

    /// The storage driver and the options that variables name.
    pub(crate) fn storage_variables(&self) -> (Option<String>, Option<String>) {
        let read = |name| {
            let value: &OsString = self.variables.get(name)?;
            Some(value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
        };
        (read(STORAGE_DRIVER), read(STORAGE_OPTS))
    }

    /// A path in which `$HOME` and `$UID` stand for those of the user.
    pub(crate) fn expand(&self, path: &str) -> PathBuf {
        let home = self.path(HOME).unwrap_or_default();
        let path = path.replace("$UID", &self.user_id().to_string());
        PathBuf::from(path.replace("$HOME", &home.to_string_lossy()))
    }

    /// The user, in a user namespace as it is outside.
    fn user_id(&self) -> u32 {
        let outside = self.variables.get(ROOTLESS_UID).and_then(|value| value.to_str());
        outside.and_then(|text| text.parse().ok()).unwrap_or(self.user_id)
    }

    /// Whether the user is not root.
    pub(crate) fn is_rootless(&self) -> bool {
        self.user_id() != 0
    }

    /// The folder for small temporary files.
    pub fn temporary_folder(&self) -> PathBuf {
        self.path(TMPDIR).unwrap_or_else(|| self.system_path("/tmp"))
    }

    /// The folder for temporary files as large as a blob, unless the user names another (G-11).
    pub fn large_temporary_folder(&self) -> PathBuf {
        self.system_path("/var/tmp")
    }

    fn runtime_auth_file(&self) -> Option<PathBuf> {
        if !cfg!(target_os = "linux") {
            return self.home_path(".config/containers/auth.json");
        }
        let folder = match self.path(XDG_RUNTIME_DIR) {
            Some(runtime) => runtime.join("containers"),
            None => self.system_path("/run/containers").join(self.user_id().to_string()),
        };
        Some(folder.join("auth.json"))
    }

    fn config_home(&self) -> Option<PathBuf> {
        self.path(XDG_CONFIG_HOME).or_else(|| self.home_path(".config"))
    }

    fn home_path(&self, relative: &str) -> Option<PathBuf> {
        self.path(HOME).map(|home| home.join(relative))
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.variables
            .get(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    }

    fn system_path(&self, absolute: &str) -> PathBuf {
        self.system_root
            .join(Path::new(absolute).strip_prefix("/").unwrap_or(Path::new(absolute)))
    }
}

#[cfg(unix)]
fn user_id() -> u32 {
    rustix::process::getuid().as_raw()
}

#[cfg(not(unix))]
fn user_id() -> u32 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(paths: impl IntoIterator<Item = PathBuf>) -> Vec<String> {
        paths.into_iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn defaults_below_home() {
        let environment = Environment::empty("/").with("HOME", "/home/me").with_user_id(7);
        let auth = [
            "/run/containers/7/auth.json",
            "/home/me/.config/containers/auth.json",
            "/home/me/.docker/config.json",
        ];
        assert_eq!(texts(environment.auth_files()), auth);
        assert_eq!(texts(environment.legacy_auth_file()), ["/home/me/.dockercfg"]);
        let policy = [
            "/home/me/.config/containers/policy.json",
            "/etc/containers/policy.json",
            "/usr/share/containers/policy.json",
        ];
        assert_eq!(texts(environment.policy_files()), policy);
        let plugins = ["/usr/lib/longshore/plugins", "/home/me/.local/share/longshore/plugins"];
        assert_eq!(texts(environment.plugin_folders()), plugins);
        assert_eq!(texts(environment.cache_folder()), ["/home/me/.cache/longshore"]);
        assert_eq!(texts([environment.temporary_folder()]), ["/tmp"]);
        assert_eq!(environment.registry_auth_file(), None);
        assert_eq!(environment.policy_file(), None);
    }

    #[test]
    fn the_blob_info_cache_lies_beside_skopeos() {
        let name = "longshore-blob-info-v1.sqlite";
        let home = Environment::empty("/root").with("HOME", "/home/me");
        let rows = [
            (home.clone(), Some("/home/me/.local/share/containers/cache")),
            (
                home.clone().with("XDG_DATA_HOME", "/data"),
                Some("/data/containers/cache"),
            ),
            (home.clone().with_user_id(0), Some("/root/var/lib/containers/cache")),
            (
                home.with("XDG_DATA_HOME", "/data").with_user_id(0),
                Some("/data/containers/cache"),
            ),
            (Environment::empty("/root"), None),
        ];
        for (environment, folder) in rows {
            let expected = folder.map(|folder| Path::new(folder).join(name));
            assert_eq!(environment.blob_info_cache_file(), expected);
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn variables_replace_the_defaults() {
        let set = [
            ("REGISTRY_AUTH_FILE", "a.json"),
            ("DOCKER_CONFIG", "/docker"),
            ("CONTAINERS_POLICY_JSON", "/p.json"),
            ("CONTAINERS_STORAGE_CONF", "/s.conf"),
            ("STORAGE_DRIVER", "vfs"),
            ("STORAGE_OPTS", "a=b"),
            ("KUBECONFIG", "/k:/l"),
            ("XDG_RUNTIME_DIR", "/runtime"),
            ("XDG_CONFIG_HOME", "/config"),
            ("XDG_DATA_HOME", "/data"),
            ("XDG_CACHE_HOME", "/cache"),
            ("HOME", "/home/me"),
            ("TMPDIR", "/small"),
            ("PATH", "/bin"),
            ("_CONTAINERS_ROOTLESS_UID", "7"),
        ];
        let environment = set
            .into_iter()
            .fold(Environment::empty("/root"), |environment, (name, value)| {
                environment.with(name, value)
            });
        let auth = [
            "/runtime/containers/auth.json",
            "/config/containers/auth.json",
            "/docker/config.json",
        ];
        assert_eq!(texts(environment.auth_files()), auth);
        assert_eq!(texts(environment.registry_auth_file()), ["a.json"]);
        assert_eq!(texts(environment.policy_file()), ["/p.json"]);
        assert_eq!(
            environment.policy_files()[0],
            Path::new("/config/containers/policy.json")
        );
        assert_eq!(
            environment.policy_files()[1],
            Path::new("/root/etc/containers/policy.json")
        );
        assert_eq!(environment.plugin_folders()[1], Path::new("/data/longshore/plugins"));
        assert_eq!(texts(environment.kubeconfig_files()), ["/k", "/l"]);
        assert_eq!(texts(environment.cache_folder()), ["/cache/longshore"]);
        assert_eq!(texts([environment.temporary_folder()]), ["/small"]);
        let names: Vec<_> = set.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, VARIABLES.map(|variable| variable.name));
    }

    #[test]
    fn empty_and_unknown_variables_are_unset() {
        let environment = Environment::empty("/").with("HOME", "").with("SOMETHING", "x");
        assert_eq!(environment.cache_folder(), None);
        assert_eq!(environment.legacy_auth_file(), None);
        assert_eq!(environment.policy_files().len(), 2);
    }

    #[test]
    fn in_a_user_namespace_the_user_is_the_one_outside() {
        let inside = Environment::empty("/").with_user_id(0);
        assert!(!inside.is_rootless());
        for (value, expected) in [("7", "/7"), ("0", "/0"), ("seven", "/0")] {
            let inside = inside.clone().with(ROOTLESS_UID, value);
            assert_eq!(inside.expand("/$UID"), Path::new(expected));
            assert_eq!(inside.is_rootless(), value == "7");
        }
    }
}
