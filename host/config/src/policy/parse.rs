//! The strict grammar of policy.json (PG-01 to PG-07).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use longshore_types::json;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Policy, Requirement, RequirementCheck};

/// Types that every container tool knows. They load without an evaluator, so that a policy which names them for images
/// that are not used now does no harm; using one without its evaluator fails.
const KNOWN_TYPES: [&str; 5] = [
    "insecureAcceptAnything",
    "reject",
    "signedBy",
    "sigstoreSigned",
    "signedBaseLayer",
];

/// Where and why a text is no policy. Line and column count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) reason: String,
    pub(super) line: usize,
    pub(super) column: usize,
}

impl From<serde_json::Error> for Refused {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let reason = text
            .strip_suffix(&format!(" at line {line} column {column}"))
            .unwrap_or(&text);
        Self {
            reason: in_skopeos_words(reason),
            line,
            column,
        }
    }
}

/// PG-05 in the words that scripts know.
fn in_skopeos_words(reason: &str) -> String {
    match reason.strip_prefix("duplicate key ") {
        Some(key) => format!("Duplicate key {key}"),
        None if reason == "trailing characters" => "Unexpected data after JSON object".to_owned(),
        None => reason.to_owned(),
    }
}

/// Reads a whole policy.
pub(super) fn policy(text: &str, check: &dyn RequirementCheck) -> Result<Policy, Refused> {
    // Requirements travel on as text, so duplicate keys within them are found here or never.
    json::parse(text.as_bytes()).map_err(|error| match error {
        json::JsonError::Document(error) => Refused::from(error),
        other => Refused {
            reason: other.to_string(),
            line: 1,
            column: 1,
        },
    })?;
    let context = Context {
        text,
        check,
        refused: RefCell::new(None),
    };
    TopLevel(&context)
        .deserialize(&mut serde_json::Deserializer::from_str(text))
        .map_err(|error| context.refused.take().unwrap_or_else(|| error.into()))
}

/// What every level of the grammar needs.
struct Context<'c> {
    text: &'c str,
    check: &'c dyn RequirementCheck,
    /// Set before an error whose place the parser does not know.
    refused: RefCell<Option<Refused>>,
}

impl Context<'_> {
    /// Refuses `part`, which is a piece of the text, at its start.
    fn refuse<E: serde::de::Error>(&self, part: &str, reason: String) -> E {
        let offset = part.as_ptr().addr() - self.text.as_ptr().addr();
        let before = &self.text[..offset];
        let error = E::custom(&reason);
        *self.refused.borrow_mut() = Some(Refused {
            reason,
            line: before.matches('\n').count() + 1,
            column: offset - before.rfind('\n').map_or(0, |newline| newline + 1) + 1,
        });
        error
    }
}

fn unknown_key<E: serde::de::Error>(key: &str) -> E {
    E::custom(format_args!("Unknown key {key:?}"))
}

struct TopLevel<'c>(&'c Context<'c>);

impl<'de> DeserializeSeed<'de> for TopLevel<'_> {
    type Value = Policy;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Policy, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for TopLevel<'_> {
    type Value = Policy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the key \"default\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Policy, A::Error> {
        let mut default = None;
        let mut transports = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "default" => default = Some(map.next_value_seed(Requirements(self.0))?),
                "transports" => transports = map.next_value_seed(Transports(self.0))?,
                _ => return Err(unknown_key(&key)),
            }
        }
        let default = default.ok_or_else(|| A::Error::custom("Default policy is missing"))?;
        Ok(Policy { default, transports })
    }
}

struct Transports<'c>(&'c Context<'c>);

impl<'de> DeserializeSeed<'de> for Transports<'_> {
    type Value = BTreeMap<String, BTreeMap<String, Vec<Requirement>>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Transports<'_> {
    type Value = BTreeMap<String, BTreeMap<String, Vec<Requirement>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of transports")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut transports = BTreeMap::new();
        while let Some(transport) = map.next_key::<String>()? {
            let scopes = map.next_value_seed(Scopes {
                context: self.0,
                transport: &transport,
            })?;
            transports.insert(transport, scopes);
        }
        Ok(transports)
    }
}

struct Scopes<'c> {
    context: &'c Context<'c>,
    transport: &'c str,
}

impl<'de> DeserializeSeed<'de> for Scopes<'_> {
    type Value = BTreeMap<String, Vec<Requirement>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Scopes<'_> {
    type Value = BTreeMap<String, Vec<Requirement>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of scopes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut scopes = BTreeMap::new();
        while let Some(scope) = map.next_key::<String>()? {
            if !scope.is_empty() && !self.context.check.is_scope(self.transport, &scope) {
                return Err(unknown_key(&scope));
            }
            let requirements = map.next_value_seed(Requirements(self.context))?;
            scopes.insert(scope, requirements);
        }
        Ok(scopes)
    }
}

struct Requirements<'c>(&'c Context<'c>);

impl<'de> DeserializeSeed<'de> for Requirements<'_> {
    type Value = Vec<Requirement>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Requirements<'_> {
    type Value = Vec<Requirement>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of policy requirements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut requirements = Vec::new();
        while let Some(item) = items.next_element::<&RawValue>()? {
            let json = item.get();
            requirements
                .push(requirement(json, self.0.check).map_err(|reason| self.0.refuse::<A::Error>(json, reason))?);
        }
        if requirements.is_empty() {
            return Err(A::Error::custom(
                "List of verification policy requirements must not be empty",
            ));
        }
        Ok(requirements)
    }
}

/// The part of a requirement that every type has.
#[derive(Deserialize)]
struct Typed {
    #[serde(default, rename = "type")]
    kind: String,
}

fn requirement(json: &str, check: &dyn RequirementCheck) -> Result<Requirement, String> {
    if !json.starts_with('{') {
        return Err("a policy requirement must be an object".to_owned());
    }
    let Typed { kind } =
        serde_json::from_str(json).map_err(|_| "the \"type\" of a policy requirement must be a string".to_owned())?;
    match check.check_requirement(&kind, json) {
        Some(Ok(())) => {}
        Some(Err(reason)) => return Err(reason),
        None if KNOWN_TYPES.contains(&kind.as_str()) => {}
        None => return Err(format!("Unknown policy requirement type {kind:?}")),
    }
    Ok(Requirement {
        kind,
        json: json.to_owned(),
    })
}
