//! Base64 as Go reads it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Decodes standard base64 with padding, as Go does: line ends do not count, wherever they are.
///
/// # Errors
///
/// Says which byte is wrong.
pub fn decode_base64(text: &str) -> Result<Vec<u8>, String> {
    let text: String = text
        .chars()
        .filter(|character| !matches!(character, '\r' | '\n'))
        .collect();
    STANDARD.decode(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::decode_base64;

    #[test]
    fn line_ends_do_not_count() {
        let rows: [(&str, Option<&[u8]>); 9] = [
            ("", Some(b"")),
            ("AQID", Some(&[1, 2, 3])),
            ("AQ\nI=\r\n", Some(&[1, 2])),
            ("AQI", None),
            ("AQJ=", None),
            ("A Q I D", None),
            ("AQID=", None),
            ("AQ-_", None),
            ("AQIDé", None),
        ];
        for (text, expected) in rows {
            assert_eq!(decode_base64(text).ok().as_deref(), expected, "{text:?}");
        }
    }
}
