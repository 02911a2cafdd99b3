use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore_blob::Durability;
use tokio::sync::{Mutex, OnceCell};

use crate::host_state::Shared;
use crate::{Error, Evaluator, Plugin, builtin};

/// All plugins that a program can use. Cloning shares them.
///
/// Built-in plugins win over those in plugin directories, and an earlier
/// directory over a later one; only [`PluginHostBuilder::replace`] puts another
/// plugin in a built-in one's place.
#[derive(Clone)]
pub struct PluginHost {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    directories: Vec<PathBuf>,
    replacements: Vec<(String, PathBuf)>,
    loaded: Mutex<Loaded>,
}

#[derive(Default)]
struct Loaded {
    builtin: HashMap<&'static str, Arc<Plugin>>,
    /// By path; filled by whoever asks first, while others wait for that plugin
    /// only.
    files: HashMap<PathBuf, Arc<OnceCell<Arc<Plugin>>>>,
    /// Transport names and plugins of the directories, once they were searched.
    discovered: Option<Vec<Discovered>>,
}

#[derive(Clone)]
struct Discovered {
    plugin: Arc<Plugin>,
    transports: Vec<String>,
    requirement_types: Vec<String>,
}

/// How a [`PluginHost`] is made.
pub struct PluginHostBuilder {
    directories: Vec<PathBuf>,
    replacements: Vec<(String, PathBuf)>,
    durability: Durability,
    cache: Option<PathBuf>,
    temporary: Option<PathBuf>,
}

impl PluginHostBuilder {
    /// Adds a directory of `*.wasm` plugins; one that does not exist has none.
    #[must_use]
    pub fn plugin_directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.directories.push(path.into());
        self
    }

    /// Serves transport `name` by the plugin in `file`, whatever else serves it.
    #[must_use]
    pub fn replace(mut self, name: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        self.replacements.push((name.into(), file.into()));
        self
    }

    /// Whether images survive a power cut from the moment that they are visible.
    /// They do unless this says otherwise.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Keeps compiled plugins of third parties in a directory of the user's own.
    /// Without one they are compiled in every run.
    #[must_use]
    pub fn cache_directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.cache = Some(path.into());
        self
    }

    /// Where streams and compressed archives are unpacked that a plugin has to read
    /// at any offset; the system's folder for temporary files if nothing says otherwise.
    #[must_use]
    pub fn temporary_folder(mut self, path: impl Into<PathBuf>) -> Self {
        self.temporary = Some(path.into());
        self
    }

    /// Nothing is loaded or started yet.
    pub fn build(self) -> PluginHost {
        let inner = Inner {
            shared: Arc::new(Shared::new(
                self.durability,
                self.cache,
                self.temporary.unwrap_or_else(std::env::temp_dir),
            )),
            directories: self.directories,
            replacements: self.replacements,
            loaded: Mutex::default(),
        };
        PluginHost { inner: Arc::new(inner) }
    }
}

impl PluginHost {
    /// With the built-in plugins only, unless more is asked for.
    pub fn builder() -> PluginHostBuilder {
        PluginHostBuilder {
            directories: Vec::new(),
            replacements: Vec::new(),
            durability: Durability::Sync,
            cache: None,
            temporary: None,
        }
    }

    /// The plugin that serves a transport.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownTransport`] if there is none, or why it cannot be loaded.
    pub async fn transport(&self, name: &str) -> Result<Arc<Plugin>, Error> {
        if let Some((_, file)) = self
            .inner
            .replacements
            .iter()
            .rev()
            .find(|(replaced, _)| replaced == name)
        {
            let plugin = self.load_file(file).await?;
            if plugin.transports().await?.iter().any(|served| served == name) {
                return Ok(plugin);
            }
            return Err(Error::bad_plugin(
                file,
                format_args!("does not serve transport \"{name}\""),
            ));
        }
        if let Some(builtin) = builtin::ALL.iter().find(|builtin| builtin.transports.contains(&name)) {
            return self.load_builtin(builtin).await;
        }
        let discovered = self.discovered().await;
        let found = discovered
            .into_iter()
            .find(|found| found.transports.iter().any(|served| served == name));
        found
            .map(|found| found.plugin)
            .ok_or_else(|| Error::UnknownTransport(name.to_owned()))
    }

    /// Names of all transports, sorted.
    pub async fn transport_names(&self) -> Vec<String> {
        let builtin = builtin::ALL
            .iter()
            .flat_map(|builtin| builtin.transports)
            .map(|name| (*name).to_owned());
        let replaced = self.inner.replacements.iter().map(|(name, _)| name.clone());
        let mut names: Vec<String> = builtin.chain(replaced).collect();
        names.extend(self.discovered().await.into_iter().flat_map(|found| found.transports));
        names.sort();
        names.dedup();
        names
    }

