//! Writing an image: layers are unpacked while they come, and get their places in the store at the end.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use longshore_guest::posix::Tree;
use longshore_guest::{BlobInfo, BlobWriter, Destination, Error, Manifest, Reader, Session, Target, Traits, code};
use longshore_types::{Digest, ImageConfig, ImageManifest, Parsed, RawManifest, Reference, media_type};

use crate::publish::{self, Folders, Image, Layer};
use crate::records::LayerRecord;
use crate::reference::{ImageText, StorageReference};
use crate::store::{DRIVER, Driver, Stores, label};
use crate::unpack::{Unpacked, unpack};

/// Most layers that the overlay driver takes.
const MAX_LAYERS: usize = 500;
/// Of an image that does not say when it was made.
const NO_TIME: &str = "1970-01-01T00:00:00Z";
/// Largest config (PI-06).
const MAX_CONFIG: u64 = 4 << 20;

/// An image to be.
pub(crate) struct StorageDestination {
    stores: Stores,
    folders: Folders,
    name: Option<Reference>,
    /// The ID that the image has to have.
    id: Option<String>,
    arrived: Rc<Arrived>,
    manifest: RefCell<Option<(Manifest, ImageManifest)>>,
    signatures: RefCell<Vec<Vec<u8>>>,
}

/// Blobs by their digests.
#[derive(Default)]
struct Arrived {
    layers: RefCell<HashMap<Digest, (Unpacked, u64)>>,
    others: RefCell<HashMap<Digest, Vec<u8>>>,
    /// Layers that the store had before.
    reused: RefCell<HashMap<Digest, LayerRecord>>,
}

impl Destination for StorageDestination {
    fn open(session: Session) -> Result<Self, Error> {
        let reference = StorageReference::parse(&session.reference())?;
        let image = ImageText::parse(&reference.image)?;
        let stores = Stores::open(&session, &reference.store)?;
        if stores.primary().driver != Driver::Overlay {
            return Err(Error::unsupported(format_args!(
                "images are written to stores with the driver overlay only, not {}",
                stores.primary().driver
            )));
        }
        // What could be an ID is one only if there is such an image.
        let (name, id) = match stores.find(&image) {
            Ok(found) if found.name.is_none() => (None, Some(found.image.id)),
            _ => (image.name, image.id),
        };
        Ok(Self {
            folders: Folders {
                root: session.tree(&label(0))?,
                tree: Rc::new(session.tree(DRIVER)?),
                directory: session.directory(DRIVER)?,
            },
            stores,
            name,
            id,
            arrived: Rc::default(),
            manifest: RefCell::default(),
            signatures: RefCell::default(),
        })
    }

    fn traits(&self) -> Traits {
        Traits {
            manifest_types: [media_type::OCI_MANIFEST, media_type::DOCKER_MANIFEST]
                .map(str::to_owned)
                .to_vec(),
            layer_compression: "preserve".to_owned(),
            abilities: vec!["signatures".to_owned()],
        }
    }

    fn reuse(&self, info: BlobInfo, _substitute: bool) -> Result<Option<BlobInfo>, Error> {
        let Some(digest) = info.digest.as_deref().filter(|_| is_layer(&info)) else {
            return Ok(None);
        };
        let digest = Digest::parse(digest).map_err(Error::invalid_data)?;
        let store = self.stores.primary();
        let _lock = store.lock_to_read("layers")?;
        let layers = store.layers()?;
        let found = layers
            .iter()
            .find(|layer| layer.is_of(&digest) && !layer.diff_digest.is_empty());
        let Some(layer) = found else { return Ok(None) };
        let size = if layer.diff_digest == digest.as_str() {
            layer.diff_size.and_then(|size| u64::try_from(size).ok())
        } else {
            Some(layer.compressed_size)
        };
        self.arrived.reused.borrow_mut().insert(digest, layer.clone());
        Ok(Some(BlobInfo {
            size: size.or(info.size),
            ..info
        }))
    }

    fn begin_blob(&self, info: BlobInfo) -> Result<Box<dyn BlobWriter>, Error> {
        let arrived = Rc::clone(&self.arrived);
        Ok(if is_layer(&info) {
            Box::new(LayerWriter {
                arrived,
                tree: Rc::clone(&self.folders.tree),
                unpacked: RefCell::default(),
            })
        } else {
            Box::new(OtherWriter {
                arrived,
                bytes: RefCell::default(),
            })
        })
    }

    fn put_manifest(&self, manifest: Manifest, instance: Option<String>) -> Result<(), Error> {
        if instance.is_some() {
            return Err(Error::unsupported("a store keeps no lists of images"));
        }
        let raw = RawManifest::new(manifest.bytes.clone(), Some(&manifest.media_type)).map_err(Error::invalid_data)?;
        let Parsed::Image(parsed) = raw.parse().map_err(Error::invalid_data)? else {
            return Err(Error::new(
                code::MANIFEST_TYPE_REJECTED,
                "a store keeps no lists of images",
            ));
        };
        if parsed.layers.len() > MAX_LAYERS {
            return Err(Error::unsupported(format_args!(
                "max depth exceeded: an image in an overlay store has at most {MAX_LAYERS} layers"
            )));
        }
        *self.manifest.borrow_mut() = Some((manifest, parsed));
        Ok(())
    }

    fn put_signatures(&self, signatures: Vec<Vec<u8>>, instance: Option<String>) -> Result<(), Error> {
        if instance.is_some() {
            return Err(Error::unsupported("a store keeps no lists of images"));
        }
        *self.signatures.borrow_mut() = signatures;
        Ok(())
    }

