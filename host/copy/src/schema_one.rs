//! Docker schema 1, whose manifests say neither how long layers are nor what they are uncompressed, and have no config.

mod convert;
mod diff_ids;
mod recording;
mod signing;

use std::collections::HashMap;
use std::sync::Arc;

use longshore_types::{Descriptor, Digest, ImageFormat, ImageManifest, Kind, SchemaOne, media_type};

pub(crate) use convert::{Rendered, from_schema_one, to_schema_one};
use diff_ids::DiffIds;
use recording::Recording;

use crate::config::Config;
use crate::error::CopyError;
use crate::image::{SelectedImage, on_source};
use crate::open::AcceptedImage;
use crate::source::ImageSource;

/// What a source has in schema 1.
pub(crate) struct Original {
    pub(crate) image: SchemaOne,
    diff_ids: Arc<DiffIds>,
}

impl Original {
    /// Has the uncompressed layers hashed while they pass, for a copy that will write them into a config.
    pub(crate) fn will_be_written_as(&self, format: ImageFormat) {
        if format != ImageFormat::SchemaOne {
            self.diff_ids.want();
        }
    }
}

/// Reads a schema 1 image as if it were one of schema 2, as far as that goes before its layers are known: with a config
/// that has no DiffIDs yet, and with a layer for each step of the history.
pub(crate) async fn accepted(
    source: Arc<dyn ImageSource>,
    name: String,
    selected: SelectedImage,
    signatures: Vec<Vec<u8>>,
) -> Result<AcceptedImage, CopyError> {
    let failed = |source| CopyError::Manifest {
        name: name.clone(),
        source,
    };
    let image = selected.manifest.parse_schema_one().map_err(failed)?;
    let config = image.config(None).map_err(failed)?;
    let layers = layers(source.as_ref(), &image, &name).await?;
    let named = Descriptor::new(media_type::DOCKER_CONFIG, Digest::sha256(&config), config.len() as u64);
    let diff_ids = Arc::new(DiffIds::default());
    Ok(AcceptedImage {
        source: Arc::new(Recording::new(source, Arc::clone(&diff_ids))),
        name,
        selected,
        manifest: ImageManifest::new(Kind::Docker, named, layers),
        config: Config::new(config),
        signatures,
        has_other_layers: false,
        schema_one: Some(Box::new(Original { image, diff_ids })),
    })
}

/// The layers, base first, with the lengths that the place where they are stored says.
pub(crate) async fn layers(
    source: &dyn ImageSource,
    image: &SchemaOne,
    name: &str,
) -> Result<Vec<Descriptor>, CopyError> {
    let mut known: HashMap<&Digest, Descriptor> = HashMap::new();
    let mut layers = Vec::with_capacity(image.layers().len());
    for layer in image.layers() {
        let digest = layer.blob();
        let descriptor = match known.get(digest) {
            Some(descriptor) => descriptor.clone(),
            None => {
                let mut descriptor = Descriptor::new(media_type::DOCKER_LAYER_GZIP, digest.clone(), 0);
                let mut info = descriptor.to_blob_info("layer");
                info.size = None;
                let asked = source.blob_size(&info).await;
                let size = asked.map_err(|error| on_source(source, &format!("reading blob {digest}"), error))?;
                descriptor.size = size.ok_or_else(|| CopyError::Mismatch {
                    what: format!("blob {digest}"),
                    name: name.to_owned(),
                    detail: "its length is not known".into(),
                })?;
                known.insert(digest, descriptor.clone());
                descriptor
            }
        };
        layers.push(descriptor);
    }
    Ok(layers)
}
