//! An object whose members are taken one by one and whose rest survives.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::JsonError;
use super::strict::duplicate;

/// A JSON object with its members in document order and their values as text, so that what is not understood can be
/// written again unchanged.
///
/// Reading refuses duplicate keys of this object; nested ones are looked at when they are taken. A null member counts
/// as absent, as in Go.
#[derive(Clone, Debug, Default)]
pub struct Object {
    members: Vec<(String, Box<RawValue>)>,
}

impl Object {
    /// Reads a document that must be one object.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        serde_json::from_slice(bytes).map_err(JsonError::Document)
    }

    /// The names of the members that are left, null ones included.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(key, _)| key.as_str())
    }

    /// The members that are left and their values' text.
    pub fn members(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.members.iter().map(|(key, value)| (key.as_str(), value.as_ref()))
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether a member of this name is there and not null.
    pub fn has(&self, key: &str) -> bool {
        self.raw(key).is_some()
    }

    /// Reads a member and leaves it in place; `None` if it is absent or null.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, JsonError> {
        self.raw(key).map(|value| read(key, value)).transpose()
    }

    /// Removes a member and reads it; `None` if it is absent or null.
    pub fn take<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, JsonError> {
        let Some(index) = self.members.iter().position(|(name, _)| name == key) else {
            return Ok(None);
        };
        let (_, value) = self.members.remove(index);
        if is_null(&value) {
            return Ok(None);
        }
        read(key, &value).map(Some)
    }

    /// As [`Object::take`] for a member that must be there.
    pub fn take_required<T: DeserializeOwned>(&mut self, key: &str) -> Result<T, JsonError> {
        self.take(key)?
            .ok_or_else(|| JsonError::Missing { key: key.to_owned() })
    }

    /// Takes an object of strings, such as annotations; empty if absent. Duplicate keys in it are refused.
    pub fn take_strings(&mut self, key: &str) -> Result<BTreeMap<String, String>, JsonError> {
        let Some(object) = self.take::<Self>(key)? else {
            return Ok(BTreeMap::new());
        };
        object
            .members
            .into_iter()
            .map(|(name, value)| read::<String>(&name, &value).map(|text| (name, text)))
            .collect()
    }

    fn raw(&self, key: &str) -> Option<&RawValue> {
        self.members
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_ref())
            .filter(|value| !is_null(value))
    }
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

fn read<T: DeserializeOwned>(key: &str, value: &RawValue) -> Result<T, JsonError> {
    serde_json::from_str(value.get()).map_err(|source| JsonError::Field {
        key: key.to_owned(),
        source,
    })
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.members.len() == other.members.len()
            && self
                .members
                .iter()
                .zip(&other.members)
                .all(|(left, right)| left.0 == right.0 && left.1.get() == right.1.get())
    }
}

impl Eq for Object {}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Object, A::Error> {
                let mut seen = HashSet::new();
                let mut members = Vec::new();
                while let Some(key) = access.next_key::<String>()? {
                    if !seen.insert(key.clone()) {
                        return Err(duplicate::<A::Error>(&key));
                    }
                    members.push((key, access.next_value()?));
                }
                Ok(Object { members })
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Object;

    #[test]
    fn members_are_taken_and_the_rest_survives() {
        let mut object =
            Object::parse(br#"{"big":123456789012345678901234567890,"a":"x","n":null,"z":{"q": 1}}"#).unwrap();
        assert_eq!(object.get::<String>("a").unwrap().as_deref(), Some("x"));
        assert_eq!(object.take::<String>("a").unwrap().as_deref(), Some("x"));
        assert_eq!(object.take::<String>("a").unwrap(), None);
        assert!(!object.has("n") && object.has("z"));
        assert_eq!(object.take::<u8>("n").unwrap(), None);
        let rest: Vec<_> = object.members().map(|(key, value)| (key, value.get())).collect();
        assert_eq!(rest, [("big", "123456789012345678901234567890"), ("z", r#"{"q": 1}"#)]);
    }

    #[test]
    fn hostile_objects() {
        for text in [
            "[]",
            "1",
            "null",
            "\"\"",
            r#"{"a":1,"a":1}"#,
            r#"{"a":}"#,
            "{\"a\":\"\u{1}\"}",
        ] {
            assert!(Object::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Object::parse(b"{\"a\":\"\xff\"}").is_err());
        let mut object = Object::parse(br#"{"s":{"k":"1","k":"2"},"t":{"k":1},"u":"x"}"#).unwrap();
        assert!(object.take_strings("s").is_err());
        assert!(object.take_strings("t").unwrap_err().to_string().contains("\"k\""));
        assert!(object.take_strings("u").is_err());
        assert!(
            object
                .take_required::<u8>("v")
                .unwrap_err()
                .to_string()
                .contains("\"v\" is missing")
        );
    }
}