    /// The evaluator that answers for a policy requirement type, if there is one.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be loaded.
    pub async fn evaluator(&self, requirement_type: &str) -> Result<Option<Evaluator>, Error> {
        if let Some(builtin) = builtin::ALL
            .iter()
            .find(|builtin| builtin.requirement_types.contains(&requirement_type))
        {
            return Ok(Some(Evaluator::new(self.load_builtin(builtin).await?)));
        }
        let discovered = self.discovered().await;
        let found = discovered
            .into_iter()
            .find(|found| found.requirement_types.iter().any(|kind| kind == requirement_type));
        Ok(found.map(|found| Evaluator::new(found.plugin)))
    }

    /// All plugins: the built-in ones, then those of the directories in order,
    /// then replacements. One that cannot be loaded is an error in its place.
    pub async fn plugins(&self) -> Vec<Result<Arc<Plugin>, Error>> {
        let mut plugins = Vec::new();
        for builtin in builtin::ALL {
            plugins.push(self.load_builtin(builtin).await);
        }
        let replacements = self.inner.replacements.iter().map(|(_, file)| file.clone());
        for file in self.files().into_iter().chain(replacements) {
            plugins.push(self.load_file(&file).await);
        }
        plugins
    }

    /// Loads a plugin from a file, wherever it lies.
    ///
    /// # Errors
    ///
    /// Fails if the file is no plugin that this host can run.
    pub async fn load_file(&self, path: &Path) -> Result<Arc<Plugin>, Error> {
        let cell = Arc::clone(self.inner.loaded.lock().await.files.entry(path.to_owned()).or_default());
        let load = async || {
            let (shared, path) = (Arc::clone(&self.inner.shared), path.to_owned());
            // Compiling takes seconds of computing.
            tokio::task::spawn_blocking(move || Plugin::load_file(&shared, &path))
                .await
                .map_err(|error| Error::Engine(error.to_string()))?
        };
        cell.get_or_try_init(load).await.cloned()
    }

    /// Waits until every plugin that was started has ended and cleaned up. What
    /// is still in use must have been dropped before.
    pub async fn settled(&self) {
        self.inner.shared.tracker().settled().await;
    }

    async fn load_builtin(&self, builtin: &'static builtin::Builtin) -> Result<Arc<Plugin>, Error> {
        let mut loaded = self.inner.loaded.lock().await;
        if let Some(plugin) = loaded.builtin.get(builtin.name) {
            return Ok(Arc::clone(plugin));
        }
        let plugin = Plugin::load_builtin(&self.inner.shared, builtin)?;
        loaded.builtin.insert(builtin.name, Arc::clone(&plugin));
        Ok(plugin)
    }

    /// `*.wasm` files of the plugin directories, each directory sorted by name.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for directory in &self.inner.directories {
            let entries = match std::fs::read_dir(directory) {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    tracing::warn!("plugin directory {}: {error}", directory.display());
                    continue;
                }
            };
            let mut found: Vec<PathBuf> = entries
                .filter_map(|entry| entry.ok().map(|entry| entry.path()))
                .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
                .collect();
            found.sort();
            files.extend(found);
        }
        files
    }

    /// Plugins of the directories and what they serve. Those that cannot be used
    /// are left out with a warning: a broken file must not stop every copy.
    async fn discovered(&self) -> Vec<Discovered> {
        if let Some(discovered) = &self.inner.loaded.lock().await.discovered {
            return discovered.clone();
        }
        let mut discovered = Vec::new();
        for file in self.files() {
            match self.discover(&file).await {
                Ok(found) => discovered.push(found),
                Err(error) => tracing::warn!("plugin left out: {error}"),
            }
        }
        self.inner.loaded.lock().await.discovered.insert(discovered).clone()
    }

    async fn discover(&self, file: &Path) -> Result<Discovered, Error> {
        let plugin = self.load_file(file).await?;
        let transports = plugin.transports().await?;
        let requirement_types = if plugin.abilities().contains(&"policy") {
            Evaluator::new(Arc::clone(&plugin)).requirement_types().await?
        } else {
            Vec::new()
        };
        Ok(Discovered {
            plugin,
            transports,
            requirement_types,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::task::Poll;

    use super::*;

    #[test]
    fn loading_a_plugin_holds_up_nobody() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("no-plugin.wasm");
        std::fs::write(&path, "hello").unwrap();
        let host = PluginHost::builder().build();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (release, released) = std::sync::mpsc::channel::<()>();
            // The only thread that may block is taken until it is released.
            let taken = tokio::task::spawn_blocking(move || released.recv());
            let mut loading = std::pin::pin!(host.load_file(&path));
            let polled = std::future::poll_fn(|context| Poll::Ready(loading.as_mut().poll(context))).await;
            assert!(polled.is_pending());
            assert!(host.inner.loaded.try_lock().is_ok());
            release.send(()).unwrap();
            let error = loading.await.err().unwrap();
            assert!(matches!(error, Error::BadPlugin { .. }), "{error}");
            taken.await.unwrap().unwrap();
        });
    }
}
