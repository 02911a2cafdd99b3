//! JSON objects in which every member is known, there once, and not null.

use std::fmt::Display;

use longshore_types::json::Object;
use serde::de::DeserializeOwned;

/// The members of one object, taken one by one; [`Members::finish`] refuses what is left (PG-05, SG-02).
pub(crate) struct Members(Object);

impl Members {
    /// Reads a document that must be one object.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, String> {
        Object::parse(json).map_err(text).and_then(Self::of)
    }

    fn of(object: Object) -> Result<Self, String> {
        // Elsewhere null stands for an absent member; here that would turn a mistake into a default.
        if let Some((key, _)) = object.members().find(|(_, value)| value.get() == "null") {
            return Err(format!("Key {key:?} is null"));
        }
        Ok(Self(object))
    }

    /// A member that may be absent.
    pub(crate) fn optional<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, String> {
        self.0.take(key).map_err(text)
    }

    /// A member that must be there.
    pub(crate) fn required<T: DeserializeOwned>(&mut self, key: &str) -> Result<T, String> {
        self.optional(key)?
            .ok_or_else(|| format!("Key {key:?} missing in a JSON object"))
    }

    /// An object that may be absent.
    pub(crate) fn optional_object(&mut self, key: &str) -> Result<Option<Self>, String> {
        self.optional(key)?.map(Self::of).transpose()
    }

    /// An object that must be there.
    pub(crate) fn required_object(&mut self, key: &str) -> Result<Self, String> {
        self.required(key).and_then(Self::of)
    }

    /// Refuses what nobody took.
    pub(crate) fn finish(self) -> Result<(), String> {
        match self.0.keys().next() {
            Some(key) => Err(format!("Unknown key {key:?}")),
            None => Ok(()),
        }
    }
}

fn text(error: impl Display) -> String {
    error.to_string()
}
