use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use longshore_archive::Writer;
use longshore_guest::{BlobInfo, BlobWriter, Error, Manifest, Reader, Response, Target, Traits, code};
use longshore_types::{Algorithm, Digest, Parsed, RawManifest, Reference, json, media_type};

use crate::archive::{Item, MANIFEST};
use crate::legacy;

/// Largest config that is kept (DA-05).
const MAX_CONFIG: usize = 4 << 20;

/// Most that one `read` call answers with.
const MAX_READ: u32 = 1 << 20;

/// An archive with one image to write.
#[derive(Debug)]
pub struct ArchiveWriter {
    tags: Vec<Reference>,
    /// What is to be done to layers.
    layer_compression: &'static str,
    archive: Rc<RefCell<Archive>>,
}

/// What was written so far.
#[derive(Debug)]
struct Archive {
    writer: Writer,
    layers: HashSet<Digest>,
    config: Option<(Digest, Vec<u8>)>,
    image: Option<Image>,
}

/// What the manifest says.
#[derive(Debug)]
struct Image {
    item: Item,
    /// Of the old format; none for an image without layers.
    top_layer: Option<String>,
}

impl ArchiveWriter {
    /// Begins an archive whose image gets these names. Layers are as `layer_compression` wants them, a word of the
    /// contract: most readers take compressed ones too.
    pub fn new(writer: Writer, tags: Vec<Reference>, layer_compression: &'static str) -> Self {
        Self {
            tags,
            layer_compression,
            archive: Rc::new(RefCell::new(Archive {
                writer,
                layers: HashSet::new(),
                config: None,
                image: None,
            })),
        }
    }

    /// Docker's manifest type alone, blobs one after the other.
    pub fn traits(&self) -> Traits {
        let mut abilities = vec!["one-at-a-time".to_owned()];
        // A header, with the size, comes before its bytes. In a file it can be filled in afterwards.
        if self.archive.borrow().writer.is_stream() {
            abilities.push("size-first".to_owned());
        }
        Traits {
            manifest_types: vec![media_type::DOCKER_MANIFEST.to_owned()],
            layer_compression: self.layer_compression.to_owned(),
            abilities,
        }
    }

    /// A layer or the config is coming.
    ///
    /// # Errors
    ///
    /// `invalid-data` for a malformed digest, `unsupported` for one that the format's names have no room for.
    pub fn begin_blob(&self, info: BlobInfo) -> Result<Box<dyn BlobWriter>, Error> {
        let archive = Rc::clone(&self.archive);
        if info
            .extras
            .iter()
            .any(|(key, value)| key == "role" && value == "config")
        {
            return Ok(Box::new(ConfigWriter {
                archive,
                bytes: RefCell::default(),
            }));
        }
        let digest = info.digest.as_deref().map(Digest::parse).transpose();
        let digest = digest.map_err(Error::invalid_data)?;
        if let Some(digest) = digest.as_ref().filter(|digest| digest.algorithm() != Algorithm::Sha256) {
            return Err(Error::unsupported(format_args!(
                "layers of docker tar files have sha256 digests, not {digest}"
            )));
        }
        Ok(Box::new(LayerWriter {
            archive,
            announced: digest.zip(info.size),
        }))
    }

    /// Writes what the old format wants of the layers, and notes the rest for the end.
    ///
    /// # Errors
    ///
    /// `manifest-type-rejected` unless it is Docker's, `invalid-data` if it names what was not written.
    pub fn put_manifest(&self, manifest: Manifest, instance: Option<String>) -> Result<(), Error> {
        if instance.is_some() {
            return Err(Error::unsupported(
                "Manifest lists are not supported for docker tar files",
            ));
        }
        let raw = RawManifest::new(manifest.bytes, Some(&manifest.media_type)).map_err(Error::invalid_data)?;
        let parsed = match raw.parse().map_err(Error::invalid_data)? {
            Parsed::Image(image) if raw.media_type() == media_type::DOCKER_MANIFEST => image,
            _ => {
                return Err(Error::new(
                    code::MANIFEST_TYPE_REJECTED,
                    "Unsupported manifest type, need a Docker schema 2 manifest",
                ));
            }
        };
        let mut archive = self.archive.borrow_mut();
        let diff_ids: Vec<Digest> = parsed.layers.into_iter().map(|layer| layer.digest).collect();
        let Some((digest, config)) = archive.config.take() else {
            return Err(Error::invalid_data("the manifest came before its config"));
        };
        if digest != parsed.config.digest || diff_ids.iter().any(|layer| !archive.layers.contains(layer)) {
            return Err(Error::invalid_data("the manifest names a blob that was not written"));
        }
        let mut old = HashSet::new();
        let legacy = legacy::layers(&diff_ids, &config)?;
        for (layer, diff_id) in legacy.iter().zip(&diff_ids) {
            if old.insert(&layer.id) {
                let target = format!("../{}", layer_name(diff_id));
                archive.writer.symlink(&format!("{}/layer.tar", layer.id), &target)?;
                archive.writer.file(&format!("{}/VERSION", layer.id), b"1.0")?;
                archive.writer.file(&format!("{}/json", layer.id), &layer.config)?;
            }
        }
        archive.image = Some(Image {
            item: Item {
                config: config_name(&digest),
                repo_tags: self.tags.iter().map(ToString::to_string).collect(),
                layers: diff_ids.iter().map(layer_name).collect(),
            },
            top_layer: legacy.last().map(|layer| layer.id.clone()),
        });
        Ok(())
    }

