use std::cell::OnceCell;
use std::io::BufReader;
use std::rc::Rc;

use base64::engine::general_purpose::STANDARD;
use base64::read::DecoderReader;
use flate2::read::MultiGzDecoder;
use longshore_guest::{Blob, BlobInfo, Body, Error, Manifest, Session, Source, Writer, code};
use longshore_layer::{assemble, clean};
use longshore_ostree::{Commit, key};
use longshore_types::{Digest, ImageManifest, Parsed, RawManifest, media_type};

use crate::branch;
use crate::content::{StoredFile, Tree};
use crate::reference::OstreeReference;
use crate::repository::Repository;

/// All signatures of an image (PI-06).
const MAX_SIGNATURES: u64 = 4 << 20;
/// The file of what is no layer.
const CONTENT: &[u8] = b"content";

/// An image to read.
pub(crate) struct OstreeSource {
    repository: Rc<Repository>,
    image: String,
    commit: Commit,
    layers: OnceCell<Option<Vec<Rc<LayerHere>>>>,
}

impl OstreeSource {
    fn manifest_text(&self) -> &str {
        self.commit.get(key::MANIFEST).unwrap_or_default()
    }

    fn parsed(&self) -> Result<ImageManifest, Error> {
        let invalid = |error: &dyn std::fmt::Display| {
            Error::invalid_data(format_args!("manifest of image \"{}\": {error}", self.image))
        };
        let raw = RawManifest::new(self.manifest_text(), None).map_err(|error| invalid(&error))?;
        match raw.parse().map_err(|error| invalid(&error))? {
            Parsed::Image(manifest) => Ok(manifest),
            _ => Err(invalid(&"it is that of a list")),
        }
    }

    /// The branch of each layer that has all that is needed to put its archive together again, as they stand in the
    /// manifest, or nothing if one has not.
    fn layers_here(&self) -> Result<Option<&[Rc<LayerHere>]>, Error> {
        if self.layers.get().is_none() {
            let layers = self.find_layers()?;
            self.layers.get_or_init(|| layers);
        }
        Ok(self.layers.get().and_then(Option::as_deref))
    }

    fn find_layers(&self) -> Result<Option<Vec<Rc<LayerHere>>>, Error> {
        let mut layers = Vec::new();
        for layer in self.parsed()?.layers {
            let branch = branch::of_blob(layer.digest.hex());
            let commit = self.repository.branch(&branch)?;
            let Some(here) = commit.and_then(|commit| LayerHere::new(branch, commit)) else {
                return Ok(None);
            };
            layers.push(Rc::new(here));
        }
        Ok(Some(layers))
    }
}

struct LayerHere {
    branch: String,
    commit: Commit,
    digest: Digest,
    size: u64,
}

impl LayerHere {
    fn new(branch: String, commit: Commit) -> Option<Self> {
        commit.get(key::TAR_SPLIT)?;
        Some(Self {
            branch,
            digest: Digest::parse(commit.get(key::UNCOMPRESSED_DIGEST)?).ok()?,
            size: commit.number(key::UNCOMPRESSED_SIZE)?,
            commit,
        })
    }
}

impl Source for OstreeSource {
    fn open(session: Session) -> Result<Self, Error> {
        let reference = OstreeReference::parse(&session.reference())?;
        let repository = Repository::to_read(&session)?;
        let branch = branch::of_image(&reference.image);
        let commit = repository.branch(&branch)?;
        let commit = commit.filter(|commit| commit.get(key::MANIFEST).is_some());
        let commit = commit.ok_or_else(|| {
            Error::new(
                code::IMAGE_NOT_FOUND,
                format_args!("there is no image \"{}\" (branch {branch})", reference.image),
            )
        })?;
        let source = Self {
            repository: Rc::new(repository),
            image: reference.image,
            commit,
            layers: OnceCell::new(),
        };
        if let Some(digest) = reference.digest {
            let found = Digest::of(digest.algorithm(), source.manifest_text().as_bytes());
            if found != digest {
                return Err(Error::invalid_data(format_args!(
                    "image \"{}\" has the digest {found}",
                    source.image
                )));
            }
        }
        Ok(source)
    }

    fn abilities(&self) -> Vec<String> {
        vec!["signatures".to_owned(), "layers".to_owned()]
    }

