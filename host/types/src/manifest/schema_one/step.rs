//! One step of a schema 1 image's history: the document in `v1Compatibility`.

use serde::Serialize;

use crate::json::{JsonError, Object};
use crate::timestamp;

/// Go's zero time, which it writes for a time that is not there.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// What a step's document says about the step itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) id: String,
    /// Empty for the base layer.
    pub(super) parent: String,
    pub(super) comment: String,
    pub(super) created: Option<String>,
    pub(super) author: String,
    /// The step changed no file.
    pub(super) throwaway: bool,
    /// The command that was run, word by word.
    pub(super) command: Vec<String>,
}

impl Step {
    pub(super) fn parse(text: &str) -> Result<Self, JsonError> {
        let mut object = Object::parse(text.as_bytes())?;
        let container: Option<Object> = object.take("container_config")?;
        let command = container.map(|mut container| container.take("Cmd")).transpose()?;
        let mut text = |key: &str| object.take::<String>(key).map(Option::unwrap_or_default);
        let (id, parent, comment, author) = (text("id")?, text("parent")?, text("comment")?, text("author")?);
        Ok(Self {
            id,
            parent,
            comment,
            author,
            created: object.take("created")?.map(time).transpose()?,
            throwaway: object.take("throwaway")?.unwrap_or_default(),
            command: command.flatten().unwrap_or_default(),
        })
    }

    /// The step as an entry of a config's history.
    pub(super) fn as_history(&self) -> History<'_> {
        History {
            created: self.created.as_deref().unwrap_or(NEVER),
            author: &self.author,
            created_by: self.command.join(" "),
            comment: &self.comment,
            empty_layer: self.throwaway,
        }
    }

    /// The step as a document of its own.
    pub(super) fn as_compatibility(&self) -> Compatibility<'_> {
        Compatibility {
            id: &self.id,
            parent: &self.parent,
            comment: &self.comment,
            created: self.created.as_deref().unwrap_or(NEVER),
            container_config: Container { cmd: &self.command },
            author: &self.author,
            throwaway: self.throwaway,
        }
    }
}

fn time(text: String) -> Result<String, JsonError> {
    timestamp::normalise(&text).ok_or_else(|| JsonError::Field {
        key: "created".to_owned(),
        source: serde::de::Error::custom("not an RFC 3339 time"),
    })
}

/// In the order in which Docker's tools write it.
#[derive(Serialize)]
pub(super) struct History<'a> {
    created: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    author: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    created_by: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    comment: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    empty_layer: bool,
}

/// In the order in which Docker's tools write it.
#[derive(Serialize)]
pub(super) struct Compatibility<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    parent: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    comment: &'a str,
    created: &'a str,
    container_config: Container<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    author: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    throwaway: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Container<'a> {
    cmd: &'a [String],
}
