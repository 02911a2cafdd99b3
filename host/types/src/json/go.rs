//! Writing as Go's `encoding/json` does, so that output and digests agree with other tools.

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::JsonError;

/// Compact JSON without a final newline. `<`, `>`, `&`, U+2028 and U+2029 are escaped; members keep the order in which
/// `value` gives them.
///
/// # Errors
/// Only if `value` refuses to be serialised, such as a map with keys that are not strings.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, JsonError> {
    serde_json::to_vec(value).map(escape).map_err(JsonError::Document)
}

/// As [`to_vec`], as text.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, JsonError> {
    Ok(text(to_vec(value)?))
}

/// JSON indented with four spaces, without a final newline, with the escapes of [`to_vec`].
pub fn to_vec_pretty<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, JsonError> {
    let mut output = Vec::new();
    value
        .serialize(&mut Serializer::with_formatter(
            &mut output,
            PrettyFormatter::with_indent(b"    "),
        ))
        .map_err(JsonError::Document)?;
    Ok(escape(output))
}

/// As [`to_vec_pretty`], as text.
pub fn to_string_pretty<T: Serialize + ?Sized>(value: &T) -> Result<String, JsonError> {
    Ok(text(to_vec_pretty(value)?))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Escapes what Go escapes and serde_json does not. In JSON these characters can only stand inside strings, so the
/// whole text can be treated alike.
fn escape(bytes: Vec<u8>) -> Vec<u8> {
    if !bytes.iter().any(|byte| matches!(byte, b'<' | b'>' | b'&' | 0xe2)) {
        return bytes;
    }
    let mut output = Vec::with_capacity(bytes.len() + bytes.len() / 8);
    let mut rest = bytes.as_slice();
    while let Some((&first, tail)) = rest.split_first() {
        let (escaped, taken): (&[u8], usize) = match first {
            b'<' => (br"\u003c", 1),
            b'>' => (br"\u003e", 1),
            b'&' => (br"\u0026", 1),
            0xe2 if tail.starts_with(b"\x80\xa8") => (br"\u2028", 3),
            0xe2 if tail.starts_with(b"\x80\xa9") => (br"\u2029", 3),
            _ => (&rest[..1], 1),
        };
        output.extend_from_slice(escaped);
        rest = &rest[taken..];
    }
    output
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::{to_string, to_string_pretty};

    #[test]
    fn escapes_are_those_of_go() {
        let rows = [
            ("a<b>&c", r#""a\u003cb\u003e\u0026c""#),
            ("\u{2028}\u{2029}\u{2027}", "\"\\u2028\\u2029\u{2027}\""),
            ("\"\\/\n\r\t\u{1}\u{7f}", "\"\\\"\\\\/\\n\\r\\t\\u0001\u{7f}\""),
            ("äöü€😀", "\"äöü€😀\""),
        ];
        for (value, expected) in rows {
            assert_eq!(to_string(value).unwrap(), expected);
        }
    }

    #[test]
    fn indentation_is_four_spaces() {
        let value = json!({"z": [1, {"<": null}], "a": {}, "l": []});
        let expected = "{\n    \"z\": [\n        1,\n        {\n            \"\\u003c\": null\n        }\n    ],\n    \"a\": {},\n    \"l\": []\n}";
        assert_eq!(to_string_pretty(&value).unwrap(), expected);
        assert_eq!(to_string(&value).unwrap(), r#"{"z":[1,{"\u003c":null}],"a":{},"l":[]}"#);
    }

    #[test]
    fn keys_that_are_not_strings_are_refused() {
        assert!(to_string(&BTreeMap::from([((), 1)])).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(text in any::<String>()) {
            let written = to_string(&text).unwrap();
            let bare = written.contains(['<', '>', '&', '\u{2028}', '\u{2029}']);
            prop_assert!(!bare);
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }
}
