mod pending;

use std::collections::BTreeSet;
use std::sync::Arc;

use longshore_blob::{ChunkSink, LayerWish};
use longshore_types::{Algorithm, BlobInfo, Digest, RawManifest};
use wasmtime::component::ResourceAny;

use crate::bindings::transport::exports::longshore::transport::destination::Target as GuestTarget;
use crate::bindings::transport::longshore::transport::types::Manifest as GuestManifest;
use crate::host::bytes::Writer;
use crate::host::session::SessionHandle;
use crate::instance::{Instance, Live};
use crate::source::to_guest;
use crate::state::State;
use crate::{Error, Plugin};
use pending::{Consumed, Pending};

pub use pending::PendingBlob;

/// Storage that a plugin writes one image to. Dropped before
/// [`PluginDestination::commit`], the image never existed.
pub struct PluginDestination {
    plugin: Arc<Plugin>,
    instance: Arc<Instance>,
    destination: ResourceAny,
    traits: DestinationTraits,
}

/// What a destination can store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationTraits {
    /// Manifest types, best first; empty: all.
    pub manifest_types: Vec<String>,
    /// What is to be done to layers.
    pub layer_compression: LayerWish,
    /// Open set: `signatures` (they can be stored), `lists` (so can indexes and
    /// the manifests they name), `one-at-a-time` (one blob after the other),
    /// `foreign-layers` (a layer that has URLs need not be stored), `size-first`
    /// (digest and size are told before the bytes).
    pub abilities: BTreeSet<String>,
}

