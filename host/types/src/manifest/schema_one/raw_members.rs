//! The members of a document that is passed on although nobody here understands it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::json::{self, JsonError, Object};

/// Members in the order of their names and without spaces between their tokens, as Go writes a map of raw values: so the
/// digest of what is derived from a manifest is the one that other tools compute.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct RawMembers(BTreeMap<String, Box<RawValue>>);

impl RawMembers {
    /// All members of `object` but the `dropped` ones.
    pub(super) fn of(object: &Object, dropped: &[&str]) -> Result<Self, JsonError> {
        let kept = object.members().filter(|(key, _)| !dropped.contains(key));
        let members = kept.map(|(key, value)| Ok((key.to_owned(), raw(compact(value.get()))?)));
        members.collect::<Result<_, _>>().map(Self)
    }

    /// Sets a member.
    pub(super) fn set<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), JsonError> {
        self.0.insert(key.to_owned(), raw(json::to_string(value)?)?);
        Ok(())
    }
}

fn raw(text: String) -> Result<Box<RawValue>, JsonError> {
    RawValue::from_string(text).map_err(JsonError::Document)
}

/// JSON text without the spaces outside its strings.
fn compact(text: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    text.chars()
        .filter(|character| {
            if in_string {
                (in_string, escaped) = match character {
                    '\\' if !escaped => (true, true),
                    '"' if !escaped => (false, false),
                    _ => (true, false),
                };
                return true;
            }
            in_string = *character == '"';
            !matches!(character, ' ' | '\t' | '\n' | '\r')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::compact;

    #[test]
    fn only_spaces_between_tokens_go() {
        let rows = [
            (r#"{ "a b" : [ 1 , 1.50e+3 ] }"#, r#"{"a b":[1,1.50e+3]}"#),
            ("\"\\\" x \\\\\" ", "\"\\\" x \\\\\""),
            ("\t[\r\n\"\u{e9} \u{2028}\"]", "[\"\u{e9} \u{2028}\"]"),
        ];
        for (text, expected) in rows {
            assert_eq!(compact(text), expected);
        }
    }
}
