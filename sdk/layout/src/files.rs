use longshore_guest::Error;
use longshore_types::{Digest, LayoutReference, json::Object};

/// The file that lists the images.
pub const INDEX_FILE: &str = "index.json";

/// The file that marks a layout.
pub const LAYOUT_FILE: &str = "oci-layout";

/// What is written into it.
pub const LAYOUT_CONTENT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Where all blobs are.
pub const BLOBS_DIRECTORY: &str = "blobs";

/// Largest manifest and index that is read (PI-06), in bytes.
pub const MAX_DOCUMENT: u32 = 4 << 20;

/// Largest `oci-layout` that is read, in bytes: it has one short member.
pub const MAX_LAYOUT_FILE: u32 = 4 << 10;

/// Splits and checks the text after a layout's transport name.
///
/// # Errors
///
/// `invalid-reference` if it does not follow the grammar.
pub fn reference(text: &str) -> Result<LayoutReference, Error> {
    LayoutReference::parse(text, false).map_err(Error::invalid_reference)
}

/// Parses a digest of a descriptor.
///
/// # Errors
///
/// `invalid-data` if it is none.
pub fn digest(text: &str) -> Result<Digest, Error> {
    Digest::parse(text).map_err(Error::invalid_data)
}

/// Where a blob is below the directory of all blobs.
pub fn blob_path(digest: &Digest) -> String {
    format!("{}/{}", digest.algorithm(), digest.hex())
}

/// Checks the content of `oci-layout`.
///
/// # Errors
///
/// `unsupported` for another version, `invalid-data` for anything else than a version.
pub fn check_version(content: &[u8]) -> Result<(), Error> {
    let version: Option<String> = Object::parse(content)
        .and_then(|object| object.get("imageLayoutVersion"))
        .map_err(|error| Error::invalid_data(format_args!("{LAYOUT_FILE}: {error}")))?;
    match version.as_deref() {
        Some("1.0.0") => Ok(()),
        Some(other) => Err(Error::unsupported(format_args!(
            "{LAYOUT_FILE}: unsupported imageLayoutVersion {other:?}"
        ))),
        None => Err(Error::invalid_data(format_args!(
            "{LAYOUT_FILE}: imageLayoutVersion is missing"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use longshore_guest::code;

    use super::check_version;

    #[test]
    fn versions() {
        for (content, refused) in [
            (r#"{"imageLayoutVersion":"1.0.0"}"#, None),
            ("{ \"imageLayoutVersion\": \"1.0.0\", \"x\": 1 }\n", None),
            (r#"{"imageLayoutVersion":"1.1.0"}"#, Some(code::UNSUPPORTED)),
            (r#"{"imageLayoutVersion":1}"#, Some(code::INVALID_DATA)),
            (
                r#"{"imageLayoutVersion":"1.0.0","imageLayoutVersion":"1.0.0"}"#,
                Some(code::INVALID_DATA),
            ),
            ("{}", Some(code::INVALID_DATA)),
            ("[]", Some(code::INVALID_DATA)),
            ("", Some(code::INVALID_DATA)),
        ] {
            let found = check_version(content.as_bytes()).err().map(|error| error.code);
            assert_eq!(found.as_deref(), refused, "{content}");
        }
    }
}
