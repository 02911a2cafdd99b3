//! Reading whole documents without accepting duplicate keys.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::ErrorKind;

/// Why a JSON document was refused. The text of both names line and column within what was parsed.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The document is not JSON, has a duplicate key, or does not have the expected shape.
    #[error("invalid JSON: {0}")]
    Document(#[source] serde_json::Error),
    /// One member does not have the expected shape.
    #[error("invalid JSON in field {key:?}: {source}")]
    Field {
        /// The member's name.
        key: String,
        /// What is wrong; lines and columns count from the member's own value.
        source: serde_json::Error,
    },
    /// A member that must be there is not, or is null.
    #[error("required field {key:?} is missing")]
    Missing {
        /// The member's name.
        key: String,
    },
}

impl JsonError {
    /// Line and column of the failure in the document, both counted from 1; `None` if it does not concern a place in
    /// it.
    pub fn position(&self) -> Option<(usize, usize)> {
        match self {
            Self::Document(source) => Some((source.line(), source.column())),
            Self::Field { .. } | Self::Missing { .. } => None,
        }
    }

    /// The class of this failure.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidData
    }
}

/// Parses a document and refuses a duplicate key in any object, however deep.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict.deserialize(&mut deserializer).map_err(JsonError::Document)?;
    deserializer.end().map_err(JsonError::Document)?;
    Ok(value)
}

/// Parses a document into `T` and refuses a duplicate key in any object, also in those that `T` ignores.
///
/// Unknown members are `T`'s own affair (`#[serde(deny_unknown_fields)]`).
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    parse(bytes)?;
    serde_json::from_slice(bytes).map_err(JsonError::Document)
}

/// The error for a key that was seen before. A hostile key can be megabytes long, so only its start is quoted.
pub(super) fn duplicate<E: serde::de::Error>(key: &str) -> E {
    const QUOTED: usize = 80;
    let start: String = key.chars().take(QUOTED).collect();
    E::custom(format_args!("duplicate key {start:?}"))
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(Strict)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut seen = HashSet::new();
        let mut members = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if !seen.insert(key.clone()) {
                return Err(duplicate::<A::Error>(&key));
            }
            members.insert(key, access.next_value_seed(Strict)?);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde::Deserialize;
    use serde_json::json;

    use super::{from_slice, parse};

    #[test]
    fn documents_survive() {
        let text = br#" {"b":[1,-2,2.5,true,null,"x\u00e9",{}],"a":{"c":[]}} "#;
        assert_eq!(
            parse(text).unwrap(),
            json!({"b": [1, -2, 2.5, true, null, "xé", {}], "a": {"c": []}})
        );
        assert_eq!(
            parse(text).unwrap().as_object().unwrap().keys().collect::<Vec<_>>(),
            ["b", "a"]
        );
    }

    #[test]
    fn hostile_documents_are_refused() {
        let deep = "[".repeat(100_000);
        let rows: [(&[u8], &str); 14] = [
            (b"", "EOF"),
            (b"{", "EOF"),
            (br#"{"a":1"#, "EOF"),
            (br#"{"a":1,}"#, "trailing comma"),
            (br#"{"a":1}{}"#, "trailing characters"),
            (b"{}\0", "trailing characters"),
            (b"\xef\xbb\xbf{}", "expected value"),
            (b"{\"a\":\"\xff\"}", "invalid unicode"),
            (br#"{"a":"\ud800"}"#, "hex escape"),
            (b"NaN", "expected value"),
            (b"1e999", "number out of range"),
            (br#"{"a":1,"a":1}"#, "duplicate key \"a\""),
            (br#"{"x":[{"y":{"a":1,"\u0061":2}}]}"#, "duplicate key \"a\""),
            (deep.as_bytes(), "recursion limit"),
        ];
        for (text, expected) in rows {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message:?} does not contain {expected:?}");
        }
    }

    #[test]
    fn positions_count_from_one() {
        let error = parse(b"{\n  \"a\": 1,\n  \"a\": 2\n}").unwrap_err();
        assert_eq!(error.position().unwrap().0, 3);
    }

    #[test]
    fn a_long_key_is_cut_in_the_message() {
        let key = "k".repeat(100_000);
        let message = parse(format!("{{\"{key}\":1,\"{key}\":2}}").as_bytes())
            .unwrap_err()
            .to_string();
        assert!(message.len() < 200, "{}", message.len());
    }

    #[test]
    fn typed_reading_sees_duplicates_that_the_type_ignores() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Small {
            a: u8,
        }
        assert_eq!(
            from_slice::<Small>(br#"{"a":1,"other":{"x":1}}"#).unwrap(),
            Small { a: 1 }
        );
        assert!(from_slice::<Small>(br#"{"a":1,"other":{"x":1,"x":2}}"#).is_err());
        assert!(from_slice::<Small>(br#"{"a":300}"#).is_err());
    }
}
