//! The forms in which signatures are stored (BL-01, BL-02; formats, section 0.6).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longshore_types::json::{self, JsonError};
use serde::{Deserialize, Serialize};

/// Stands before the name of a format.
const NAMED: u8 = 0;

/// Most characters of a format's name that are shown.
const MAX_QUOTED: usize = 40;

/// What a stored signature is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureFormat {
    /// An OpenPGP message.
    SimpleSigning,
    /// A [`SigstoreSignature`].
    Sigstore,
    /// Something with a name that is not known here, as far as it can be shown.
    Other(String),
}

impl SignatureFormat {
    /// What a signature is by its first bytes.
    pub fn of(stored: &[u8]) -> Self {
        let Some(named) = stored.strip_prefix(&[NAMED]) else {
            return Self::SimpleSigning;
        };
        let name = named.split(|byte| *byte == b'\n').next().unwrap_or_default();
        match name {
            b"simple-signing" => Self::SimpleSigning,
            b"sigstore-json" => Self::Sigstore,
            other => Self::Other(String::from_utf8_lossy(other).chars().take(MAX_QUOTED).collect()),
        }
    }
}

/// The OpenPGP message of a simple signing signature, without a format's name in front; none if it is something else.
pub fn openpgp_message(stored: &[u8]) -> Option<&[u8]> {
    let message = match stored.strip_prefix(b"\0simple-signing\n") {
        Some(message) => message,
        None => stored,
    };
    (message.first() != Some(&NAMED)).then_some(message)
}

/// A signature as sigstore's tools make it, or another document that is attached to an image in the same way (BL-03).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigstoreSignature {
    /// The payload's type; that of a signature is [`SigstoreSignature::PAYLOAD_TYPE`].
    pub media_type: String,
    /// What is signed.
    pub payload: Vec<u8>,
    /// The signature itself and what belongs to it (SS-11).
    pub annotations: BTreeMap<String, String>,
}

