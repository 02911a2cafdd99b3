//! Files that belong to an image: manifests, config, signatures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The manifest, for readers that know of one only.
pub(crate) const MANIFEST: &str = "manifest";
/// Signatures of the image that is stored.
pub(crate) const SIGNATURES: &str = "signatures";

/// The manifest that has this digest.
pub(crate) fn manifest_key(digest: &str) -> String {
    format!("manifest-{digest}")
}

/// Signatures of the manifest whose digest has these digits.
pub(crate) fn signature_key(hex: &str) -> String {
    format!("signature-{hex}")
}

/// The name of the file that a key stands for.
pub(crate) fn file_name(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.';
    if key.bytes().all(plain) {
        key.to_owned()
    } else {
        format!("={}", STANDARD.encode(key))
    }
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_of_files() {
        for (key, name) in [
            ("manifest", "manifest"),
            ("a.0", "a.0"),
            ("signature-272e", "=c2lnbmF0dXJlLTI3MmU="),
            ("sha256:94", "=c2hhMjU2Ojk0"),
            ("A", "=QQ=="),
            ("../x", "=Li4veA=="),
        ] {
            assert_eq!(file_name(key), name);
        }
    }
}
