//! The config of an image, which is read while its destination is asked whether it has the image already.

use std::sync::Arc;

use bytes::Bytes;
use longshore_types::{Digest, ImageConfig, ImageManifest};
use tokio::sync::{Mutex, OnceCell};
use tokio::task::JoinSet;

use crate::error::CopyError;
use crate::image::read_config;
use crate::source::ImageSource;

/// A config that was read.
pub(crate) struct Config {
    /// As stored, verified against the manifest.
    pub(crate) bytes: Bytes,
    /// The uncompressed layers as it lists them; empty if it lists none.
    pub(crate) diff_ids: Vec<Digest>,
}

impl Config {
    pub(crate) fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        // One that is none of an image, such as an artifact's, lists no layers.
        let diff_ids = ImageConfig::parse(&bytes[..]).and_then(|config| config.diff_ids());
        let diff_ids = diff_ids.unwrap_or_default();
        Self { bytes, diff_ids }
    }
}

/// A config that may be on its way still. Dropped before it came, it is not waited for.
pub(crate) struct PendingConfig {
    read: OnceCell<Config>,
    reading: Mutex<JoinSet<Result<Vec<u8>, CopyError>>>,
}

impl PendingConfig {
    /// Begins to read the config that a manifest names; within a tokio runtime.
    pub(crate) fn reading(source: Arc<dyn ImageSource>, manifest: &ImageManifest) -> Self {
        let manifest = manifest.clone();
        let mut reading = JoinSet::new();
        reading.spawn(async move { read_config(source.as_ref(), &manifest).await });
        Self {
            read: OnceCell::new(),
            reading: Mutex::new(reading),
        }
    }

    /// The config, once it is there. What kept it from being read is told once.
    pub(crate) async fn get(&self) -> Result<&Config, CopyError> {
        let wait = async {
            match self.reading.lock().await.join_next().await {
                Some(Ok(read)) => read.map(Config::new),
                Some(Err(error)) => Err(CopyError::Internal(error.to_string())),
                None => Err(CopyError::Internal(
                    "a config that could not be read is wanted again".into(),
                )),
            }
        };
        self.read.get_or_try_init(|| wait).await
    }
}

impl From<Config> for PendingConfig {
    fn from(config: Config) -> Self {
        Self {
            read: OnceCell::new_with(Some(config)),
            reading: Mutex::default(),
        }
    }
}
