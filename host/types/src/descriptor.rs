//! Descriptors: how a manifest names a blob or another manifest.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::json::{JsonError, Object};
use crate::media_type::{self, MediaTypeError};
use crate::{BlobInfo, Compression, Digest, Kind, Platform};

/// A member of a manifest that names content by digest (image-spec, descriptor; Docker's descriptors have fewer
/// members).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The type of the content; empty if the document does not say.
    pub media_type: String,
    /// The name of the content.
    pub digest: Digest,
    /// Length of the content in bytes, at most `i64::MAX`.
    pub size: u64,
    /// Other places where the content lies.
    pub urls: Vec<String>,
    /// Empty if not given.
    pub annotations: BTreeMap<String, String>,
    /// What the image is made for; only in lists.
    pub platform: Option<Platform>,
    /// The content itself in base64.
    pub data: Option<String>,
    /// The artifact's type, if the content is an artifact.
    pub artifact_type: Option<String>,
    /// Members that are not known here; they are written again as long as the document keeps its format.
    pub extra: Object,
}

/// Annotations that describe one encoding of a layer and are wrong for any other (formats, zstd:chunked and eStargz).
const ENCODING_ANNOTATIONS: [&str; 6] = [
    "io.github.containers.zstd-chunked.manifest-checksum",
    "io.github.containers.zstd-chunked.manifest-position",
    "io.github.containers.zstd-chunked.tarsplit-position",
    "io.github.containers.zstd-chunked.tarsplit-checksum",
    "containerd.io/snapshot/stargz/toc.digest",
    "io.containers.estargz.uncompressed-size",
];

impl Descriptor {
    /// A descriptor with the three members that every one has.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
            data: None,
            artifact_type: None,
            extra: Object::default(),
        }
    }

    /// The same blob as what a copy passes on, with its `role` in the extras.
    pub fn to_blob_info(&self, role: &str) -> BlobInfo {
        BlobInfo {
            digest: Some(self.digest.clone()),
            size: Some(self.size),
            media_type: self.media_type.clone(),
            annotations: self.annotations.clone(),
            urls: self.urls.clone(),
            extras: BTreeMap::from([(BlobInfo::ROLE.to_owned(), role.to_owned())]),
        }
    }

    /// The descriptor of the same layer after a copy stored it as `digest`, compressed as `compression` says.
    ///
    /// The media type is corrected to the compression (LC-04) unless it is not a layer type at all or says that the
    /// layer is encrypted. If the digest changed, URLs, embedded data and annotations about the old encoding no longer
    /// hold and are left out.
    ///
    /// # Errors
    /// If no media type of the same family stands for that compression.
    pub fn stored_as(&self, digest: Digest, size: u64, compression: Compression) -> Result<Self, MediaTypeError> {
        let mut stored = self.clone();
        if media_type::layer(&self.media_type).is_some_and(|layer| !layer.encrypted) {
            stored.media_type = media_type::with_compression(&self.media_type, compression)?;
        }
        if digest != self.digest {
            stored.urls.clear();
            stored.data = None;
            stored
                .annotations
                .retain(|key, _| !ENCODING_ANNOTATIONS.contains(&key.as_str()));
        }
        stored.digest = digest;
        stored.size = size;
        Ok(stored)
    }

    /// Takes the known members out of an object and keeps the rest.
    pub(crate) fn read(mut object: Object) -> Result<Self, JsonError> {
        let size: i64 = object.take_required("size")?;
        let size = u64::try_from(size).map_err(|_| JsonError::Field {
            key: "size".to_owned(),
            source: serde::de::Error::custom("a size cannot be negative"),
        })?;
        Ok(Self {
            media_type: object.take("mediaType")?.unwrap_or_default(),
            digest: object.take_required("digest")?,
            size,
            urls: object.take("urls")?.unwrap_or_default(),
            annotations: object.take_strings("annotations")?,
            platform: object.take("platform")?.map(read_platform).transpose()?,
            data: object.take("data")?,
            artifact_type: object.take("artifactType")?,
            extra: object,
        })
    }

    /// How it is written in a document of `kind`.
    pub(crate) fn written(&self, kind: Kind) -> Written<'_> {
        Written { descriptor: self, kind }
    }
}

fn read_platform(mut object: Object) -> Result<Platform, JsonError> {
    Ok(Platform {
        architecture: object.take("architecture")?.unwrap_or_default(),
        os: object.take("os")?.unwrap_or_default(),
        os_version: object.take("os.version")?.unwrap_or_default(),
        os_features: object.take("os.features")?.unwrap_or_default(),
        variant: object.take("variant")?.unwrap_or_default(),
        features: object.take("features")?.unwrap_or_default(),
        extra: object,
    })
}

/// A descriptor in the order of members that a format has (formats 0.3).
pub(crate) struct Written<'a> {
    descriptor: &'a Descriptor,
    kind: Kind,
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let descriptor = self.descriptor;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("mediaType", &descriptor.media_type)?;
        match self.kind {
            Kind::Oci => {
                map.serialize_entry("digest", &descriptor.digest)?;
                map.serialize_entry("size", &descriptor.size)?;
            }
            Kind::Docker => {
                map.serialize_entry("size", &descriptor.size)?;
                map.serialize_entry("digest", &descriptor.digest)?;
            }
        }
        entry_unless_empty(&mut map, "urls", &descriptor.urls, descriptor.urls.is_empty())?;
        entry_unless_empty(
            &mut map,
            "annotations",
            &descriptor.annotations,
            descriptor.annotations.is_empty(),
        )?;
        entry_unless_empty(&mut map, "data", &descriptor.data, descriptor.data.is_none())?;
        if let Some(platform) = &descriptor.platform {
            map.serialize_entry("platform", &WrittenPlatform(platform))?;
        }
        entry_unless_empty(
            &mut map,
            "artifactType",
            &descriptor.artifact_type,
            descriptor.artifact_type.is_none(),
        )?;
        write_extra(&mut map, &descriptor.extra)?;
        map.end()
    }
}

struct WrittenPlatform<'a>(&'a Platform);

impl Serialize for WrittenPlatform<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let platform = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("architecture", &platform.architecture)?;
        map.serialize_entry("os", &platform.os)?;
        entry_unless_empty(
            &mut map,
            "os.version",
            &platform.os_version,
            platform.os_version.is_empty(),
        )?;
        entry_unless_empty(
            &mut map,
            "os.features",
            &platform.os_features,
            platform.os_features.is_empty(),
        )?;
        entry_unless_empty(&mut map, "variant", &platform.variant, platform.variant.is_empty())?;
        entry_unless_empty(&mut map, "features", &platform.features, platform.features.is_empty())?;
        write_extra(&mut map, &platform.extra)?;
        map.end()
    }
}

/// Writes a member unless it says nothing.
pub(crate) fn entry_unless_empty<M: SerializeMap, T: Serialize + ?Sized>(
    map: &mut M,
    key: &str,
    value: &T,
    empty: bool,
) -> Result<(), M::Error> {
    if empty { Ok(()) } else { map.serialize_entry(key, value) }
}

/// Writes the members that nobody understood as they were read.
pub(crate) fn write_extra<M: SerializeMap>(map: &mut M, extra: &Object) -> Result<(), M::Error> {
    extra
        .members()
        .try_for_each(|(key, value)| map.serialize_entry(key, value))
}
