use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use longshore_blob::{ChunkSource, SliceSource};
use longshore_types::{BlobInfo, Digest, RawManifest};
use wasmtime::component::{Resource, ResourceAny};

use crate::bindings::transport::exports::longshore::transport::source::Body as GuestBody;
use crate::bindings::transport::longshore::transport::types::BlobInfo as GuestBlobInfo;
use crate::host::bytes::{ChannelSink, ChannelSource, Writer};
use crate::host::session::SessionHandle;
use crate::instance::{Instance, Live};
use crate::state::State;
use crate::{Error, Plugin, limits};

/// Pieces on their way from a guest that produces a blob.
const PIECES_UNDER_WAY: usize = 2;

/// An image that a plugin reads.
pub struct PluginSource {
    plugin: Arc<Plugin>,
    instance: Arc<Instance>,
    source: ResourceAny,
    abilities: BTreeSet<String>,
}

/// The bytes of a blob. They are unverified.
pub struct Body {
    /// Where they come from; nothing is read before the first chunk is asked for.
    pub source: Box<dyn ChunkSource>,
    /// Number of bytes, if known.
    pub size: Option<u64>,
}

impl PluginSource {
    pub(crate) async fn open(plugin: Arc<Plugin>, instance: Instance) -> Result<Self, Error> {
        const OPERATION: &str = "image-source.open";
        let own = Arc::clone(&plugin);
        let (source, abilities) = instance
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    let opened = live
                        .guest(OPERATION, async |store, instance| {
                            let guest = guest(&own, &mut *store, instance)?;
                            let session = store.data_mut().push(SessionHandle)?;
                            let source = match guest.image_source().call_open(&mut *store, session).await? {
                                Ok(source) => source,
                                Err(error) => return Ok(Err(error)),
                            };
                            Ok(Ok((
                                source,
                                guest.image_source().call_abilities(&mut *store, source).await?,
                            )))
                        })
                        .await?;
                    opened.map_err(|error| live.refused(OPERATION, error))
                })
            })
            .await?;
        Ok(Self {
            plugin,
            instance: Arc::new(instance),
            source,
            abilities: abilities.into_iter().collect(),
        })
    }

    /// Finer abilities, an open set: `signatures` (there may be some to read).
    pub fn abilities(&self) -> &BTreeSet<String> {
        &self.abilities
    }

    /// The manifest of the image, or of an instance of its index. Its bytes are
    /// checked against `instance`, or else against the digest that the storage
    /// has for them, if any.
    ///
    /// # Errors
    ///
    /// Fails as the plugin does, and if the bytes do not match, are too many or
    /// ambiguous.
    pub async fn manifest(&self, instance: Option<&Digest>) -> Result<RawManifest, Error> {
        const OPERATION: &str = "image-source.manifest";
        let (own, source) = (Arc::clone(&self.plugin), self.source);
        let wanted = instance.cloned();
        let asked = wanted.as_ref().map(Digest::to_string);
        self.instance
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    let manifest = live
                        .guest(OPERATION, async |store, instance| {
                            let guest = guest(&own, &mut *store, instance)?;
                            guest
                                .image_source()
                                .call_manifest(&mut *store, source, asked.as_ref())
                                .await
                        })
                        .await?
                        .map_err(|error| live.refused(OPERATION, error))?;
                    let invalid = |message: String| live.invalid(OPERATION, message);
                    if manifest.bytes.len() > limits::DOCUMENT {
                        return Err(invalid(format!(
                            "the manifest is larger than {} bytes",
                            limits::DOCUMENT
                        )));
                    }
                    let claimed = match (wanted, manifest.digest) {
                        (Some(digest), _) => Some(digest),
                        (None, Some(text)) => Some(Digest::parse(&text).map_err(|error| invalid(error.to_string()))?),
                        (None, None) => None,
                    };
                    let declared = Some(manifest.media_type.as_str()).filter(|name| !name.is_empty());
                    let manifest =
                        RawManifest::new(manifest.bytes, declared).map_err(|error| invalid(error.to_string()))?;
                    if let Some(claimed) = claimed {
                        let actual = manifest.digest(claimed.algorithm());
                        if actual != claimed {
                            return Err(invalid(format!(
                                "manifest digest did not match, expected {claimed}, got {actual}"
                            )));
                        }
                    }
                    Ok(manifest)
                })
            })
            .await
    }

    /// The bytes of a blob that a manifest of this image names.
    ///
    /// # Errors
    ///
    /// Fails as the plugin does; `ErrorKind::BlobNotFound` if it is missing.
    pub async fn blob(&self, info: &BlobInfo) -> Result<Body, Error> {
        const OPERATION: &str = "image-source.blob";
        let (own, source) = (Arc::clone(&self.plugin), self.source);
        let info = to_guest(info);
        let (body, blob) = self
            .instance
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    let answer = live
                        .guest(OPERATION, async |store, instance| {
                            let guest = guest(&own, &mut *store, instance)?;
                            let blob = match guest.image_source().call_blob(&mut *store, source, &info).await? {
                                Ok(blob) => blob,
                                Err(error) => return Ok(Err(error)),
                            };
                            let body = guest.blob().call_body(&mut *store, blob).await?;
                            if !matches!(body, Ok(GuestBody::Produced(_))) {
                                blob.resource_drop_async(&mut *store).await?;
                            }
                            Ok(body.map(|body| (body, blob)))
                        })
                        .await?;
                    let (body, blob) = answer.map_err(|error| live.refused(OPERATION, error))?;
                    Ok((Taken::of(live, OPERATION, body)?, blob))
                })
            })
            .await?;
        Ok(match body {
            Taken::Here(body) => body,
            Taken::Produced(size) => {
                let waiting = Unread {
                    plugin: Arc::clone(&self.plugin),
                    instance: Arc::clone(&self.instance),
                    blob: Some(blob),
                };
                Body {
                    source: Box::new(Produced::Waiting(waiting)),
                    size,
                }
            }
        })
    }

    /// The layers that can be read in the place of those that the manifest of the
    /// image, or of an instance, names; none if those can be read.
    ///
    /// # Errors
    ///
    /// Fails as the plugin does, and if an answer is no description of a layer.
    pub async fn layers(&self, instance: Option<&Digest>) -> Result<Option<Vec<BlobInfo>>, Error> {
        const OPERATION: &str = "image-source.layers";
        if !self.abilities.contains("layers") {
            return Ok(None);
        }
        let (own, source) = (Arc::clone(&self.plugin), self.source);
        let asked = instance.map(Digest::to_string);
        self.instance
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    let layers = live
                        .guest(OPERATION, async |store, instance| {
                            let guest = guest(&own, &mut *store, instance)?;
                            guest
                                .image_source()
                                .call_layers(&mut *store, source, asked.as_ref())
                                .await
                        })
                        .await?
                        .map_err(|error| live.refused(OPERATION, error))?;
                    let layers: Result<Vec<BlobInfo>, _> = layers.into_iter().map(from_guest).collect();
                    layers.map(Some).map_err(|message| live.invalid(OPERATION, message))
                })
            })
            .await
    }

    /// Stored signatures of the image or of an instance, in storage order; none
    /// if the transport keeps no signatures.
    ///
    /// # Errors
    ///
    /// Fails as the plugin does, and if they are too large.
    pub async fn signatures(&self, instance: Option<&Digest>) -> Result<Vec<Vec<u8>>, Error> {
        const OPERATION: &str = "image-source.signatures";
        if !self.abilities.contains("signatures") {
            return Ok(Vec::new());
        }
        let (own, source) = (Arc::clone(&self.plugin), self.source);
        let asked = instance.map(Digest::to_string);
        self.instance
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    let signatures = live
                        .guest(OPERATION, async |store, instance| {
                            let guest = guest(&own, &mut *store, instance)?;
                            guest
                                .image_source()
                                .call_signatures(&mut *store, source, asked.as_ref())
                                .await
                        })
                        .await?
                        .map_err(|error| live.refused(OPERATION, error))?;
                    if signatures.iter().map(Vec::len).sum::<usize>() > limits::DOCUMENT {
                        return Err(live.invalid(
                            OPERATION,
                            format!("the signatures are larger than {} bytes together", limits::DOCUMENT),
                        ));
                    }
                    Ok(signatures)
                })
            })
            .await
    }
}