    /// Ends the archive, and the request that it is the body of, if it is one; the answer to that.
    ///
    /// # Errors
    ///
    /// Fails if there is no manifest, or if it cannot be written.
    pub fn commit(&self) -> Result<Option<Response>, Error> {
        let mut archive = self.archive.borrow_mut();
        let Some(image) = archive.image.take() else {
            return Err(Error::invalid_data("there is no manifest"));
        };
        let mut repositories: BTreeMap<String, BTreeMap<&str, &str>> = BTreeMap::new();
        if let Some(top) = &image.top_layer {
            for tag in &self.tags {
                let tags = repositories.entry(tag.name()).or_default();
                tags.insert(tag.tag().unwrap_or_default(), top);
            }
        }
        let manifest = json::to_vec(&[&image.item]).map_err(Error::invalid_data)?;
        let repositories = json::to_vec(&repositories).map_err(Error::invalid_data)?;
        archive.writer.file(MANIFEST, &manifest)?;
        archive.writer.file("repositories", &repositories)?;
        archive.writer.finish()?;
        archive.writer.answer()
    }
}

/// Archives hold no signatures (DA-09).
///
/// # Errors
///
/// `unsupported` if there are some.
pub fn refuse_signatures(signatures: &[Vec<u8>]) -> Result<(), Error> {
    if signatures.is_empty() {
        return Ok(());
    }
    Err(Error::unsupported(
        "Storing signatures for docker tar files is not supported",
    ))
}

fn layer_name(digest: &Digest) -> String {
    format!("{}.tar", digest.hex())
}

fn config_name(digest: &Digest) -> String {
    format!("{}.json", digest.hex())
}

struct LayerWriter {
    archive: Rc<RefCell<Archive>>,
    /// Digest and size, if they are known before the bytes.
    announced: Option<(Digest, u64)>,
}

impl BlobWriter for LayerWriter {
    fn target(&self) -> Result<Target, Error> {
        let mut archive = self.archive.borrow_mut();
        match &self.announced {
            Some((digest, _)) if archive.layers.contains(digest) => Ok(Target::AlreadyHere),
            Some((digest, size)) => archive.writer.begin(Some((&layer_name(digest), *size))),
            None => archive.writer.begin(None),
        }
    }

    fn finish(self: Box<Self>, digest: String, size: u64) -> Result<(), Error> {
        let digest = Digest::parse(&digest).map_err(Error::invalid_data)?;
        let mut archive = self.archive.borrow_mut();
        if archive.layers.contains(&digest) {
            // Two layers that were compressed differently.
            return archive.writer.give_up();
        }
        archive.writer.end(&layer_name(&digest), size)?;
        archive.layers.insert(digest);
        Ok(())
    }
}

/// The config is kept: the old format repeats parts of it.
struct ConfigWriter {
    archive: Rc<RefCell<Archive>>,
    bytes: RefCell<Vec<u8>>,
}

impl BlobWriter for ConfigWriter {
    fn target(&self) -> Result<Target, Error> {
        Ok(Target::Consumed)
    }

    fn consume(&self, data: Reader) -> Result<(), Error> {
        let mut bytes = self.bytes.borrow_mut();
        loop {
            let piece = data.read(MAX_READ)?;
            if piece.is_empty() {
                return Ok(());
            }
            bytes.extend(piece);
            if bytes.len() > MAX_CONFIG {
                return Err(Error::invalid_data(format_args!(
                    "the config is larger than {MAX_CONFIG} bytes"
                )));
            }
        }
    }

    fn finish(self: Box<Self>, digest: String, _size: u64) -> Result<(), Error> {
        let digest = Digest::parse(&digest).map_err(Error::invalid_data)?;
        let bytes = self.bytes.take();
        let mut archive = self.archive.borrow_mut();
        archive.writer.file(&config_name(&digest), &bytes)?;
        archive.config = Some((digest, bytes));
        Ok(())
    }
}
