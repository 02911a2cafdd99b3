//! JSON objects in which every member is known, there once, and not null.

use std::fmt::Display;

use longshore_types::json::Object;
use serde::de::DeserializeOwned;

/// The members of one object, taken one by one; [`Members::finish`] refuses what is left (PG-05, SG-02).
pub struct Members(Object);

impl Members {
    /// Reads a document that must be one object.
    ///
    /// # Errors
    ///
    /// It is something else, or a member is null or there twice.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        Self::parse_with_nullable(json, &[])
    }

    /// As [`Members::parse`], where those of `nullable` may be null: they are as good as absent then.
    ///
    /// # Errors
    ///
    /// As [`Members::parse`]; or one of `nullable` is not there.
    pub fn parse_with_nullable(json: &[u8], nullable: &[&str]) -> Result<Self, String> {
        let mut object = Object::parse(json).map_err(text)?;
        for &key in nullable {
            if !object.keys().any(|name| name == key) {
                return Err(missing(key));
            }
            if !object.has(key) {
                object.take::<()>(key).map_err(text)?;
            }
        }
        Self::of(object)
    }

    fn of(object: Object) -> Result<Self, String> {
        // Elsewhere null stands for an absent member; here that would turn a mistake into a default.
        if let Some((key, _)) = object.members().find(|(_, value)| value.get() == "null") {
            return Err(format!("Key {key:?} is null"));
        }
        Ok(Self(object))
    }

    /// A member that may be absent.
    ///
    /// # Errors
    ///
    /// It does not have the shape of `T`.
    pub fn optional<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, String> {
        self.0.take(key).map_err(text)
    }

    /// A member that must be there.
    ///
    /// # Errors
    ///
    /// It is not, or does not have the shape of `T`.
    pub fn required<T: DeserializeOwned>(&mut self, key: &str) -> Result<T, String> {
        self.optional(key)?.ok_or_else(|| missing(key))
    }

    /// An object that may be absent.
    ///
    /// # Errors
    ///
    /// It is no object, or a member of it is null or there twice.
    pub fn optional_object(&mut self, key: &str) -> Result<Option<Self>, String> {
        self.optional(key)?.map(Self::of).transpose()
    }

    /// An object that must be there.
    ///
    /// # Errors
    ///
    /// It is not, or as [`Members::optional_object`].
    pub fn required_object(&mut self, key: &str) -> Result<Self, String> {
        self.required(key).and_then(Self::of)
    }

    /// Refuses what nobody took.
    ///
    /// # Errors
    ///
    /// Names the first member that is left.
    pub fn finish(self) -> Result<(), String> {
        match self.0.keys().next() {
            Some(key) => Err(format!("Unknown key {key:?}")),
            None => Ok(()),
        }
    }
}

fn missing(key: &str) -> String {
    format!("Key {key:?} missing in a JSON object")
}

fn text(error: impl Display) -> String {
    error.to_string()
}
