//! `images.json` and `layers.json`: lists of which each record is kept as it was written, so that what is not known
//! here survives a change.

use std::collections::{BTreeMap, HashMap};

use longshore_guest::Error;
use longshore_types::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A list of the store.
#[derive(Debug)]
pub(crate) struct Records<T> {
    /// Name of the file, for messages.
    file: String,
    records: Vec<(Box<RawValue>, T)>,
}

/// A record that has an ID, which is also the name of a folder.
pub(crate) trait Record: DeserializeOwned {
    fn ids(&self) -> impl Iterator<Item = &str>;
}

/// An image.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct ImageRecord {
    pub(crate) id: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) digest: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) names: Vec<String>,
    /// The topmost layer; empty if there is none.
    #[serde(deserialize_with = "or_empty")]
    pub(crate) layer: String,
    /// The topmost layers of copies for other owners of files.
    #[serde(deserialize_with = "or_empty")]
    pub(crate) mapped_layers: Vec<String>,
    /// JSON of the transport's own.
    #[serde(deserialize_with = "or_empty")]
    pub(crate) metadata: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) big_data_digests: BTreeMap<String, String>,
}

/// A layer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct LayerRecord {
    pub(crate) id: String,
    /// The layer below; empty if there is none.
    #[serde(deserialize_with = "or_empty")]
    pub(crate) parent: String,
    /// Digest of the archive as it came.
    #[serde(deserialize_with = "or_empty")]
    pub(crate) compressed_diff_digest: String,
    /// Its size as it came.
    pub(crate) compressed_size: u64,
    /// Digest of the archive without compression.
    #[serde(deserialize_with = "or_empty")]
    pub(crate) diff_digest: String,
    /// Its size; negative if it is not known.
    pub(crate) diff_size: Option<i64>,
    /// How the archive was compressed, as a number.
    pub(crate) compression: u8,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) flags: HashMap<String, serde_json::Value>,
}

/// A container, as far as it keeps an image from being removed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ContainerRecord {
    pub(crate) id: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) image: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) layer: String,
}

/// A mount of a layer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MountRecord {
    pub(crate) id: String,
    pub(crate) count: i64,
}

/// A record, as it is written.
pub(crate) type Members = serde_json::Map<String, serde_json::Value>;

/// What is being made, or removed.
const INCOMPLETE: &str = "incomplete";

impl LayerRecord {
    /// Whether its archive had this digest, with or without compression.
    pub(crate) fn is_of(&self, digest: &Digest) -> bool {
        [&self.compressed_diff_digest, &self.diff_digest].contains(&&digest.to_string()) && !self.is_incomplete()
    }

    /// Whether somebody was interrupted who made or removed it.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.flags.get(INCOMPLETE) == Some(&serde_json::Value::Bool(true))
    }
}

impl Record for ImageRecord {
    fn ids(&self) -> impl Iterator<Item = &str> {
        let layer = Some(self.layer.as_str()).filter(|layer| !layer.is_empty());
        let mapped = self.mapped_layers.iter().map(String::as_str);
        std::iter::once(self.id.as_str()).chain(layer).chain(mapped)
    }
}

impl Record for LayerRecord {
    fn ids(&self) -> impl Iterator<Item = &str> {
        let parent = Some(self.parent.as_str()).filter(|parent| !parent.is_empty());
        std::iter::once(self.id.as_str()).chain(parent)
    }
}

impl Record for ContainerRecord {
    fn ids(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id.as_str())
    }
}

impl Record for MountRecord {
    fn ids(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id.as_str())
    }
}

impl<T: Record> Records<T> {
    /// Reads a list; a file that is not there is an empty one.
    pub(crate) fn parse(file: &str, bytes: Option<&[u8]>) -> Result<Self, Error> {
        let invalid = |error: &dyn std::fmt::Display| Error::invalid_data(format_args!("{file}: {error}"));
        let raw: Option<Vec<Box<RawValue>>> = match bytes {
            None | Some(b"") => None,
            Some(bytes) => serde_json::from_slice(bytes).map_err(|error| invalid(&error))?,
        };
        let mut records = Vec::new();
        for raw in raw.unwrap_or_default() {
            let record: T = serde_json::from_str(raw.get()).map_err(|error| invalid(&error))?;
            if let Some(id) = record.ids().find(|id| !is_id(id)) {
                return Err(invalid(&format!("{id:?} is not an ID")));
            }
            records.push((raw, record));
        }
        let file = file.to_owned();
        Ok(Self { file, records })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.records.iter().map(|(_, record)| record)
    }

    /// Drops all records but those that `keep` wants.
    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.records.retain(|(_, record)| keep(record));
    }

    /// The list as it is written.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let records: Vec<&str> = self.records.iter().map(|(raw, _)| raw.get()).collect();
        format!("[{}]", records.join(",")).into_bytes()
    }
}

impl<T: Record> Records<T> {
    /// Changes the records that are meant; members that are not known here stay as they are.
    pub(crate) fn change(&mut self, is_meant: impl Fn(&T) -> bool, edit: impl Fn(&mut Members)) -> Result<(), Error> {
        let file = &self.file;
        let invalid = |error: serde_json::Error| Error::invalid_data(format_args!("{file}: {error}"));
        for (raw, record) in self.records.iter_mut().filter(|(_, record)| is_meant(record)) {
            let mut members: Members = serde_json::from_str(raw.get()).map_err(invalid)?;
            edit(&mut members);
            *raw = serde_json::value::to_raw_value(&members).map_err(invalid)?;
            *record = serde_json::from_str(raw.get()).map_err(invalid)?;
        }
        Ok(())
    }

