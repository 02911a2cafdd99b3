//! Go's double-quoted string form, in which skopeo puts names into messages.

use std::fmt::Write as _;

/// `text` as Go's `%q` prints it.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            _ if character.is_control() && (character as u32) < 0x80 => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\x{:02x}", character as u32);
            }
            _ if character.is_control() || is_format(character) => {
                let _ = write!(out, "\\u{:04x}", character as u32);
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

/// Whether `character` is invisible or turns the text's direction, which a
/// message must not do to the line that it stands in.
fn is_format(character: char) -> bool {
    matches!(
        character,
        '\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn quotes_as_go_does() {
        for (text, expected) in [
            ("plain", r#""plain""#),
            ("a \"b\" \\", r#""a \"b\" \\""#),
            ("two\nlines\tand `ticks`", r#""two\nlines\tand `ticks`""#),
            ("\u{1b}[31mred", r#""\x1b[31mred""#),
            ("\u{7f}\u{85}", r#""\x7f\u0085""#),
            ("größe", "\"größe\""),
            ("\u{202e}gnp", r#""\u202egnp""#),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
