use std::collections::BTreeMap;
use std::sync::Arc;

use longshore_config::Environment;
use longshore_runtime::PluginHost;
use longshore_types::{ImageName, ImageNameError};

use crate::access::Access;
use crate::atomic::{self, AtomicTransport};
use crate::docker::{self, DockerTransport};
use crate::error::{CopyError, Side, TransportError};
use crate::plugin;
use crate::source::ImageSource;
use crate::transport::{Location, Purpose, Transport};

/// The transports that images can be named by.
///
/// [`Transports::standard`] has `docker`, `atomic` and those of a plugin host; an embedder may also bring its own.
#[derive(Clone)]
pub struct Transports {
    native: Arc<BTreeMap<String, Arc<dyn Transport>>>,
    plugins: Option<(PluginHost, Arc<Environment>)>,
}

/// The other transport whose tags can be listed.
const DOCKER_ARCHIVE: &str = "docker-archive";

/// A name and the settings to use with it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Which image.
    pub name: ImageName,
    /// How to get at it.
    pub access: Access,
}

/// The answer to a tag listing, as `list-tags` prints it (LT-02, LT-03).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagList {
    /// The repository's full name, `domain/path`; none for an archive.
    pub repository: Option<String>,
    /// Its tags in the registry's order, or the names of all images of an archive.
    pub tags: Vec<String>,
}

impl Transports {
    /// Exactly these transports; of two with one name the first stays.
    pub fn new(transports: impl IntoIterator<Item = Arc<dyn Transport>>) -> Self {
        let mut native = BTreeMap::new();
        for transport in transports {
            native.entry(transport.name().to_owned()).or_insert(transport);
        }
        Self {
            native: Arc::new(native),
            plugins: None,
        }
    }

    /// `docker` and `atomic`, with credentials from where `environment` says, and whatever plugins there are. It also
    /// says where `containers-storage` is.
    pub fn standard(plugins: PluginHost, environment: Arc<Environment>) -> Self {
        let docker: Arc<dyn Transport> = Arc::new(DockerTransport::new(Arc::clone(&environment)));
        let atomic: Arc<dyn Transport> = Arc::new(AtomicTransport::new(Arc::clone(&environment)));
        Self {
            plugins: Some((plugins, environment)),
            ..Self::new([docker, atomic])
        }
    }

    /// The names to show to users, sorted. `atomic` is known without being shown (T-02). This has to look into every
    /// plugin.
    pub async fn names(&self) -> Vec<String> {
        let shown = self.native.keys().filter(|name| *name != atomic::NAME);
        let mut names: Vec<String> = shown.cloned().collect();
        if let Some((plugins, _)) = &self.plugins {
            names.extend(plugins.transport_names().await);
        }
        names.sort();
        names.dedup();
        names
    }

    /// Splits an image name (T-01).
    pub async fn parse_name(&self, text: &str) -> Result<ImageName, CopyError> {
        let name = text.split_once(':').map_or("", |(name, _)| name);
        let known = match self.find(name).await {
            Ok(found) => found.map(|_| name),
            // It is there but does not work, which is for its user to say.
            Err(_) => Some(name),
        };
        Ok(ImageName::parse(text, known)?)
    }

    async fn find(&self, name: &str) -> Result<Option<Arc<dyn Transport>>, TransportError> {
        match (self.native.get(name), &self.plugins) {
            (Some(native), _) => Ok(Some(Arc::clone(native))),
            (None, Some((plugins, environment))) => plugin::find(plugins, environment, name).await,
            (None, None) => Ok(None),
        }
    }

    /// Reads the reference part of a name; nothing is opened.
    pub async fn locate(&self, endpoint: &Endpoint, purpose: Purpose) -> Result<Box<dyn Location>, CopyError> {
        let Endpoint { name, access } = endpoint;
        let failed = |source| CopyError::Open {
            side: side_of(purpose),
            name: name.to_string(),
            source,
        };
        match self.find(&name.transport).await.map_err(failed)? {
            Some(transport) => transport.parse(&name.reference, purpose, access).await.map_err(failed),
            None => Err(ImageNameError::UnknownTransport {
                name: name.to_string(),
                transport: name.transport.clone(),
            }
            .into()),
        }
    }

    /// Opens an image for reading.
    pub async fn open_source(&self, endpoint: &Endpoint) -> Result<Box<dyn ImageSource>, CopyError> {
        let location = self.locate(endpoint, Purpose::Source).await?;
        let name = location.display();
        let failed = |source| CopyError::Open {
            side: Side::Source,
            name,
            source,
        };
        location.open_source().await.map_err(failed)
    }

    /// Removes an image (DL-02, DL-03, DL-07).
    pub async fn delete(&self, endpoint: &Endpoint) -> Result<(), CopyError> {
        let location = self.locate(endpoint, Purpose::Delete).await?;
        let name = location.display();
        let failed = |source| CopyError::Manage {
            doing: "deleting",
            name,
            source,
        };
        location.delete().await.map_err(failed)
    }

    /// All tags of a `docker://` repository or a `docker-archive:` (LT-01, LT-02, LT-03).
    pub async fn list_tags(&self, endpoint: &Endpoint) -> Result<TagList, CopyError> {
        let transport = &endpoint.name.transport;
        if ![docker::NAME, DOCKER_ARCHIVE].contains(&transport.as_str()) {
            return Err(CopyError::Unsupported(format!(
                "Unsupported transport '{transport}' for tag listing. Only supported: docker, docker-archive"
            )));
        }
        let location = self.locate(endpoint, Purpose::Enumerate).await?;
        let name = location.display();
        let failed = |source| CopyError::Manage {
            doing: "listing tags of",
            name,
            source,
        };
        let tags = location.list().await.map_err(failed)?;
        if transport == DOCKER_ARCHIVE {
            let repository = None;
            return Ok(TagList { repository, tags });
        }
        let repository = docker::repository_name(&endpoint.name.reference).map_err(|source| CopyError::Open {
            side: Side::Source,
            name: endpoint.name.to_string(),
            source,
        })?;
        Ok(TagList {
            repository: Some(repository),
            tags,
        })
    }

    /// The images at a place that can hold several, such as a layout.
    pub async fn images(&self, endpoint: &Endpoint) -> Result<Vec<String>, CopyError> {
        let location = self.locate(endpoint, Purpose::Enumerate).await?;
        let name = location.display();
        let failed = |source| CopyError::Manage {
            doing: "listing images of",
            name,
            source,
        };
        location.list().await.map_err(failed)
    }
}

fn side_of(purpose: Purpose) -> Side {
    match purpose {
        Purpose::Source | Purpose::Enumerate => Side::Source,
        Purpose::Destination | Purpose::Delete => Side::Destination,
    }
}
