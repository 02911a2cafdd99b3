use std::collections::HashMap;
use std::time::SystemTime;

use longshore_guest::{
    Blob, BlobInfo, Body, Error, File, FileRange, Manifest, Session, Source, code, decompress, measure,
};
use longshore_types::{Algorithm, Descriptor, Digest, ImageManifest, Kind, RawManifest, media_type};

use crate::config::{Described, config};
use crate::reference::{files, label};

/// Settings with the platform that the image is said to be for.
const HOST_OS: &str = "host-os";
const HOST_ARCHITECTURE: &str = "host-architecture";

/// An image to read.
pub(crate) struct TarballSource {
    manifest: RawManifest,
    config: (Digest, Vec<u8>),
    layers: HashMap<Digest, Layer>,
}

/// The bytes of a layer.
struct Layer {
    file: File,
    /// Whether they are the file's without its compression.
    unpacked: bool,
}

impl Source for TarballSource {
    fn open(session: Session) -> Result<Self, Error> {
        let reference = session.reference();
        let mut layers = HashMap::new();
        let mut descriptors = Vec::new();
        let mut described = Vec::new();
        for (index, path) in files(&reference)?.into_iter().enumerate() {
            let file = session.file(&label(index))?;
            let (descriptor, diff_id, unpacked) = describe(&file).map_err(|error| Error {
                message: format!("{path}: {}", error.message),
                ..error
            })?;
            described.push(Described {
                diff_id,
                modified: file.modified()?.unwrap_or_else(now),
            });
            layers.insert(descriptor.digest.clone(), Layer { file, unpacked });
            descriptors.push(descriptor);
        }
        let setting = |key| session.setting(key).unwrap_or_default();
        let config = config(&described, &setting(HOST_OS), &setting(HOST_ARCHITECTURE))?;
        let digest = Digest::sha256(&config);
        let size = config.len() as u64;
        let manifest = ImageManifest::new(
            Kind::Oci,
            Descriptor::new(media_type::OCI_CONFIG, digest.clone(), size),
            descriptors,
        );
        Ok(Self {
            manifest: manifest.to_raw().map_err(Error::invalid_data)?,
            config: (digest, config),
            layers,
        })
    }

    fn manifest(&self, instance: Option<String>) -> Result<Manifest, Error> {
        if instance.is_some() {
            return Err(Error::unsupported(
                "manifest lists are not supported by the tarball transport",
            ));
        }
        Ok(Manifest {
            bytes: self.manifest.bytes().to_vec(),
            media_type: self.manifest.media_type().to_owned(),
            digest: Some(self.manifest.digest(Algorithm::Sha256).to_string()),
        })
    }

    fn blob(&self, info: BlobInfo) -> Result<Box<dyn Blob>, Error> {
        let missing = || Error::new(code::BLOB_NOT_FOUND, "the image has no such blob");
        let digest = Digest::parse(info.digest.as_deref().unwrap_or_default()).map_err(|_| missing())?;
        if digest == self.config.0 {
            return Ok(Box::new(ConfigBlob(self.config.1.clone())));
        }
        let layer = self.layers.get(&digest).ok_or_else(missing)?;
        Ok(Box::new(LayerBlob(Layer {
            file: layer.file.again(),
            unpacked: layer.unpacked,
        })))
    }
}

/// How the manifest describes the layer that a file is, the digest of its uncompressed bytes, and whether it is these
/// that the manifest means: images have no other compressions than gzip and zstd.
fn describe(file: &File) -> Result<(Descriptor, Digest, bool), Error> {
    let (reader, compression) = decompress(file.reader(0, None)?)?;
    let (diff_id, uncompressed) = measure(reader)?;
    let diff_id = Digest::parse(&diff_id).map_err(Error::invalid_data)?;
    let media_type = match compression.as_str() {
        "gzip" => media_type::OCI_LAYER_GZIP,
        "zstd" => media_type::OCI_LAYER_ZSTD,
        other => {
            let descriptor = Descriptor::new(media_type::OCI_LAYER, diff_id.clone(), uncompressed);
            return Ok((descriptor, diff_id, other != "none"));
        }
    };
    let (digest, size) = measure(file.reader(0, None)?)?;
    let digest = Digest::parse(&digest).map_err(Error::invalid_data)?;
    Ok((Descriptor::new(media_type, digest, size), diff_id, false))
}

/// For what has no time of its own, such as a stream.
fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
}

struct LayerBlob(Layer);

impl Blob for LayerBlob {
    fn body(&self) -> Result<Body, Error> {
        let file = self.0.file.again();
        if self.0.unpacked {
            return Ok(Body::Streamed(decompress(file.reader(0, None)?)?.0));
        }
        Ok(Body::Range(FileRange::whole(file)))
    }
}

struct ConfigBlob(Vec<u8>);

impl Blob for ConfigBlob {
    fn body(&self) -> Result<Body, Error> {
        Ok(Body::Inline(self.0.clone()))
    }
}