/// Why a stored sigstore signature cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoredSignatureError {
    /// It is in another form.
    #[error("it is no stored sigstore signature")]
    OtherFormat,
    /// It is no JSON document of the right form.
    #[error(transparent)]
    Document(#[from] JsonError),
    /// The payload is no base64.
    #[error("its payload: {0}")]
    Payload(#[from] base64::DecodeError),
    /// The signature is no base64.
    #[error("its signature: {0}")]
    Signature(base64::DecodeError),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    mime_type: String,
    payload: String,
    annotations: Option<BTreeMap<String, String>>,
}

impl SigstoreSignature {
    /// The media type of a payload that says which image is signed (SS-11).
    pub const PAYLOAD_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

    /// The annotation that has the signature in base64 (SS-11).
    pub const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

    /// What its stored form begins with.
    const PREFIX: &[u8] = b"\0sigstore-json\n";

    /// The bytes of the signature; none if the annotation is not there.
    ///
    /// # Errors
    ///
    /// The annotation is no base64.
    pub fn signature(&self) -> Result<Vec<u8>, StoredSignatureError> {
        let text = self.annotations.get(Self::SIGNATURE).map_or("", String::as_str);
        STANDARD.decode(text).map_err(StoredSignatureError::Signature)
    }

    /// Reads the stored form. Nothing in it is verified.
    ///
    /// # Errors
    ///
    /// It is in another form, or broken.
    pub fn from_stored(stored: &[u8]) -> Result<Self, StoredSignatureError> {
        let document = stored
            .strip_prefix(Self::PREFIX)
            .ok_or(StoredSignatureError::OtherFormat)?;
        let document: Document = json::from_slice(document)?;
        Ok(Self {
            media_type: document.mime_type,
            payload: STANDARD.decode(document.payload)?,
            annotations: document.annotations.unwrap_or_default(),
        })
    }

    /// The form in which it is stored beside an image.
    ///
    /// # Errors
    ///
    /// None that is known: everything in it can be written.
    pub fn to_stored(&self) -> Result<Vec<u8>, JsonError> {
        let document = Document {
            mime_type: self.media_type.clone(),
            payload: STANDARD.encode(&self.payload),
            annotations: Some(self.annotations.clone()),
        };
        Ok([Self::PREFIX, &json::to_vec(&document)?].concat())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn formats() {
        let other = |name: &str| SignatureFormat::Other(name.to_owned());
        for (stored, expected) in [
            (&b"\x90 message"[..], SignatureFormat::SimpleSigning),
            (b"", SignatureFormat::SimpleSigning),
            (b"\0simple-signing\n\x90", SignatureFormat::SimpleSigning),
            (b"\0sigstore-json\n{}", SignatureFormat::Sigstore),
            (b"\0sigstore-json", SignatureFormat::Sigstore),
            (b"\0sigstore-json2\n", other("sigstore-json2")),
            (b"\0", other("")),
            (&[&b"\0"[..], &[b'x'; 100]].concat(), other(&"x".repeat(40))),
        ] {
            assert_eq!(SignatureFormat::of(stored), expected, "{stored:?}");
        }
    }

    #[test]
    fn messages_have_no_format_in_front() {
        for (stored, expected) in [
            (&b"\x90 message"[..], Some(&b"\x90 message"[..])),
            (b"", Some(b"")),
            (b"\0simple-signing\n\x90", Some(b"\x90")),
            (b"\0simple-signing\n\0", None),
            (b"\0simple-signing", None),
            (b"\0sigstore-json\n{}", None),
            (b"\0", None),
        ] {
            assert_eq!(openpgp_message(stored), expected, "{stored:?}");
        }
    }

    #[test]
    fn the_stored_form_is_the_one_of_other_tools() {
        let stored = b"\0sigstore-json\n{\"mimeType\":\"a/b\",\"payload\":\"eyJhIjoxfQ==\",\
            \"annotations\":{\"a\":\"\\u003cx\\u003e\",\"b\":\"\"}}";
        let signature = SigstoreSignature {
            media_type: "a/b".into(),
            payload: br#"{"a":1}"#.to_vec(),
            annotations: BTreeMap::from([("a".into(), "<x>".into()), ("b".into(), String::new())]),
        };
        assert_eq!(signature.to_stored().unwrap(), stored);
        assert_eq!(SigstoreSignature::from_stored(stored).unwrap(), signature);
        let without = b"\0sigstore-json\n{\"payload\":\"\",\"annotations\":null,\"mimeType\":\"\",\"new\":1}";
        let read = SigstoreSignature::from_stored(without).unwrap();
        assert!(read.annotations.is_empty() && read.payload.is_empty());
    }

    #[test]
    fn altered_ones_are_refused_or_mean_what_is_written_again() {
        let stored =
            b"\0sigstore-json\n{\"mimeType\":\"a\",\"payload\":\"YWI=\",\"annotations\":{\"b\":\"c\"},\"d\":[1]}";
        for index in 0..stored.len() {
            assert!(SigstoreSignature::from_stored(&stored[..index]).is_err(), "{index}");
            for byte in [0, b'"', b'{', b',', b'a', b'\\', 0xff] {
                let mut altered = stored.to_vec();
                altered[index] = byte;
                if let Ok(read) = SigstoreSignature::from_stored(&altered) {
                    let again = SigstoreSignature::from_stored(&read.to_stored().unwrap()).unwrap();
                    assert_eq!(again, read, "{index} {byte}");
                }
            }
        }
    }

    #[test]
    fn broken_ones_are_refused() {
        for stored in [
            &b""[..],
            b"\x90",
            b"\0sigstore-json",
            b"\0sigstore-json\n",
            b"\0sigstore-json\n{}",
            b"\0sigstore-json\n[]",
            b"\0sigstore-json\n{\"mimeType\":\"\",\"payload\":\"?\",\"annotations\":{}}",
            b"\0sigstore-json\n{\"mimeType\":\"\",\"payload\":\"\",\"payload\":\"\",\"annotations\":{}}",
            b"\0sigstore-json\n{\"mimeType\":\"\",\"payload\":\"\",\"annotations\":{\"a\":1}}",
            b"\0sigstore-json\n{\"mimeType\":\"\",\"payload\":\"\",\"annotations\":{}} x",
        ] {
            assert!(SigstoreSignature::from_stored(stored).is_err(), "{stored:?}");
        }
    }
}