impl PluginDestination {
    pub(crate) async fn open(plugin: Arc<Plugin>, instance: Instance) -> Result<Self, Error> {
        const OPERATION: &str = "image-destination.open";
        let own = Arc::clone(&plugin);
        let (destination, traits) = instance
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    let opened = live
                        .guest(OPERATION, async |store, instance| {
                            let guest = guest(&own, &mut *store, instance)?;
                            let session = store.data_mut().push(SessionHandle)?;
                            let destination = match guest.image_destination().call_open(&mut *store, session).await? {
                                Ok(destination) => destination,
                                Err(error) => return Ok(Err(error)),
                            };
                            let traits = guest.image_destination().call_traits(&mut *store, destination).await?;
                            Ok(Ok((destination, traits)))
                        })
                        .await?;
                    opened.map_err(|error| live.refused(OPERATION, error))
                })
            })
            .await?;
        let traits = DestinationTraits {
            manifest_types: traits.manifest_types,
            layer_compression: match traits.layer_compression.as_str() {
                "compress" => LayerWish::Compress,
                "decompress" => LayerWish::Decompress,
                _ => LayerWish::Preserve,
            },
            abilities: traits.abilities.into_iter().collect(),
        };
        Ok(Self {
            plugin,
            instance: Arc::new(instance),
            destination,
            traits,
        })
    }

    /// What can be stored.
    pub fn traits(&self) -> &DestinationTraits {
        &self.traits
    }

    /// Whether a blob is here already: its true size, or none.
    ///
    /// # Errors
    ///
    /// Fails as the plugin does, or if it answers with another blob without
    /// having been allowed to.
    pub async fn reuse(&self, info: &BlobInfo, substitute: bool) -> Result<Option<BlobInfo>, Error> {
        const OPERATION: &str = "image-destination.reuse";
        let (own, destination) = (Arc::clone(&self.plugin), self.destination);
        let asked = info.clone();
        self.instance
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    let guest_info = to_guest(&asked);
                    let found = live
                        .guest(OPERATION, async |store, instance| {
                            let guest = guest(&own, &mut *store, instance)?;
                            guest
                                .image_destination()
                                .call_reuse(&mut *store, destination, &guest_info, substitute)
                                .await
                        })
                        .await?
                        .map_err(|error| live.refused(OPERATION, error))?;
                    let Some(found) = found else { return Ok(None) };
                    let digest = match found.digest.as_deref().map(Digest::parse).transpose() {
                        Ok(digest) => digest,
                        Err(error) => return Err(live.invalid(OPERATION, error.to_string())),
                    };
                    if !substitute && digest != asked.digest {
                        return Err(live.broke_contract(OPERATION, "it answered with another blob"));
                    }
                    Ok(Some(BlobInfo {
                        digest,
                        size: found.size,
                        media_type: found.media_type,
                        ..asked
                    }))
                })
            })
            .await
    }

    /// Announces a blob. None if it is here already.
    ///
    /// # Errors
    ///
    /// Fails as the plugin does.
    pub async fn begin_blob(&self, info: &BlobInfo) -> Result<Option<PendingBlob>, Error> {
        const OPERATION: &str = "image-destination.begin-blob";
        let (own, destination) = (Arc::clone(&self.plugin), self.destination);
        let is_named = info.digest.is_some();
        let info = to_guest(info);
        let begun = self
            .instance
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    let answer = live
                        .guest(OPERATION, async |store, instance| {
                            let guest = guest(&own, &mut *store, instance)?;
                            let begun = guest
                                .image_destination()
                                .call_begin_blob(&mut *store, destination, &info)
                                .await?;
                            let writer = match begun {
                                Ok(writer) => writer,
                                Err(error) => return Ok(Err(error)),
                            };
                            let target = guest.blob_writer().call_target(&mut *store, writer).await?;
                            if !matches!(
                                target,
                                Ok(GuestTarget::Range(_) | GuestTarget::Streamed(_) | GuestTarget::Consumed)
                            ) {
                                writer.resource_drop_async(&mut *store).await?;
                            }
                            Ok(target.map(|target| (target, writer)))
                        })
                        .await?;
                    let (target, writer) = answer.map_err(|error| live.refused(OPERATION, error))?;
                    if matches!(target, GuestTarget::AlreadyHere) && !is_named {
                        return Err(live.broke_contract(OPERATION, "it claims to have a blob that has no digest yet"));
                    }
                    match Taken::of(live, OPERATION, target) {
                        Ok(taken) => Ok(taken.map(|sink| (sink, writer))),
                        Err(error) => {
                            live.release(OPERATION, writer).await;
                            Err(error)
                        }
                    }
                })
            })
            .await?;
        Ok(begun.map(|(sink, writer)| {
            let pending = Pending {
                plugin: Arc::clone(&self.plugin),
                instance: Arc::clone(&self.instance),
                writer,
            };
            let sink = match sink {
                Taken::Here(sink) => sink,
                Taken::Consumed => Box::new(Consumed::Waiting(pending.clone())),
            };
            PendingBlob {
                sink: Some(sink),
                pending: Some(pending),
            }
        }))
    }

    /// Stores the manifest of the image, or of an instance under its digest.
    ///
    /// # Errors
    ///
    /// Fails as the plugin does; `ErrorKind::ManifestTypeRejected` if another
    /// type may do.
    pub async fn put_manifest(&self, manifest: &RawManifest, instance: Option<&Digest>) -> Result<(), Error> {
        const OPERATION: &str = "image-destination.put-manifest";
        let (own, destination) = (Arc::clone(&self.plugin), self.destination);
        let manifest = manifest_to_guest(manifest);
        let instance = instance.map(Digest::to_string);
        self.instance
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    live.guest(OPERATION, async |store, component| {
                        let guest = guest(&own, &mut *store, component)?;
                        let destinations = guest.image_destination();
                        destinations
                            .call_put_manifest(&mut *store, destination, &manifest, instance.as_ref())
                            .await
                    })
                    .await?
                    .map_err(|error| live.refused(OPERATION, error))
                })
            })
            .await
    }

    /// Stores signatures of the image or of an instance.
    ///
    /// # Errors
    ///
    /// Fails as the plugin does.
    pub async fn put_signatures(&self, signatures: Vec<Vec<u8>>, instance: Option<&Digest>) -> Result<(), Error> {
        const OPERATION: &str = "image-destination.put-signatures";
        let (own, destination) = (Arc::clone(&self.plugin), self.destination);
        let instance = instance.map(Digest::to_string);
        self.instance
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    live.guest(OPERATION, async |store, component| {
                        let guest = guest(&own, &mut *store, component)?;
                        let destinations = guest.image_destination();
                        destinations
                            .call_put_signatures(&mut *store, destination, &signatures, instance.as_ref())
                            .await
                    })
                    .await?
                    .map_err(|error| live.refused(OPERATION, error))
                })
            })
            .await
    }

    /// Makes the image visible and lasting.
    ///
    /// # Errors
    ///
    /// Fails as the plugin does: the image then does not exist, and what was there
    /// before does. Fails also if the host cannot make lasting what the plugin
    /// published, or cannot put a new directory in its place. Then a new directory
    /// is not there, but an image published in an existing one may be, without a
    /// promise that it outlives a power cut.
    pub async fn commit(self, top_level: &RawManifest) -> Result<(), Error> {
        const OPERATION: &str = "image-destination.commit";
        let (own, destination) = (Arc::clone(&self.plugin), self.destination);
        let manifest = manifest_to_guest(top_level);
        self.instance
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    live.guest(OPERATION, async |store, instance| {
                        let guest = guest(&own, &mut *store, instance)?;
                        guest
                            .image_destination()
                            .call_commit(&mut *store, destination, &manifest)
                            .await
                    })
                    .await?
                    .map_err(|error| live.refused(OPERATION, error))?;
                    live.commit()
                })
            })
            .await
    }
}

