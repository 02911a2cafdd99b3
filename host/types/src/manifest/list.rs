//! The view of a list of images and its writer.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::image::{check_version, read_all};
use super::{Kind, ManifestError, RawManifest};
use crate::descriptor::{Written, entry_unless_empty, write_extra};
use crate::json::{self, JsonError, Object};
use crate::{Descriptor, Digest, media_type};

/// A Docker manifest list or OCI image index.
///
/// Also what `index.json` of an OCI layout holds; only there may entries be lists themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestList {
    /// Whose format.
    pub kind: Kind,
    /// Whether the document names its own type. An OCI index may leave it out; a document that is only edited keeps its
    /// way.
    pub names_its_type: bool,
    /// The type of an artifact; only OCI.
    pub artifact_type: Option<String>,
    /// The entries in their order.
    pub manifests: Vec<Descriptor>,
    /// The manifest that this list is about; only OCI.
    pub subject: Option<Descriptor>,
    /// Only OCI; empty if not given.
    pub annotations: BTreeMap<String, String>,
    /// Members that are not known here; they are written again as long as the kind stays.
    pub extra: Object,
}

impl ManifestList {
    /// A list of nothing but entries.
    pub fn new(kind: Kind, manifests: Vec<Descriptor>) -> Self {
        Self {
            kind,
            names_its_type: true,
            artifact_type: None,
            manifests,
            subject: None,
            annotations: BTreeMap::new(),
            extra: Object::default(),
        }
    }

    /// Reads a document of that kind. Ambiguous ones are refused earlier, by [`RawManifest::new`].
    pub(super) fn parse(bytes: &[u8], kind: Kind) -> Result<Self, ManifestError> {
        let media_type = kind.list_type();
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
            manifests: read_all(object.take("manifests")?)?,
            subject: object.take("subject")?.map(Descriptor::read).transpose()?,
            annotations: object.take_strings("annotations")?,
            extra: object,
        })
    }

    /// Writes the list as the format's reference writer does (formats 0.1, 0.3).
    ///
    /// The bytes differ from those that were read if these were formatted otherwise: use the raw ones where nothing
    /// changed.
    pub fn to_raw(&self) -> Result<RawManifest, ManifestError> {
        let media_type = self.kind.list_type();
        let bytes = json::to_vec(self).map_err(|source| ManifestError::Json { media_type, source })?;
        RawManifest::new(bytes, Some(media_type))
    }

    /// The media type of the document.
    pub fn media_type(&self) -> &'static str {
        self.kind.list_type()
    }

    /// The entry of that digest.
    pub fn entry(&self, digest: &Digest) -> Option<&Descriptor> {
        self.manifests.iter().find(|entry| entry.digest == *digest)
    }

    /// Refuses a list in which an entry is a list itself (MC-10).
    pub fn refuse_nested(&self) -> Result<(), ManifestError> {
        match self
            .manifests
            .iter()
            .find(|entry| media_type::is_list(&entry.media_type))
        {
            None => Ok(()),
            Some(entry) => Err(ManifestError::NestedList {
                digest: entry.digest.clone(),
                media_type: entry.media_type.clone(),
            }),
        }
    }
}

impl Serialize for ManifestList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schemaVersion", &2)?;
        let silent = self.kind == Kind::Oci && !self.names_its_type;
        entry_unless_empty(&mut map, "mediaType", self.kind.list_type(), silent)?;
        entry_unless_empty(
            &mut map,
            "artifactType",
            &self.artifact_type,
            self.artifact_type.is_none(),
        )?;
        let manifests: Vec<Written<'_>> = self.manifests.iter().map(|entry| entry.written(self.kind)).collect();
        map.serialize_entry("manifests", &manifests)?;
        if let Some(subject) = &self.subject {
            map.serialize_entry("subject", &subject.written(self.kind))?;
        }
        entry_unless_empty(&mut map, "annotations", &self.annotations, self.annotations.is_empty())?;
        write_extra(&mut map, &self.extra)?;
        map.end()
    }
}
