use std::collections::HashMap;

use longshore_archive::Member;
use longshore_guest::{Blob, BlobInfo, Body, Error, File, Manifest, code, decompress, measure};
use longshore_types::{Algorithm, Descriptor, Digest, ImageConfig, ImageManifest, Kind, RawManifest, media_type};

use crate::archive::{Archive, Item, Selector, choose};

/// Largest config that is read (DA-05).
const MAX_CONFIG: u64 = 4 << 20;

/// An image to read. Its manifest is made of its config (DA-04).
#[derive(Debug)]
pub struct ImageReader {
    file: File,
    manifest: RawManifest,
    config: (Digest, Member),
    layers: HashMap<Digest, Layer>,
}

/// A layer in the archive.
#[derive(Clone, Copy, Debug)]
struct Layer {
    member: Member,
    is_compressed: bool,
    /// Uncompressed.
    size: u64,
}

impl ImageReader {
    /// Opens an image of an archive.
    ///
    /// # Errors
    ///
    /// `not-found` if `selector` fits no image, `invalid-data` if the image is malformed.
    pub fn open(archive: Archive, selector: &Selector) -> Result<Self, Error> {
        let item = choose(&archive.items, selector)?;
        let Some(member) = archive.index.find(&item.config)? else {
            return Err(Error::invalid_data(format_args!(
                "file {:?} not found in tar",
                item.config
            )));
        };
        let config = member.read(&archive.file, &item.config, MAX_CONFIG)?;
        let digest = Digest::sha256(&config);
        let described = Descriptor::new(media_type::DOCKER_CONFIG, digest.clone(), member.size);
        let invalid = |error: &dyn std::fmt::Display| Error::invalid_data(format_args!("{:?}: {error}", item.config));
        let diff_ids = ImageConfig::parse(config)
            .and_then(|config| config.diff_ids())
            .map_err(|error| invalid(&error))?;
        let layers = layers(&archive, item, &diff_ids)?;
        let descriptors = diff_ids.iter().map(|diff_id| {
            // The type that skopeo gives it, though its bytes are not compressed.
            Descriptor::new(media_type::DOCKER_LAYER_GZIP, diff_id.clone(), layers[diff_id].size)
        });
        let manifest = ImageManifest::new(Kind::Docker, described, descriptors.collect())
            .to_raw()
            .map_err(|error| invalid(&error))?;
        Ok(Self {
            file: archive.file,
            manifest,
            config: (digest, member),
            layers,
        })
    }

    /// The manifest that was made.
    ///
    /// # Errors
    ///
    /// `unsupported` for an instance: there are no lists.
    pub fn manifest(&self, instance: Option<String>) -> Result<Manifest, Error> {
        if instance.is_some() {
            return Err(Error::unsupported("Manifest lists are not supported by docker-archive"));
        }
        Ok(Manifest {
            bytes: self.manifest.bytes().to_vec(),
            media_type: self.manifest.media_type().to_owned(),
            digest: Some(self.manifest.digest(Algorithm::Sha256).to_string()),
        })
    }

    /// A layer or the config.
    ///
    /// # Errors
    ///
    /// `blob-not-found` if it is none of the image.
    pub fn blob(&self, info: BlobInfo) -> Result<Box<dyn Blob>, Error> {
        let missing = || Error::new(code::BLOB_NOT_FOUND, "the image has no such blob");
        let digest = Digest::parse(info.digest.as_deref().unwrap_or_default()).map_err(|_| missing())?;
        let layer = if digest == self.config.0 {
            Layer {
                member: self.config.1,
                is_compressed: false,
                size: self.config.1.size,
            }
        } else {
            *self.layers.get(&digest).ok_or_else(missing)?
        };
        Ok(Box::new(ArchiveBlob {
            file: self.file.again(),
            layer,
        }))
    }
}

/// Finds all layers. One that stands at two positions is in the archive once.
fn layers(archive: &Archive, item: &Item, diff_ids: &[Digest]) -> Result<HashMap<Digest, Layer>, Error> {
    if item.layers.len() != diff_ids.len() {
        return Err(Error::invalid_data(format_args!(
            "Inconsistent layer count: {} in manifest, {} in config",
            item.layers.len(),
            diff_ids.len()
        )));
    }
    let mut layers = HashMap::new();
    let mut seen: HashMap<&str, &Digest> = HashMap::new();
    for (name, diff_id) in item.layers.iter().zip(diff_ids) {
        if layers.contains_key(diff_id) {
            continue;
        }
        if seen.insert(name, diff_id).is_some() {
            return Err(Error::invalid_data(format_args!(
                "Layer tarfile {name:?} used for two different DiffID values"
            )));
        }
        let Some(member) = archive.index.find(name)? else {
            return Err(Error::invalid_data(format_args!(
                "Some layer tarfiles are missing in the tarball: {name:?}"
            )));
        };
        let layer = layer(&archive.file, member).map_err(|error| Error {
            message: format!("{name:?}: {}", error.message),
            ..error
        })?;
        layers.insert(diff_id.clone(), layer);
    }
    Ok(layers)
}

/// The size of a compressed layer is known once it was decompressed.
fn layer(file: &File, member: Member) -> Result<Layer, Error> {
    let (reader, compression) = decompress(file.reader(member.offset, Some(member.size))?)?;
    let is_compressed = compression != "none";
    let size = if is_compressed { measure(reader)?.1 } else { member.size };
    Ok(Layer {
        member,
        is_compressed,
        size,
    })
}

struct ArchiveBlob {
    file: File,
    layer: Layer,
}

impl Blob for ArchiveBlob {
    fn body(&self) -> Result<Body, Error> {
        let Layer {
            member, is_compressed, ..
        } = self.layer;
        if !is_compressed {
            return Ok(Body::Range(member.range(&self.file)));
        }
        let reader = self.file.reader(member.offset, Some(member.size))?;
        Ok(Body::Streamed(decompress(reader)?.0))
    }
}