type Guest = crate::bindings::transport::exports::longshore::transport::source::Guest;

/// The interface of an instance, whose types are checked once.
fn guest(
    plugin: &Plugin,
    store: &mut wasmtime::Store<State>,
    instance: &wasmtime::component::Instance,
) -> wasmtime::Result<Arc<Guest>> {
    if let Some(guest) = &store.data().checked.source {
        return Ok(Arc::clone(guest));
    }
    let Some(indices) = &plugin.exports.source else {
        wasmtime::bail!("it is not a source");
    };
    let guest = Arc::new(indices.load(&mut *store, instance)?);
    Ok(Arc::clone(store.data_mut().checked.source.insert(guest)))
}

/// A blob description as guests get it.
pub(crate) fn to_guest(info: &BlobInfo) -> GuestBlobInfo {
    let pairs = |map: &BTreeMap<String, String>| map.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    GuestBlobInfo {
        digest: info.digest.as_ref().map(Digest::to_string),
        size: info.size,
        media_type: info.media_type.clone(),
        annotations: pairs(&info.annotations),
        urls: info.urls.clone(),
        extras: pairs(&info.extras),
    }
}

/// A blob description of a guest.
fn from_guest(info: GuestBlobInfo) -> Result<BlobInfo, String> {
    let digest = info.digest.as_deref().map(Digest::parse).transpose();
    Ok(BlobInfo {
        digest: digest.map_err(|error| error.to_string())?,
        size: info.size,
        media_type: info.media_type,
        annotations: info.annotations.into_iter().collect(),
        urls: info.urls,
        extras: info.extras.into_iter().collect(),
    })
}

