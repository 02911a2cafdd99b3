//! Conversion between Docker's and OCI's formats.

use super::{ImageManifest, Kind, ManifestError, ManifestList};
use crate::json::Object;
use crate::media_type::{self, MediaTypeError};
use crate::{Descriptor, Platform};

/// The conversion of one descriptor's media type.
type Mapping = fn(&str) -> Result<String, MediaTypeError>;

impl ImageManifest {
    /// The same image in the other format; a copy if it has that format already (MC-08, MC-15).
    ///
    /// Config and layers keep digest and size: an OCI config may have members that the image-spec does not name, so
    /// Docker's config is one as it stands, and the image keeps its id. What the other format has no place for is left
    /// out: annotations and a subject going to Docker, unknown members either way.
    ///
    /// # Errors
    /// For an artifact (MC-09), and for a layer whose type has no counterpart: unknown, and going to Docker zstd or
    /// encrypted.
    pub fn convert(&self, kind: Kind) -> Result<Self, ManifestError> {
        if self.kind == kind {
            return Ok(self.clone());
        }
        self.require_image()?;
        let mapping: Mapping = match kind {
            Kind::Oci => media_type::to_oci,
            Kind::Docker => media_type::to_docker,
        };
        let layers: Result<Vec<Descriptor>, MediaTypeError> = self
            .layers
            .iter()
            .map(|layer| match media_type::layer(&layer.media_type) {
                Some(_) => mapped(layer, mapping),
                None => Err(MediaTypeError::Unknown(layer.media_type.clone())),
            })
            .collect();
        Ok(Self::new(kind, mapped(&self.config, mapping)?, layers?))
    }
}

fn mapped(descriptor: &Descriptor, mapping: Mapping) -> Result<Descriptor, MediaTypeError> {
    let mut output = Descriptor::new(
        mapping(&descriptor.media_type)?,
        descriptor.digest.clone(),
        descriptor.size,
    );
    output.urls.clone_from(&descriptor.urls);
    Ok(output)
}

impl ManifestList {
    /// The same list in the other format; a copy if it has that format already (MC-10).
    ///
    /// The entries still name the same manifests: converting these, and correcting digest, size and type of the
    /// entries, is the caller's part. Platforms survive; annotations, artifact types and unknown members do not.
    /// Docker's list demands a platform, `unknown` is written for entries without.
    ///
    /// # Errors
    /// If an entry is a list itself.
    pub fn convert(&self, kind: Kind, unknown: &Platform) -> Result<Self, ManifestError> {
        if self.kind == kind {
            return Ok(self.clone());
        }
        self.refuse_nested()?;
        let entries = self.manifests.iter().map(|entry| {
            let mut output = Descriptor::new(entry.media_type.clone(), entry.digest.clone(), entry.size);
            output.urls.clone_from(&entry.urls);
            output.platform = match kind {
                Kind::Docker => Some(known_members(entry.platform.as_ref().unwrap_or(unknown))),
                // The image-spec reserves `features` and has no meaning for it.
                Kind::Oci => entry.platform.as_ref().map(|platform| Platform {
                    features: Vec::new(),
                    ..known_members(platform)
                }),
            };
            output
        });
        Ok(Self::new(kind, entries.collect()))
    }
}

fn known_members(platform: &Platform) -> Platform {
    Platform {
        extra: Object::default(),
        ..platform.clone()
    }
}
