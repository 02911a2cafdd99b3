//! The view of an image's config, Docker's or OCI's.

mod written;

use std::collections::BTreeMap;
use std::fmt;

use oci_spec::image::{History, ImageConfiguration};
use serde_json::{Map, Value, json};

use crate::json::{self, JsonError};
use crate::{Digest, DigestError, ErrorKind, MAX_MANIFEST_SIZE, Platform, timestamp};

/// Why a config was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// More bytes than anything may hand over as a config; the limit is that of manifests.
    #[error("image config is {size} bytes long, more than the limit of {MAX_MANIFEST_SIZE} bytes")]
    TooLarge {
        /// How many bytes there are.
        size: usize,
    },
    /// The document is not JSON or a member is malformed.
    #[error("parsing image config: {0}")]
    Json(#[source] serde_json::Error),
    /// The document is not an object.
    #[error("parsing image config: not an object")]
    NotAnObject,
    /// A time is not one of RFC 3339.
    #[error("parsing image config: invalid time {0:?}")]
    Time(String),
    /// An entry of `rootfs.diff_ids` is not a digest.
    #[error("parsing image config: invalid diff ID {text:?}: {source}")]
    DiffId {
        /// What stands there.
        text: String,
        /// What is wrong with it.
        source: DigestError,
    },
}

impl ConfigError {
    /// The class of this failure.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidData
    }
}

/// An image's config: its exact bytes and what they say.
///
/// Read as leniently as Go reads it: null and missing members are empty, unknown ones ignored, of duplicate keys the
/// last counts.
#[derive(Clone, PartialEq, Eq)]
pub struct ImageConfig {
    raw: Vec<u8>,
    spec: ImageConfiguration,
    /// The members that the image-spec does not have or that its types would rename.
    own: OwnMembers,
}

#[derive(Clone, PartialEq, Eq)]
struct OwnMembers {
    created: Option<String>,
    history_created: Vec<Option<String>>,
    architecture: String,
    os: String,
    docker_version: String,
    args_escaped: bool,
}

impl ImageConfig {
    /// Reads a config.
    pub fn parse(bytes: impl Into<Vec<u8>>) -> Result<Self, ConfigError> {
        let raw: Vec<u8> = bytes.into();
        if raw.len() > MAX_MANIFEST_SIZE {
            return Err(ConfigError::TooLarge { size: raw.len() });
        }
        let mut document: Value = serde_json::from_slice(&raw).map_err(ConfigError::Json)?;
        let members = document.as_object_mut().ok_or(ConfigError::NotAnObject)?;
        complete(members);
        let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (architecture, os, docker_version) = (text("architecture"), text("os"), text("docker_version"));
        let args_escaped = members
            .get("config")
            .and_then(|config| config.get("ArgsEscaped"))
            .and_then(Value::as_bool)
            .unwrap_or_default();

        let spec: ImageConfiguration = serde_json::from_value(document).map_err(ConfigError::Json)?;
        let created = spec.created().as_deref().map(time).transpose()?;
        let history = spec.history().iter().flatten();
        let history_created: Result<_, _> = history
            .map(|entry| entry.created().as_deref().map(time).transpose())
            .collect();
        let own = OwnMembers {
            created,
            history_created: history_created?,
            architecture,
            os,
            docker_version,
            args_escaped,
        };
        Ok(Self { raw, spec, own })
    }

    /// The exact bytes.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The digest of the exact bytes, by which Docker knows the image.
    pub fn digest(&self) -> Digest {
        Digest::sha256(&self.raw)
    }

    /// Everything that the image-spec knows. Names of its enumerations may differ from those in the document.
    pub fn spec(&self) -> &ImageConfiguration {
        &self.spec
    }

    /// When the image was made, as Go prints it again (RFC 3339); `None` if missing.
    pub fn created(&self) -> Option<&str> {
        self.own.created.as_deref()
    }