    /// Adds a record.
    pub(crate) fn add(&mut self, record: &serde_json::Value) -> Result<(), Error> {
        let file = &self.file;
        let invalid = |error: serde_json::Error| Error::invalid_data(format_args!("{file}: {error}"));
        let raw = serde_json::value::to_raw_value(record).map_err(invalid)?;
        let record = serde_json::from_str(raw.get()).map_err(invalid)?;
        self.records.push((raw, record));
        Ok(())
    }
}

impl Records<LayerRecord> {
    /// Marks layers as being removed: whoever opens the store next removes what is left of them.
    pub(crate) fn mark_incomplete(&mut self, is_meant: impl Fn(&LayerRecord) -> bool) -> Result<(), Error> {
        self.change(is_meant, |members| {
            let flags = members.entry("flags").or_insert(serde_json::Value::Null);
            if !flags.is_object() {
                *flags = serde_json::json!({});
            }
            flags[INCOMPLETE] = true.into();
        })
    }

    /// Takes the mark away.
    pub(crate) fn mark_complete(&mut self, is_meant: impl Fn(&LayerRecord) -> bool) -> Result<(), Error> {
        self.change(is_meant, |members| {
            let flags = members.get_mut("flags").and_then(serde_json::Value::as_object_mut);
            let is_empty = flags.is_none_or(|flags| {
                flags.remove(INCOMPLETE);
                flags.is_empty()
            });
            if is_empty {
                members.remove("flags");
            }
        })
    }
}

/// Whether it can be the name of a folder, and of nothing that the store itself has there.
fn is_id(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    // `l`, `dir` and the like are folders of the drivers.
    (4..=128).contains(&text.len()) && text.bytes().all(known)
}

/// Go writes what is empty as nothing, and sometimes as null.
fn or_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn records_stay_as_they_were_written() {
        let text =
            r#"[{"id":"aaaa", "names":null,"x":1.50},{"id":"bbbb","layer":"cccc","created":"now"},{"id":"dddd"}]"#;
        let mut images = Records::<ImageRecord>::parse("images.json", Some(text.as_bytes())).unwrap();
        images.retain(|image| image.id != "bbbb");
        assert_eq!(
            String::from_utf8(images.to_bytes()).unwrap(),
            r#"[{"id":"aaaa", "names":null,"x":1.50},{"id":"dddd"}]"#
        );
        for nothing in [None, Some(&b""[..]), Some(b"[]"), Some(b"null")] {
            let images = Records::<ImageRecord>::parse("images.json", nothing).unwrap();
            assert_eq!(images.to_bytes(), b"[]");
        }
    }

    #[test]
    fn layers_that_are_being_removed_are_marked() {
        for (record, marked) in [
            (r#"{"id":"aaaa"}"#, r#"{"id":"aaaa","flags":{"incomplete":true}}"#),
            (
                r#"{"id":"aaaa","flags":{"x":1},"y":2}"#,
                r#"{"id":"aaaa","flags":{"x":1,"incomplete":true},"y":2}"#,
            ),
            (
                r#"{"id":"aaaa","flags":null}"#,
                r#"{"id":"aaaa","flags":{"incomplete":true}}"#,
            ),
        ] {
            let list = format!("[{record}]");
            let mut layers = Records::<LayerRecord>::parse("layers.json", Some(list.as_bytes())).unwrap();
            layers.mark_incomplete(|layer| layer.id == "aaaa").unwrap();
            let bytes = layers.to_bytes();
            assert_eq!(String::from_utf8_lossy(&bytes), format!("[{marked}]"));
            let layers = Records::<LayerRecord>::parse("layers.json", Some(&bytes)).unwrap();
            assert!(layers.iter().all(LayerRecord::is_incomplete));
        }
    }

    #[test]
    fn hostile_lists() {
        for (text, fragment) in [
            ("{}", "expected a sequence"),
            ("[", "EOF"),
            ("[1]", "expected struct"),
            ("[{}]", "\"\" is not an ID"),
            (r#"[{"id":1}]"#, "expected a string"),
            (r#"[{"id":"../../x"}]"#, "is not an ID"),
            (r#"[{"id":"a/b/c"}]"#, "is not an ID"),
            (r#"[{"id":".."}]"#, "is not an ID"),
            (r#"[{"id":"l"}]"#, "is not an ID"),
            (r#"[{"id":"aaaa","parent":"../x"}]"#, "is not an ID"),
            (r#"[{"id":"aaaa","id":"bbbb"}]"#, "duplicate field"),
            (r#"[{"id":"aaaa","diff-size":"1"}]"#, "i64"),
        ] {
            let error = Records::<LayerRecord>::parse("layers.json", Some(text.as_bytes())).unwrap_err();
            assert!(
                error.message.starts_with("layers.json: ") && error.message.contains(fragment),
                "{text}: {}",
                error.message
            );
        }
        let image = r#"[{"id":"aaaa","layer":"../x"}]"#;
        assert!(Records::<ImageRecord>::parse("images.json", Some(image.as_bytes())).is_err());
    }
}
