//! The signatures of schema 1 manifests: what the digest covers in a signed one, and how a new one is put together. The
//! signatures themselves are not verified, nobody relies on them.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Serialize;

use super::{ManifestError, RawManifest, SchemaOne};
use crate::json::{self, Object};
use crate::media_type::DOCKER_V1_SIGNED;

/// Padding is optional and the last bits do not matter, as in the library that made these manifests.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Cuts the signatures out: the first `formatLength` bytes and the decoded `formatTail` of the protected headers, which
/// must all agree.
pub(super) fn payload(bytes: &[u8]) -> Result<Vec<u8>, ManifestError> {
    let failure = |reason| ManifestError::SignedPayload { reason };
    let mut document = Object::parse(bytes).map_err(|_| failure("not a JSON object"))?;
    let signatures: Vec<Object> = document
        .take_required("signatures")
        .map_err(|_| failure("the signatures are not a list of objects"))?;

    let mut agreed: Option<(usize, Vec<u8>)> = None;
    for mut signature in signatures {
        let encoded: String = signature
            .take_required("protected")
            .map_err(|_| failure("a signature has no protected header"))?;
        let header = BASE64
            .decode(encoded)
            .map_err(|_| failure("a protected header is not base64"))?;
        let mut header = Object::parse(&header).map_err(|_| failure("a protected header is not a JSON object"))?;
        let length: usize = header
            .take_required("formatLength")
            .map_err(|_| failure("a protected header has no valid formatLength"))?;
        let tail: String = header
            .take_required("formatTail")
            .map_err(|_| failure("a protected header has no valid formatTail"))?;
        let tail = BASE64.decode(tail).map_err(|_| failure("a formatTail is not base64"))?;
        match &agreed {
            Some(first) if (length, &tail) != (first.0, &first.1) => {
                return Err(failure("the signatures cover different payloads"));
            }
            _ => agreed = Some((length, tail)),
        }
    }
    let (length, tail) = agreed.ok_or_else(|| failure("there is no signature"))?;
    let mut payload = bytes
        .get(..length)
        .ok_or_else(|| failure("formatLength lies beyond the end"))?
        .to_vec();
    payload.extend_from_slice(&tail);
    Ok(payload)
}

/// A schema 1 manifest on its way to a signature: [`SchemaOneDraft::message`] is to be signed with ECDSA over P-256 and
/// SHA-256 (JWS `ES256`).
///
/// The signature is a matter of form: old readers want one, so writers sign with a key that nobody keeps.
#[derive(Debug)]
pub struct SchemaOneDraft {
    payload: Vec<u8>,
    /// The protected header in base64.
    protected: String,
}

#[derive(Serialize)]
struct Signature<'a> {
    header: Header<'a>,
    signature: String,
    protected: &'a str,
}

#[derive(Serialize)]
struct Header<'a> {
    jwk: Key<'a>,
    alg: &'a str,
}

#[derive(Serialize)]
struct Key<'a> {
    crv: &'a str,
    kty: &'a str,
    x: String,
    y: String,
}

impl SchemaOneDraft {
    /// Writes the manifest and says in the protected header which part of it will be the payload.
    pub fn new(image: &SchemaOne) -> Result<Self, ManifestError> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Protected {
            format_length: usize,
            format_tail: String,
        }