    /// Who made the image; empty if missing.
    pub fn author(&self) -> &str {
        self.spec.author().as_deref().unwrap_or_default()
    }

    /// The architecture as the document has it; empty if missing.
    pub fn architecture(&self) -> &str {
        &self.own.architecture
    }

    /// The OS as the document has it; empty if missing.
    pub fn os(&self) -> &str {
        &self.own.os
    }

    /// The variant of the architecture; empty if missing.
    pub fn variant(&self) -> &str {
        self.spec.variant().as_deref().unwrap_or_default()
    }

    /// What the image is made for.
    pub fn platform(&self) -> Platform {
        Platform {
            os_version: self.spec.os_version().clone().unwrap_or_default(),
            os_features: self.spec.os_features().clone().unwrap_or_default(),
            ..Platform::new(self.os(), self.architecture(), self.variant())
        }
    }

    /// The version of Docker that made the image; empty if missing.
    pub fn docker_version(&self) -> &str {
        &self.own.docker_version
    }

    /// The labels; `None` if missing, which is not the same as empty.
    pub fn labels(&self) -> Option<BTreeMap<&str, &str>> {
        let labels = self.spec.config().as_ref()?.labels().as_ref()?;
        Some(
            labels
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect(),
        )
    }

    /// The environment as `NAME=VALUE`; `None` if missing.
    pub fn env(&self) -> Option<&[String]> {
        self.spec.config().as_ref()?.env().as_deref()
    }

    /// The digests of the uncompressed layers, base first.
    ///
    /// # Errors
    /// If an entry is not a digest.
    pub fn diff_ids(&self) -> Result<Vec<Digest>, ConfigError> {
        let parse = |text: &String| {
            Digest::parse(text).map_err(|source| ConfigError::DiffId {
                text: text.chars().take(160).collect(),
                source,
            })
        };
        self.spec.rootfs().diff_ids().iter().map(parse).collect()
    }

    /// How the image was made, step by step; empty if missing.
    pub fn history(&self) -> &[History] {
        self.spec.history().as_deref().unwrap_or_default()
    }

    /// For each step of [`ImageConfig::history`] when it was made, as Go prints it again.
    pub fn history_created(&self) -> &[Option<String>] {
        &self.own.history_created
    }

    /// The config in OCI's form as skopeo prints it (IN-02): members that the image-spec does not know are left out,
    /// four spaces a level, no final newline.
    pub fn to_oci_pretty(&self) -> Result<String, JsonError> {
        json::to_string_pretty(&written::Config::of(self))
    }
}

fn time(text: &str) -> Result<String, ConfigError> {
    timestamp::normalise(text).ok_or_else(|| ConfigError::Time(text.chars().take(80).collect()))
}

/// Brings a document to what the image-spec's types demand, where Go's would take the zero value: no nulls, and the
/// members that must be there.
fn complete(members: &mut Map<String, Value>) {
    let is_set = |_: &String, value: &mut Value| !value.is_null();
    members.retain(is_set);
    for name in ["architecture", "os"] {
        members.entry(name).or_insert_with(|| json!(""));
    }
    let rootfs = members.entry("rootfs").or_insert_with(|| json!({}));
    if let Some(rootfs) = rootfs.as_object_mut() {
        rootfs.retain(is_set);
        rootfs.entry("type").or_insert_with(|| json!(""));
        rootfs.entry("diff_ids").or_insert_with(|| json!([]));
    }
    if let Some(config) = members.get_mut("config").and_then(Value::as_object_mut) {
        config.retain(is_set);
        for name in ["ExposedPorts", "Volumes"] {
            let set = config.get_mut(name).and_then(Value::as_object_mut);
            set.into_iter()
                .flat_map(Map::values_mut)
                .filter(|value| value.is_null())
                .for_each(|value| *value = json!({}));
        }
    }
}

impl fmt::Debug for ImageConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ImageConfig")
            .field("platform", &self.platform().to_string())
            .field("size", &self.raw.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