/// A body without the guest's handles.
enum Taken {
    Here(Body),
    Produced(Option<u64>),
}

impl Taken {
    /// Takes the handle that the guest gave away out of its table.
    fn of(live: &mut Live, operation: &'static str, body: GuestBody) -> Result<Self, Error> {
        const GONE: &str = "it handed over a handle that is gone";
        Ok(Self::Here(match body {
            GuestBody::Range(range) => {
                let file = live.store.data_mut().table.delete(range.file);
                let file = file.map_err(|_| live.broke_contract(operation, GONE))?;
                let (source, size) = file
                    .source(range.offset, range.length)
                    .map_err(|error| live.refused(operation, error))?;
                Body {
                    source: Box::new(source),
                    size: Some(size),
                }
            }
            GuestBody::Inline(bytes) if bytes.len() > limits::PIECE => {
                return Err(live.broke_contract(operation, "it answered with an inline blob of more than 1 MiB"));
            }
            GuestBody::Inline(bytes) => {
                let size = Some(bytes.len() as u64);
                Body {
                    source: Box::new(SliceSource::new(bytes)),
                    size,
                }
            }
            GuestBody::Streamed(reader) => {
                let reader = live.store.data_mut().table.delete(reader);
                let reader = reader.map_err(|_| live.broke_contract(operation, GONE))?;
                Body {
                    source: reader.into_source(),
                    size: None,
                }
            }
            GuestBody::Produced(size) => return Ok(Self::Produced(size)),
        }))
    }
}

/// A blob that the guest writes itself, from the moment that its first chunk is
/// asked for. Starting no earlier keeps blobs that wait for each other's threads
/// from standing still for good: whoever has the source's thread is being read.
enum Produced {
    Waiting(Unread),
    Running(ChannelSource),
    Failed,
}

/// A blob of the guest that nobody asked for yet. Dropped, the guest's part of it
/// goes too.
struct Unread {
    plugin: Arc<Plugin>,
    instance: Arc<Instance>,
    blob: Option<ResourceAny>,
}

impl Drop for Unread {
    fn drop(&mut self) {
        if let Some(blob) = self.blob.take() {
            self.instance.release("blob drop", blob);
        }
    }
}

impl ChunkSource for Produced {
    fn next_chunk(&mut self) -> std::io::Result<Option<Bytes>> {
        loop {
            match std::mem::replace(self, Self::Failed) {
                Self::Waiting(mut unread) => {
                    if let Some(blob) = unread.blob.take() {
                        let plugin = Arc::clone(&unread.plugin);
                        *self = Self::Running(produce(plugin, &unread.instance, blob));
                    }
                }
                Self::Running(mut channel) => {
                    let chunk = channel.next_chunk()?;
                    *self = Self::Running(channel);
                    return Ok(chunk);
                }
                Self::Failed => return Err(std::io::Error::other("the stream failed before")),
            }
        }
    }
}

fn produce(plugin: Arc<Plugin>, instance: &Instance, blob: ResourceAny) -> ChannelSource {
    const OPERATION: &str = "blob.produce";
    let (sender, receiver) = crossbeam_channel::bounded(PIECES_UNDER_WAY);
    let complete = Arc::new(AtomicBool::new(false));
    let control = Arc::clone(instance.control());
    let own_complete = Arc::clone(&complete);
    instance.send(move |live| {
        Box::pin(async move {
            let own_sender = sender.clone();
            let result = live
                .guest(OPERATION, async |store, instance| {
                    let guest = guest(&plugin, &mut *store, instance)?;
                    let writer = store.data_mut().push(Writer::Channel(ChannelSink::new(own_sender)))?;
                    let borrowed = Resource::new_borrow(writer.rep());
                    let result = guest.blob().call_produce(&mut *store, blob, borrowed).await?;
                    let mut writer = store.data_mut().table.delete(writer)?;
                    let control = Arc::clone(store.data().control());
                    let result = result.and_then(|()| writer.flush(&control));
                    blob.resource_drop_async(&mut *store).await?;
                    Ok(result)
                })
                .await;
            match result.and_then(|result| result.map_err(|error| live.refused(OPERATION, error))) {
                Ok(()) => own_complete.store(true, Ordering::Release),
                // Nobody may be reading any more.
                Err(error) => drop(sender.send(Err(std::io::Error::other(error)))),
            }
        })
    });
    ChannelSource::new(receiver, complete, move || control.is_cancelled())
}
