use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use longshore_guest::{Blob, BlobInfo, Body, Context as _, Error, File, FileRange, Manifest, Session, Source, code};
use longshore_types::{Digest, RawManifest, media_type};
use serde::Deserialize;

use crate::big_data::{self, MANIFEST, SIGNATURES};
use crate::chain::Layer;
use crate::content::LayerBlob;
use crate::lookup::Found;
use crate::reference::{ImageText, StorageReference};
use crate::store::{Store, Stores};

/// Largest manifest, and all signatures of one (PI-06).
const MAX_DOCUMENT: u32 = 4 << 20;

/// An image to read.
pub(crate) struct StorageSource {
    stores: Rc<Stores>,
    found: Found,
    /// The topmost first.
    layers: OnceCell<Rc<[Layer]>>,
}

/// The transport's own remarks on an image.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Metadata {
    /// Lengths of the signatures of the image that is stored.
    signature_sizes: Option<Vec<usize>>,
    /// Those of signatures of each manifest.
    signatures_sizes: Option<BTreeMap<String, Option<Vec<usize>>>>,
}

impl StorageSource {
    fn store(&self) -> &Store {
        &self.stores.all[self.found.store]
    }

    fn big_data_path(&self, key: &str) -> Vec<u8> {
        let name = format!("{}/{}", self.found.image.id, big_data::file_name(key));
        self.store().path("images", &name)
    }

    fn document(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.store()
            .directory
            .read(&self.big_data_path(key), MAX_DOCUMENT)
            .optional()
    }

    fn chain(&self) -> Result<&Rc<[Layer]>, Error> {
        if let Some(layers) = self.layers.get() {
            return Ok(layers);
        }
        let layers = self.stores.layers_of(&self.found)?.into();
        Ok(self.layers.get_or_init(|| layers))
    }

    fn manifest_bytes(&self, instance: Option<&str>) -> Result<Vec<u8>, Error> {
        let id = &self.found.image.id;
        if let Some(digest) = instance {
            let found = self.document(&big_data::manifest_key(digest))?;
            return found.ok_or_else(|| {
                Error::new(
                    code::BLOB_NOT_FOUND,
                    format_args!("image \"{id}\" has no manifest {digest}"),
                )
            });
        }
        let named = self.found.name.as_ref().and_then(|name| name.digest());
        if let Some(digest) = named
            && let Some(found) = self.document(&big_data::manifest_key(digest.as_str()))?
        {
            return Ok(found);
        }
        let found = self.document(MANIFEST)?;
        found.ok_or_else(|| Error::new(code::BLOB_NOT_FOUND, format_args!("image \"{id}\" has no manifest")))
    }
}

impl Source for StorageSource {
    fn open(session: Session) -> Result<Self, Error> {
        let reference = StorageReference::parse(&session.reference())?;
        let stores = Stores::open(&session, &reference.store)?;
        let found = stores.find(&ImageText::parse(&reference.image)?)?;
        Ok(Self {
            stores: Rc::new(stores),
            found,
            layers: OnceCell::new(),
        })
    }

    fn abilities(&self) -> Vec<String> {
        vec!["signatures".to_owned(), "layers".to_owned()]
    }

    fn manifest(&self, instance: Option<String>) -> Result<Manifest, Error> {
        Ok(Manifest {
            bytes: self.manifest_bytes(instance.as_deref())?,
            media_type: String::new(),
            digest: instance,
        })
    }

    /// CS-08: layers are there without compression only.
    fn layers(&self, instance: Option<String>) -> Result<Vec<BlobInfo>, Error> {
        let manifest = RawManifest::new(self.manifest_bytes(instance.as_deref())?, None);
        let manifest = manifest.map_err(|error| Error::invalid_data(format_args!("manifest: {error}")))?;
        let media_type = if manifest.media_type() == media_type::OCI_MANIFEST {
            media_type::OCI_LAYER
        } else {
            media_type::DOCKER_LAYER
        };
        let layers = self.chain()?.iter().rev().map(|layer| BlobInfo {
            digest: Some(layer.digest.to_string()),
            size: Some(layer.size),
            media_type: media_type.to_owned(),
            annotations: Vec::new(),
            urls: Vec::new(),
            extras: Vec::new(),
        });
        Ok(layers.collect())
    }

