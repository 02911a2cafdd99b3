//! Everything that is a plugin's: transports and policy evaluators.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_blob::{ChunkSink, ChunkSource};
use longshore_config::{Environment, StorageConfig};
use longshore_runtime::{
    Error, Origin, Plugin, PluginDestination, PluginHost, PluginSource, Requirement, Session, Settings,
};
use longshore_types::{BlobInfo, Digest, ErrorKind, PlatformWish, RawManifest, Reference};

use crate::access::Access;
use crate::destination::{DestinationTraits, ImageDestination, PendingBlob, Publish, Reused};
use crate::docker::Elsewhere;
use crate::error::TransportError;
use crate::policy::{Evaluator, Evaluators, ImageFacts, Verdict};
use crate::source::{Body, ImageSource};
use crate::transport::{Identity, Location, Purpose, Transport};

/// The transport that a plugin serves under this name, if one does.
pub(crate) async fn find(
    plugins: &PluginHost,
    environment: &Arc<Environment>,
    name: &str,
) -> Result<Option<Arc<dyn Transport>>, TransportError> {
    match plugins.transport(name).await {
        Ok(plugin) => Ok(Some(Arc::new(PluginTransport {
            name: name.to_owned(),
            plugin,
            environment: Arc::clone(environment),
        }))),
        Err(Error::UnknownTransport(_)) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn failed(error: Error) -> TransportError {
    TransportError::wrap(error.kind(), error)
}

/// An error on the way of bytes keeps its class.
fn on_bytes(error: io::Error) -> io::Error {
    match error.downcast::<Error>() {
        Ok(error) => io::Error::other(failed(error)),
        Err(error) => error,
    }
}

/// The transport whose images are where storage.conf says.
const CONTAINERS_STORAGE: &str = "containers-storage";

struct PluginTransport {
    name: String,
    plugin: Arc<Plugin>,
    environment: Arc<Environment>,
}

/// What storage.conf and its variables say, for the plugin that looks for images there.
fn with_storage(settings: Settings, environment: &Environment) -> Result<Settings, TransportError> {
    let storage =
        StorageConfig::load(environment).map_err(|error| TransportError::wrap(ErrorKind::InvalidData, error))?;
    let mut settings = settings
        .with(Settings::STORAGE_ROOT, storage.graph_root.to_string_lossy())
        .with(Settings::STORAGE_RUN_ROOT, storage.run_root.to_string_lossy());
    if let Some(driver) = storage.driver {
        settings = settings.with(Settings::STORAGE_DRIVER, driver);
    }
    if !storage.options.is_empty() {
        settings = settings.with(Settings::STORAGE_OPTIONS, storage.options.join(","));
    }
    if !storage.image_stores.is_empty() {
        settings = settings.with(Settings::STORAGE_IMAGE_STORES, storage.image_stores.join("\n"));
    }
    Ok(settings)
}

#[async_trait]
impl Transport for PluginTransport {
    fn name(&self) -> &str {
        &self.name
    }

    async fn parse(
        &self,
        reference: &str,
        purpose: Purpose,
        access: &Access,
    ) -> Result<Box<dyn Location>, TransportError> {
        let running = PlatformWish::running();
        let mut settings = Settings::default()
            .with(Settings::HOST_OS, running.os)
            .with(Settings::HOST_ARCHITECTURE, running.architecture);
        if let Some(path) = &access.shared_blob_dir {
            settings = settings.with(Settings::SHARED_BLOB_DIR, path.to_string_lossy());
        }
        if let Some(address) = &access.daemon_host {
            settings = settings.with(Settings::DAEMON_HOST, address);
        }
        if let Some(path) = &access.cert_dir {
            settings = settings.with(Settings::CERT_DIR, path.to_string_lossy());
        }
        if access.tls_verify == Some(false) {
            settings = settings.without_tls_verification();
        }
        if !access.additional_tags.is_empty() {
            let tags: Vec<String> = access.additional_tags.iter().map(Reference::to_string).collect();
            settings = settings.with(Settings::ADDITIONAL_TAGS, tags.join(" "));
        }
        if self.name == CONTAINERS_STORAGE {
            settings = with_storage(settings, &self.environment)?;
        }
        let purpose = match purpose {
            Purpose::Source => longshore_runtime::Purpose::Source,
            Purpose::Destination => longshore_runtime::Purpose::Destination,
            Purpose::Delete => longshore_runtime::Purpose::Delete,
            Purpose::Enumerate => longshore_runtime::Purpose::Enumerate,
        };
        let planned = self
            .plugin
            .parse(&self.name, reference, purpose, &settings)
            .await
            .map_err(failed)?;
        Ok(Box::new(PluginLocation {
            transport: self.name.clone(),
            reference: reference.to_owned(),
            planned,
            // Where the URLs lead is the plugin's to say: one of somebody else's has no network.
            elsewhere: (*self.plugin.origin() == Origin::BuiltIn).then(|| Elsewhere::new(access)),
        }))
    }
}

struct PluginLocation {
    transport: String,
    reference: String,
    planned: longshore_runtime::Planned,
    elsewhere: Option<Elsewhere>,
}

impl PluginLocation {
    async fn open(self) -> Result<(Session, Identity, Option<Elsewhere>), TransportError> {
        let session = self.planned.open().await.map_err(failed)?;
        let identity = session.identify().await.map_err(failed)?;
        // A format may keep a name that is none by today's rules; then the image has none.
        let docker_reference = identity
            .docker_reference
            .and_then(|name| Reference::parse_normalized(&name).ok());
        let identity = Identity {
            transport: self.transport,
            canonical: identity.canonical,
            docker_reference,
            policy_identity: identity.policy_identity,
            policy_scopes: identity.policy_scopes,
        };
        Ok((session, identity, self.elsewhere))
    }
}

#[async_trait]
impl Location for PluginLocation {
    fn display(&self) -> String {
        format!("{}:{}", self.transport, self.reference)
    }

    async fn open_source(self: Box<Self>) -> Result<Box<dyn ImageSource>, TransportError> {
        let (session, identity, elsewhere) = self.open().await?;
        Ok(Box::new(Source {
            source: session.source().await.map_err(failed)?,
            identity,
            elsewhere,
        }))
    }

    async fn open_destination(
        self: Box<Self>,
        _source: &Identity,
    ) -> Result<Box<dyn ImageDestination>, TransportError> {
        let (session, identity, _) = self.open().await?;
        let destination = session.destination().await.map_err(failed)?;
        let traits = destination.traits();
        let traits = DestinationTraits {
            manifest_types: traits.manifest_types.clone(),
            layer_compression: traits.layer_compression,
            abilities: traits.abilities.clone(),
            signatures_refused: signatures_refused(&identity.transport),
        };
        Ok(Box::new(Destination {
            destination,
            identity,
            traits,
        }))
    }

    async fn delete(self: Box<Self>) -> Result<(), TransportError> {
        let (session, ..) = self.open().await?;
        session.delete().await.map_err(failed)
    }

    async fn list(self: Box<Self>) -> Result<Vec<String>, TransportError> {
        let (session, ..) = self.open().await?;
        session.images().await.map_err(failed)
    }
}

/// Words that scripts match on (OC-07, DA-09); the contract has no place for them.
fn signatures_refused(transport: &str) -> Option<String> {
    let words = match transport {
        "oci" | "oci-archive" => "Pushing signatures for OCI images is not supported",
        "docker-archive" | "docker-daemon" => "Storing signatures for docker tar files is not supported",
        _ => return None,
    };
    Some(words.to_owned())
}

struct Source {
    source: PluginSource,
    identity: Identity,
    elsewhere: Option<Elsewhere>,
}

#[async_trait]
impl ImageSource for Source {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    async fn manifest(&self, instance: Option<&Digest>) -> Result<RawManifest, TransportError> {
        self.source.manifest(instance).await.map_err(failed)
    }

    async fn blob(&self, info: &BlobInfo) -> Result<Body, TransportError> {
        let body = match (self.source.blob(info).await.map_err(failed), &info.digest) {
            (Err(missing), Some(digest)) if missing.kind() == ErrorKind::BlobNotFound => {
                let fetched = match &self.elsewhere {
                    Some(elsewhere) => elsewhere.fetch(digest, info).await?,
                    None => None,
                };
                return fetched.ok_or(missing);
            }
            (body, _) => body?,
        };
        Ok(Body {
            source: Box::new(Bytewise(body.source)),
            size: body.size,
        })
    }

    async fn layers(&self, instance: Option<&Digest>) -> Result<Option<Vec<BlobInfo>>, TransportError> {
        self.source.layers(instance).await.map_err(failed)
    }

    async fn signatures(&self, instance: Option<&Digest>) -> Result<Vec<Vec<u8>>, TransportError> {
        self.source.signatures(instance).await.map_err(failed)
    }
}

struct Destination {
    destination: PluginDestination,
    identity: Identity,
    traits: DestinationTraits,
}

#[async_trait]
impl ImageDestination for Destination {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn traits(&self) -> &DestinationTraits {
        &self.traits
    }

    async fn reuse(&self, info: &BlobInfo, substitute: bool) -> Result<Option<Reused>, TransportError> {
        let found = self.destination.reuse(info, substitute).await.map_err(failed)?;
        Ok(found.map(|info| Reused { info, mounted: false }))
    }

    async fn begin_blob(&self, info: &BlobInfo) -> Result<Option<PendingBlob>, TransportError> {
        let Some(mut pending) = self.destination.begin_blob(info).await.map_err(failed)? else {
            return Ok(None);
        };
        let sink = pending
            .take_sink()
            .ok_or_else(|| TransportError::unsupported(&self.identity.transport, "writing this blob"))?;
        Ok(Some(PendingBlob {
            sink: Box::new(Bytewise(sink)),
            publish: Box::new(Pending(pending)),
        }))
    }

    async fn put_manifest(&self, manifest: &RawManifest, instance: Option<&Digest>) -> Result<(), TransportError> {
        self.destination.put_manifest(manifest, instance).await.map_err(failed)
    }

    async fn put_signatures(&self, signatures: &[Vec<u8>], instance: Option<&Digest>) -> Result<(), TransportError> {
        self.destination
            .put_signatures(signatures.to_vec(), instance)
            .await
            .map_err(failed)
    }

    async fn commit(self: Box<Self>, top: &RawManifest) -> Result<(), TransportError> {
        self.destination.commit(top).await.map_err(failed)
    }
}

struct Pending(longshore_runtime::PendingBlob);

#[async_trait]
impl Publish for Pending {
    async fn finish(self: Box<Self>, digest: &Digest, size: u64) -> Result<(), TransportError> {
        self.0.finish(digest, size).await.map_err(failed)
    }

    /// The runtime removes what is dropped unfinished. Why a sink failed its own errors say.
    async fn abort(self: Box<Self>) -> Option<TransportError> {
        None
    }
}

/// A source or sink of the runtime, whose errors become those of this crate.
struct Bytewise<T>(T);

impl ChunkSource for Bytewise<Box<dyn ChunkSource>> {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        self.0.next_chunk().map_err(on_bytes)
    }
}

impl ChunkSink for Bytewise<Box<dyn ChunkSink>> {
    fn write_chunk(&mut self, chunk: Bytes) -> io::Result<()> {
        self.0.write_chunk(chunk).map_err(on_bytes)
    }

    fn write_chunks(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        self.0.write_chunks(chunks).map_err(on_bytes)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.finish().map_err(on_bytes)
    }
}

#[async_trait]
impl Evaluators for PluginHost {
    async fn find(&self, requirement_type: &str) -> Result<Option<Box<dyn Evaluator>>, String> {
        let found = self
            .evaluator(requirement_type)
            .await
            .map_err(|error| error.to_string())?;
        Ok(found.map(|evaluator| Box::new(evaluator) as Box<dyn Evaluator>))
    }
}

#[async_trait]
impl Evaluator for longshore_runtime::Evaluator {
    async fn files(&self, requirement: &str) -> Result<Vec<PathBuf>, String> {
        let checked = self.check(requirement).await.map_err(|error| error.to_string())??;
        Ok(checked.into_iter().map(PathBuf::from).collect())
    }

    async fn evaluate(
        &self,
        requirement: &str,
        files: &[(PathBuf, Vec<u8>)],
        image: &ImageFacts,
    ) -> Result<Verdict, String> {
        let files = files
            .iter()
            .map(|(path, data)| (path.to_string_lossy().into_owned(), data.clone()))
            .collect();
        let requirement = Requirement {
            json: requirement.to_owned(),
            files,
        };
        let image = longshore_runtime::ImageFacts {
            transport: image.transport.clone(),
            policy_identity: image.policy_identity.clone(),
            docker_reference: image.docker_reference.clone(),
            name: image.name.clone(),
            manifest: image.manifest.clone(),
            index: image.list.clone(),
            signatures: image.signatures.clone(),
            config: Arc::clone(&image.config),
            now: image.now,
        };
        Self::evaluate(self, requirement, image)
            .await
            .map_err(|error| error.to_string())?
    }
}