    fn commit(&self, _top_level: Manifest) -> Result<(), Error> {
        let Some((manifest, parsed)) = self.manifest.take() else {
            return Err(Error::invalid_data("there is no manifest"));
        };
        let config_digest = parsed.config.digest.clone();
        let config = self.arrived.others.borrow_mut().remove(&config_digest);
        let config = config.ok_or_else(|| Error::invalid_data("the manifest names a config that was not written"))?;
        let id = config_digest.hex().to_owned();
        if self.id.as_ref().is_some_and(|wanted| !id.starts_with(wanted.as_str())) {
            return Err(Error::invalid_data(format_args!(
                "the image has the ID {id}, not {}",
                self.id.as_deref().unwrap_or_default()
            )));
        }
        let layers = self.layers(&parsed, &config)?;
        let created = ImageConfig::parse(&config[..]).ok();
        let created = created.as_ref().and_then(ImageConfig::created);
        publish::publish(
            self.stores.primary(),
            &self.folders,
            Image {
                id,
                name: self.name.as_ref().map(Reference::to_string),
                config: (config_digest, config),
                manifest: (
                    Digest::parse(manifest.digest.as_deref().unwrap_or_default()).map_err(Error::invalid_data)?,
                    manifest.bytes,
                ),
                signatures: self.signatures.take(),
                created: created.unwrap_or(NO_TIME).to_owned(),
            },
            layers,
        )
    }
}

fn is_layer(info: &BlobInfo) -> bool {
    info.extras.iter().any(|(key, value)| key == "role" && value == "layer")
}

impl StorageDestination {
    /// The layers from the lowest on, if they are those that the config speaks of.
    fn layers(&self, manifest: &ImageManifest, config: &[u8]) -> Result<Vec<Layer>, Error> {
        // An artifact's config may speak of none.
        let diff_ids = ImageConfig::parse(config)
            .and_then(|config| config.diff_ids())
            .unwrap_or_default();
        let mut arrived = self.arrived.layers.borrow_mut();
        let mut layers: Vec<Layer> = Vec::new();
        for (index, named) in manifest.layers.iter().enumerate() {
            let layer = match arrived.remove(&named.digest) {
                Some((unpacked, compressed_size)) => Layer {
                    diff_id: unpacked.digest.clone(),
                    compressed: (named.digest.clone(), compressed_size),
                    size: unpacked.size,
                    compression: unpacked.compression,
                    unpacked: Some(unpacked),
                },
                None => self.reused(&named.digest, &layers)?,
            };
            if let Some(expected) = diff_ids.get(index)
                && (*expected != layer.diff_id || diff_ids.len() != manifest.layers.len())
            {
                return Err(Error::invalid_data(format_args!(
                    "the config says that layer {index} is {expected}, it is {}",
                    layer.diff_id
                )));
            }
            layers.push(layer);
        }
        Ok(layers)
    }
}

impl StorageDestination {
    /// A layer that the store has: it was there before, or stands in the image more than once.
    fn reused(&self, digest: &Digest, below: &[Layer]) -> Result<Layer, Error> {
        if let Some(same) = below.iter().find(|layer| layer.compressed.0 == *digest) {
            return Ok(Layer {
                unpacked: None,
                diff_id: same.diff_id.clone(),
                compressed: same.compressed.clone(),
                ..*same
            });
        }
        let reused = self.arrived.reused.borrow();
        let record = reused.get(digest).ok_or_else(|| {
            Error::invalid_data(format_args!(
                "the manifest names the layer {digest}, which was not written"
            ))
        })?;
        Ok(Layer {
            diff_id: Digest::parse(&record.diff_digest).map_err(Error::invalid_data)?,
            compressed: (digest.clone(), record.compressed_size),
            size: record
                .diff_size
                .and_then(|size| u64::try_from(size).ok())
                .unwrap_or_default(),
            compression: record.compression,
            unpacked: None,
        })
    }
}

/// A layer on its way.
struct LayerWriter {
    arrived: Rc<Arrived>,
    tree: Rc<Tree>,
    unpacked: RefCell<Option<Unpacked>>,
}

impl BlobWriter for LayerWriter {
    fn target(&self) -> Result<Target, Error> {
        Ok(Target::Consumed)
    }

    fn consume(&self, data: Reader) -> Result<(), Error> {
        *self.unpacked.borrow_mut() = Some(unpack(&self.tree, data)?);
        Ok(())
    }

    fn finish(self: Box<Self>, digest: String, size: u64) -> Result<(), Error> {
        let digest = Digest::parse(&digest).map_err(Error::invalid_data)?;
        if let Some(unpacked) = self.unpacked.take() {
            self.arrived.layers.borrow_mut().insert(digest, (unpacked, size));
        }
        Ok(())
    }
}

/// Anything else on its way, such as the config.
struct OtherWriter {
    arrived: Rc<Arrived>,
    bytes: RefCell<Vec<u8>>,
}

impl BlobWriter for OtherWriter {
    fn target(&self) -> Result<Target, Error> {
        Ok(Target::Consumed)
    }

    fn consume(&self, data: Reader) -> Result<(), Error> {
        *self.bytes.borrow_mut() = data.whole(MAX_CONFIG)?;
        Ok(())
    }

    fn finish(self: Box<Self>, digest: String, _size: u64) -> Result<(), Error> {
        let digest = Digest::parse(&digest).map_err(Error::invalid_data)?;
        self.arrived.others.borrow_mut().insert(digest, self.bytes.take());
        Ok(())
    }
}