    fn blob(&self, info: BlobInfo) -> Result<Box<dyn Blob>, Error> {
        let digest = info.digest.unwrap_or_default();
        let digest = Digest::parse(&digest).map_err(Error::invalid_data)?;
        let path = self.big_data_path(digest.as_str());
        if let Some(file) = self.store().directory.open(&path, false).optional()? {
            return Ok(Box::new(StoredBlob(file)));
        }
        let layers = self.chain()?;
        match layers.iter().position(|layer| layer.digest == digest) {
            Some(index) => Ok(Box::new(LayerBlob {
                stores: Rc::clone(&self.stores),
                layers: Rc::clone(layers),
                index,
            })),
            None => Err(Error::new(
                code::BLOB_NOT_FOUND,
                format_args!("image \"{}\" has no blob {digest}", self.found.image.id),
            )),
        }
    }

    fn signatures(&self, instance: Option<String>) -> Result<Vec<Vec<u8>>, Error> {
        let image = &self.found.image;
        let invalid = |what: String| Error::invalid_data(format_args!("image \"{}\": {what}", image.id));
        let metadata: Metadata = match image.metadata.as_str() {
            "" => Metadata::default(),
            text => serde_json::from_str(text).map_err(|error| invalid(format!("metadata: {error}")))?,
        };
        let (key, sizes) = match &instance {
            None => (SIGNATURES.to_owned(), metadata.signature_sizes),
            Some(text) => {
                let digest = Digest::parse(text).map_err(Error::invalid_data)?;
                let sizes = metadata.signatures_sizes.and_then(|mut all| all.remove(text));
                (big_data::signature_key(digest.hex()), sizes.flatten())
            }
        };
        let sizes = sizes.unwrap_or_default();
        if sizes.is_empty() {
            return Ok(Vec::new());
        }
        let data = self.document(&key)?;
        let data = data.ok_or_else(|| invalid(format!("its {key} are not there")))?;
        split(&data, &sizes).map_err(|what| invalid(format!("{key}: {what}")))
    }
}

fn split(data: &[u8], sizes: &[usize]) -> Result<Vec<Vec<u8>>, String> {
    let mut rest = data;
    let mut signatures = Vec::new();
    for size in sizes {
        let Some((signature, after)) = rest.split_at_checked(*size) else {
            return Err(format!("expected at least {size} bytes, only found {}", rest.len()));
        };
        signatures.push(signature.to_vec());
        rest = after;
    }
    match rest {
        [] => Ok(signatures),
        extra => Err(format!("signatures data contained {} extra bytes", extra.len())),
    }
}

/// A file of the image.
struct StoredBlob(File);

impl Blob for StoredBlob {
    fn body(&self) -> Result<Body, Error> {
        Ok(Body::Range(FileRange::whole(self.0.again())))
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn signatures_lie_one_behind_the_other() {
        for (data, sizes, expected) in [
            (&b"abc"[..], &[1, 2][..], Ok(vec![b"a".to_vec(), b"bc".to_vec()])),
            (b"abc", &[3], Ok(vec![b"abc".to_vec()])),
            (b"abc", &[2], Err("1 extra")),
            (b"abc", &[4], Err("only found 3")),
            (b"abc", &[usize::MAX, usize::MAX], Err("only found 3")),
        ] {
            match (split(data, sizes), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(message), Err(fragment)) => assert!(message.contains(fragment), "{message}"),
                (found, _) => panic!("{sizes:?}: {found:?}"),
            }
        }
    }
}
