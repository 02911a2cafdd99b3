//! Manifests from and to schema 1, with the blobs that only the one form has.

use bytes::Bytes;
use longshore_blob::LayerWish;
use longshore_types::{
    Descriptor, Digest, EMPTY_LAYER, ImageFormat, ImageManifest, Kind, ManifestError, RawManifest, SchemaOne,
    media_type,
};

use super::Original;
use super::signing::{SigningError, sign};
use crate::blob::{BlobJob, Outcome, Shared};
use crate::error::CopyError;
use crate::event::BlobKind;
use crate::open::AcceptedImage;

/// A manifest that only has to be written.
pub(crate) struct Rendered {
    pub(crate) manifest: RawManifest,
    /// The blobs that this manifest needs beyond those that the source's names.
    pub(crate) blobs: Vec<(Descriptor, Outcome)>,
}

impl From<RawManifest> for Rendered {
    fn from(manifest: RawManifest) -> Self {
        Self {
            manifest,
            blobs: Vec::new(),
        }
    }
}

/// Writes the image in schema 1, under the destination's name (MC-06, TD-09). `layers` replaces the source's layers.
pub(crate) async fn to_schema_one(
    shared: &Shared<'_>,
    image: &AcceptedImage,
    layers: Option<&[Descriptor]>,
) -> Result<Rendered, CopyError> {
    let reference = shared.destination.identity().docker_reference.as_ref();
    let Some(original) = &image.schema_one else {
        let edited = layers.map(|layers| image.manifest.with_layers(layers.to_vec()));
        let edited = edited.as_ref().unwrap_or(&image.manifest);
        let converted = SchemaOne::from_image(edited, &image.config.bytes, reference);
        let converted = converted.map_err(|source| failed(ImageFormat::SchemaOne, source))?;
        let mut blobs = Vec::new();
        if converted.layers().iter().any(longshore_types::SchemaOneLayer::is_empty) {
            blobs.push(empty_layer(shared, image.manifest.layers.len() + 1).await?);
        }
        let manifest = signed(&converted)?;
        return Ok(Rendered { manifest, blobs });
    };
    let renamed = reference.filter(|reference| original.image.conflicts_with(reference));
    if renamed.is_none() && layers.is_none() {
        return Ok(image.selected.manifest.clone().into());
    }
    let mut edited = original.image.clone();
    if renamed.is_some() {
        edited = edited.with_reference(renamed);
    }
    if let Some(layers) = layers {
        edited = edited.with_blobs(layers.iter().map(|layer| layer.digest.clone()));
    }
    signed(&edited).map(Rendered::from)
}

/// Writes a schema 1 image in a format that has a config, which is made of the history and of what the layers are
/// uncompressed (MC-05, MC-07). `layers` replaces the source's layers.
pub(crate) async fn from_schema_one(
    shared: &Shared<'_>,
    image: &AcceptedImage,
    original: &Original,
    kind: Kind,
    layers: Option<&[Descriptor]>,
) -> Result<Rendered, CopyError> {
    let failed = |source| failed(kind.into(), source);
    let sources = &image.manifest.layers;
    let stored = layers.unwrap_or(sources);
    let (mut diff_ids, mut kept) = (Vec::new(), Vec::new());
    for ((step, source), stored) in original.image.layers().iter().zip(sources).zip(stored) {
        if step.is_empty() {
            continue;
        }
        let found = original.diff_ids.of(shared, source).await?;
        diff_ids.push(found.diff_id);
        // Schema 1 does not say how a layer is compressed.
        kept.push(if stored.digest == source.digest {
            let typed = stored.stored_as(stored.digest.clone(), stored.size, found.compression);
            typed.map_err(|error| failed(error.into()))?
        } else {
            stored.clone()
        });
    }
    let config = original.image.config(Some(&diff_ids)).map_err(failed)?;
    let named = Descriptor::new(media_type::DOCKER_CONFIG, Digest::sha256(&config), config.len() as u64);
    let manifest = ImageManifest::new(Kind::Docker, named.clone(), kept);
    let manifest = manifest.convert(kind).and_then(|converted| converted.to_raw());
    let manifest = manifest.map_err(failed)?;
    let job = BlobJob {
        number: sources.len(),
        kind: BlobKind::Config,
        info: named.to_blob_info("config"),
        descriptor: &named,
        wish: LayerWish::Preserve,
        zstd: false,
        bytes: Some(config.into()),
    };
    let outcome = shared.copy_blob(&job).await?;
    Ok(Rendered {
        manifest,
        blobs: vec![(named, outcome)],
    })
}

/// Brings the layer of the steps that changed no file to the destination.
async fn empty_layer(shared: &Shared<'_>, number: usize) -> Result<(Descriptor, Outcome), CopyError> {
    let named = Descriptor::new(
        media_type::DOCKER_LAYER_GZIP,
        Digest::sha256(&EMPTY_LAYER),
        EMPTY_LAYER.len() as u64,
    );
    let job = BlobJob {
        number,
        kind: BlobKind::Layer,
        info: named.to_blob_info("layer"),
        descriptor: &named,
        wish: LayerWish::Preserve,
        zstd: false,
        bytes: Some(Bytes::from_static(&EMPTY_LAYER)),
    };
    let outcome = shared.copy_blob(&job).await?;
    Ok((named, outcome))
}

fn signed(image: &SchemaOne) -> Result<RawManifest, CopyError> {
    sign(image).map_err(|error| match error {
        SigningError::Manifest(source) => failed(ImageFormat::SchemaOne, source),
        SigningError::Key => CopyError::Internal(error.to_string()),
    })
}

fn failed(format: ImageFormat, source: ManifestError) -> CopyError {
    CopyError::Convert {
        media_type: format.image_type().to_owned(),
        source,
    }
}