    fn manifest(&self, instance: Option<String>) -> Result<Manifest, Error> {
        if instance.is_some() {
            return Err(Error::unsupported("an OSTree repository keeps no lists of images"));
        }
        Ok(Manifest {
            bytes: self.manifest_text().as_bytes().to_vec(),
            media_type: String::new(),
            digest: None,
        })
    }

    /// Layers are there without compression only.
    fn layers(&self, _instance: Option<String>) -> Result<Vec<BlobInfo>, Error> {
        let info = |digest: String, size: u64, media_type: &str| BlobInfo {
            digest: Some(digest),
            size: Some(size),
            media_type: media_type.to_owned(),
            annotations: Vec::new(),
            urls: Vec::new(),
            extras: Vec::new(),
        };
        if let Some(layers) = self.layers_here()? {
            return Ok(layers
                .iter()
                .map(|layer| info(layer.digest.to_string(), layer.size, media_type::DOCKER_LAYER))
                .collect());
        }
        let named = self.parsed()?.layers;
        Ok(named
            .iter()
            .map(|layer| info(layer.digest.to_string(), layer.size, &layer.media_type))
            .collect())
    }

    fn blob(&self, info: BlobInfo) -> Result<Box<dyn Blob>, Error> {
        let digest = Digest::parse(&info.digest.unwrap_or_default()).map_err(Error::invalid_data)?;
        let layers = self.layers_here()?.unwrap_or_default();
        if let Some(layer) = layers.iter().find(|layer| layer.digest == digest) {
            return Ok(Box::new(LayerBlob {
                repository: Rc::clone(&self.repository),
                layer: Rc::clone(layer),
            }));
        }
        let branch = branch::of_blob(digest.hex());
        let commit = self.repository.branch(&branch)?.ok_or_else(|| {
            Error::new(
                code::BLOB_NOT_FOUND,
                format_args!("image \"{}\" has no blob {digest} (branch {branch})", self.image),
            )
        })?;
        let file = Tree::new(&self.repository, commit.root).open(CONTENT)?;
        Ok(Box::new(ContentBlob {
            file,
            size: commit.number(key::SIZE),
        }))
    }

    fn signatures(&self, _instance: Option<String>) -> Result<Vec<Vec<u8>>, Error> {
        let count = self.commit.number(key::SIGNATURES).unwrap_or_default();
        let tree = Tree::new(&self.repository, self.commit.root);
        let mut signatures = Vec::new();
        let mut rest = MAX_SIGNATURES;
        for number in 1..=count {
            let name = format!("signature-{number}");
            let signature = tree.open(name.as_bytes()).and_then(|file| file.bytes(rest));
            let signature = signature.map_err(|error| Error {
                message: format!("image \"{}\": {name}: {}", self.image, error.message),
                ..error
            })?;
            rest -= signature.len() as u64;
            signatures.push(signature);
        }
        Ok(signatures)
    }
}

/// A layer, whose archive is put together from the files of its branch.
struct LayerBlob {
    repository: Rc<Repository>,
    layer: Rc<LayerHere>,
}

impl Blob for LayerBlob {
    fn body(&self) -> Result<Body, Error> {
        Ok(Body::Produced(Some(self.layer.size)))
    }

    fn produce(&self, out: &Writer) -> Result<(), Error> {
        let text = self.layer.commit.get(key::TAR_SPLIT).unwrap_or_default();
        let record = DecoderReader::new(text.as_bytes(), &STANDARD);
        let record = BufReader::new(MultiGzDecoder::new(record));
        let tree = Tree::new(&self.repository, self.layer.commit.root);
        assemble(record, out, |file| {
            let path = clean(&file.name).ok_or_else(|| Error::invalid_data("leads outside of the layer"))?;
            tree.open(&path)?.write(out, file.size)
        })
        .map_err(|error| Error {
            message: format!("branch {}: {}", self.layer.branch, error.message),
            ..error
        })
    }
}

/// Any other blob.
struct ContentBlob {
    file: StoredFile,
    size: Option<u64>,
}

impl Blob for ContentBlob {
    fn body(&self) -> Result<Body, Error> {
        Ok(self.file.body(self.size))
    }

    fn produce(&self, out: &Writer) -> Result<(), Error> {
        let size = self
            .size
            .ok_or_else(|| Error::invalid_data("its commit says no size"))?;
        self.file.write(out, size).map(drop)
    }
}