fn manifest_to_guest(manifest: &RawManifest) -> GuestManifest {
    GuestManifest {
        bytes: manifest.bytes().to_vec(),
        media_type: manifest.media_type().to_owned(),
        digest: Some(manifest.digest(Algorithm::Sha256).to_string()),
    }
}

type Guest = crate::bindings::transport::exports::longshore::transport::destination::Guest;

/// The interface of an instance, whose types are checked once.
fn guest(
    plugin: &Plugin,
    store: &mut wasmtime::Store<State>,
    instance: &wasmtime::component::Instance,
) -> wasmtime::Result<Arc<Guest>> {
    if let Some(guest) = &store.data().checked.destination {
        return Ok(Arc::clone(guest));
    }
    let Some(indices) = &plugin.exports.destination else {
        wasmtime::bail!("it is not a destination");
    };
    let guest = Arc::new(indices.load(&mut *store, instance)?);
    Ok(Arc::clone(store.data_mut().checked.destination.insert(guest)))
}

/// A target without the guest's handles.
enum Taken {
    Here(Box<dyn ChunkSink>),
    Consumed,
}

impl Taken {
    /// Takes the handle that the guest gave away out of its table; none if there
    /// is nothing to write.
    fn of(live: &mut Live, operation: &'static str, target: GuestTarget) -> Result<Option<Self>, Error> {
        const GONE: &str = "it handed over a handle that is gone";
        let durability = live.store.data().durability();
        Ok(Some(match target {
            GuestTarget::AlreadyHere => return Ok(None),
            GuestTarget::Range(range) => {
                let file = live.store.data_mut().table.delete(range.file);
                let file = file.map_err(|_| live.broke_contract(operation, GONE))?;
                let sink = file.sink(range.offset, range.length, durability);
                Self::Here(Box::new(sink.map_err(|error| live.refused(operation, error))?))
            }
            GuestTarget::Streamed(writer) => match live.store.data_mut().table.delete(writer) {
                Ok(Writer::File(sink)) => Self::Here(Box::new(sink)),
                Ok(Writer::Stream(sink)) => Self::Here(Box::new(sink)),
                Ok(Writer::Upload(sink)) => Self::Here(Box::new(sink)),
                Ok(Writer::Channel(_)) => {
                    return Err(live.broke_contract(operation, "it handed over a borrowed stream"));
                }
                Err(_) => return Err(live.broke_contract(operation, GONE)),
            },
            GuestTarget::Consumed => Self::Consumed,
        }))
    }
}