        let payload = image.to_unsigned()?;
        // Everything up to the brace that ends the object, and the brace.
        let (format_length, tail) = (payload.len().saturating_sub(1), b"}");
        let protected = json::to_vec(&Protected {
            format_length,
            format_tail: URL_SAFE_NO_PAD.encode(tail),
        });
        Ok(Self {
            payload,
            protected: URL_SAFE_NO_PAD.encode(protected.map_err(unwritable)?),
        })
    }

    /// What the signature has to cover.
    pub fn message(&self) -> Vec<u8> {
        format!("{}.{}", self.protected, URL_SAFE_NO_PAD.encode(&self.payload)).into_bytes()
    }

    /// The manifest with a signature: `r` and `s` one after the other, and the coordinates of the public key, each
    /// big-endian in 32 bytes.
    pub fn signed(self, signature: &[u8], x: &[u8], y: &[u8]) -> Result<RawManifest, ManifestError> {
        let block = json::to_vec(&[Signature {
            header: Header {
                jwk: Key {
                    crv: "P-256",
                    kty: "EC",
                    x: URL_SAFE_NO_PAD.encode(x),
                    y: URL_SAFE_NO_PAD.encode(y),
                },
                alg: "ES256",
            },
            signature: URL_SAFE_NO_PAD.encode(signature),
            protected: &self.protected,
        }]);
        let mut document = self.payload;
        document.pop();
        document.extend_from_slice(b",\"signatures\":");
        document.extend(block.map_err(unwritable)?);
        document.push(b'}');
        RawManifest::new(document, Some(DOCKER_V1_SIGNED))
    }
}

fn unwritable(source: json::JsonError) -> ManifestError {
    ManifestError::Json {
        media_type: DOCKER_V1_SIGNED,
        source,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{BASE64, Engine, payload};

    const UNSIGNED: &str = "{\n   \"schemaVersion\": 1,\n   \"name\": \"x\"\n}";

    fn signed(headers: &[&str]) -> String {
        let blocks: Vec<String> = headers
            .iter()
            .map(|header| format!("{{\"protected\":\"{}\"}}", BASE64.encode(header).trim_end_matches('=')))
            .collect();
        format!(
            "{},\n   \"signatures\": [{}]\n}}",
            &UNSIGNED[..UNSIGNED.len() - 2],
            blocks.join(",")
        )
    }

    #[test]
    fn the_payload_is_the_unsigned_document() {
        // The length counts up to the last member; the tail "\n}" closes the object again.
        let header = format!(
            "{{\"formatLength\":{},\"formatTail\":\"Cn0\",\"time\":\"x\"}}",
            UNSIGNED.len() - 2
        );
        for count in 1..3 {
            assert_eq!(
                payload(signed(&vec![header.as_str(); count]).as_bytes()).unwrap(),
                UNSIGNED.as_bytes()
            );
        }
    }

    #[test]
    fn hostile_headers() {
        let rows: [(String, &str); 12] = [
            (signed(&[]), "no signature"),
            (signed(&["{}"]), "formatLength"),
            (signed(&["[]"]), "not a JSON object"),
            (
                signed(&["{\"formatLength\":-1,\"formatTail\":\"Cn0\"}"]),
                "formatLength",
            ),
            (
                signed(&["{\"formatLength\":1e3,\"formatTail\":\"Cn0\"}"]),
                "formatLength",
            ),
            (
                signed(&["{\"formatLength\":18446744073709551615,\"formatTail\":\"Cn0\"}"]),
                "beyond the end",
            ),
            (
                signed(&["{\"formatLength\":4000,\"formatTail\":\"Cn0\"}"]),
                "beyond the end",
            ),
            (signed(&["{\"formatLength\":3,\"formatTail\":\"?\"}"]), "base64"),
            (signed(&["{\"formatLength\":3,\"formatTail\":7}"]), "formatTail"),
            (
                signed(&[
                    "{\"formatLength\":3,\"formatTail\":\"Cn0\"}",
                    "{\"formatLength\":4,\"formatTail\":\"Cn0\"}",
                ]),
                "different payloads",
            ),
            ("{\"signatures\":[{\"protected\":\"***\"}]}".into(), "base64"),
            ("{\"signatures\":7}".into(), "list of objects"),
        ];
        for (document, expected) in rows {
            let message = payload(document.as_bytes()).unwrap_err().to_string();
            assert!(message.contains(expected), "{message:?} does not contain {expected:?}");
        }
    }
}
