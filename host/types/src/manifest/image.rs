//! The view of one image's manifest and its writer.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{Kind, ManifestError, RawManifest};
use crate::descriptor::{Written, entry_unless_empty, write_extra};
use crate::json::{self, JsonError, Object};
use crate::{BlobInfo, Descriptor, media_type};

/// A Docker schema 2 or OCI image manifest. An OCI artifact has the same form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageManifest {
    /// Whose format.
    pub kind: Kind,
    /// Whether the document names its own type. OCI manifests may leave it out; a document that is only edited keeps
    /// its way.
    pub names_its_type: bool,
    /// The type of an artifact; only OCI.
    pub artifact_type: Option<String>,
    /// The image's config, or whatever an artifact has in its place.
    pub config: Descriptor,
    /// The layers, base first.
    pub layers: Vec<Descriptor>,
    /// The manifest that this one is about; only OCI.
    pub subject: Option<Descriptor>,
    /// Only OCI; empty if not given.
    pub annotations: BTreeMap<String, String>,
    /// Members that are not known here; they are written again as long as the kind stays.
    pub extra: Object,
}

impl ImageManifest {
    /// A manifest of nothing but a config and layers.
    pub fn new(kind: Kind, config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            kind,
            names_its_type: true,
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
            extra: Object::default(),
        }
    }

    /// Reads a document of that kind. Ambiguous ones are refused earlier, by [`RawManifest::new`].
    pub(super) fn parse(bytes: &[u8], kind: Kind) -> Result<Self, ManifestError> {
        let media_type = kind.image_type();
        let failure = |source| ManifestError::Json { media_type, source };
        let mut object = Object::parse(bytes).map_err(failure)?;
        check_version(&mut object, media_type)?;
        Self::read(object, kind).map_err(failure)
    }

    fn read(mut object: Object, kind: Kind) -> Result<Self, JsonError> {
        Ok(Self {
            kind,
            names_its_type: object.take::<String>("mediaType")?.is_some(),
            artifact_type: object.take("artifactType")?,
            config: Descriptor::read(object.take_required("config")?)?,
            layers: read_all(object.take("layers")?)?,
            subject: object.take("subject")?.map(Descriptor::read).transpose()?,
            annotations: object.take_strings("annotations")?,
            extra: object,
        })
    }

    /// Writes the manifest as the format's reference writer does (formats 0.1, 0.3).
    ///
    /// The bytes differ from those that were read if these were formatted otherwise: use the raw ones where nothing
    /// changed.
    pub fn to_raw(&self) -> Result<RawManifest, ManifestError> {
        let media_type = self.kind.image_type();
        let bytes = json::to_vec(self).map_err(|source| ManifestError::Json { media_type, source })?;
        RawManifest::new(bytes, Some(media_type))
    }

    /// The same manifest with other layers.
    #[must_use]
    pub fn with_layers(&self, layers: Vec<Descriptor>) -> Self {
        Self { layers, ..self.clone() }
    }

    /// The same manifest with another config.
    #[must_use]
    pub fn with_config(&self, config: Descriptor) -> Self {
        Self { config, ..self.clone() }
    }

    /// The media type of the document.
    pub fn media_type(&self) -> &'static str {
        self.kind.image_type()
    }

    /// Whether this is an artifact: the config is not an image's (MC-09).
    pub fn is_artifact(&self) -> bool {
        !media_type::is_image_config(&self.config.media_type)
    }

    /// Refuses an artifact where only an image makes sense (IB-05).
    pub fn require_image(&self) -> Result<(), ManifestError> {
        if !self.is_artifact() {
            return Ok(());
        }
        let artifact_type = self.artifact_type.clone().filter(|named| !named.is_empty());
        Err(ManifestError::Artifact {
            artifact_type: artifact_type.unwrap_or_else(|| self.config.media_type.clone()),
        })
    }

    /// The layers as blobs, base first, each with its role and position.
    pub fn layer_infos(&self) -> Vec<BlobInfo> {
        let numbered = self.layers.iter().enumerate();
        numbered
            .map(|(index, layer)| {
                layer
                    .to_blob_info("layer")
                    .with_extra(BlobInfo::LAYER_INDEX, index.to_string())
            })
            .collect()
    }

    /// The config as a blob.
    pub fn config_info(&self) -> BlobInfo {
        self.config.to_blob_info("config")
    }
}

impl Serialize for ImageManifest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schemaVersion", &2)?;
        let silent = self.kind == Kind::Oci && !self.names_its_type;
        entry_unless_empty(&mut map, "mediaType", self.kind.image_type(), silent)?;
        entry_unless_empty(
            &mut map,
            "artifactType",
            &self.artifact_type,
            self.artifact_type.is_none(),
        )?;
        map.serialize_entry("config", &self.config.written(self.kind))?;
        let layers: Vec<Written<'_>> = self.layers.iter().map(|layer| layer.written(self.kind)).collect();
        map.serialize_entry("layers", &layers)?;
        if let Some(subject) = &self.subject {
            map.serialize_entry("subject", &subject.written(self.kind))?;
        }
        entry_unless_empty(&mut map, "annotations", &self.annotations, self.annotations.is_empty())?;
        write_extra(&mut map, &self.extra)?;
        map.end()
    }
}

/// Takes `schemaVersion`, which is 2 in everything that is read here.
pub(super) fn check_version(object: &mut Object, media_type: &'static str) -> Result<(), ManifestError> {
    let version: i64 = object
        .take_required("schemaVersion")
        .map_err(|source| ManifestError::Json { media_type, source })?;
    if version == 2 {
        Ok(())
    } else {
        Err(ManifestError::SchemaVersion { media_type, version })
    }
}

/// Reads a list of descriptors. A missing or null one counts as empty: Go writes null for a list that was never filled.
pub(super) fn read_all(objects: Option<Vec<Object>>) -> Result<Vec<Descriptor>, JsonError> {
    objects.unwrap_or_default().into_iter().map(Descriptor::read).collect()
}
