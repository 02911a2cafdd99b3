//! A stored sigstore signature, taken apart (BL-03, SS-11).

use std::collections::BTreeMap;

use longshore_policy::decode_base64;
use longshore_types::json::Object;

/// What signatures of images are stored as; other things may be stored beside them.
const SIGNATURE_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const LOG_ENTRY: &str = "dev.sigstore.cosign/bundle";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";

/// A signature and what came with it. Nothing is verified yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attachment {
    media_type: String,
    /// The signed bytes.
    pub(crate) payload: Vec<u8>,
    annotations: BTreeMap<String, String>,
}

impl Attachment {
    /// Reads the JSON that is stored. Members that are not known count for nothing, as in Go.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, String> {
        let mut object = Object::parse(json).map_err(|error| error.to_string())?;
        let mut text = |key: &str| object.take::<String>(key).map_err(|error| error.to_string());
        let media_type = text("mimeType")?.unwrap_or_default();
        let payload = text("payload")?.unwrap_or_default();
        Ok(Self {
            media_type,
            payload: decode_base64(&payload).map_err(|error| format!("payload is not valid base64: {error}"))?,
            annotations: object.take_strings("annotations").map_err(|error| error.to_string())?,
        })
    }

    /// Whether it signs an image.
    pub(crate) fn is_signature(&self) -> bool {
        self.media_type == SIGNATURE_TYPE
    }

    /// The signature over the payload.
    pub(crate) fn signature(&self) -> Result<Vec<u8>, String> {
        let text = self.required(SIGNATURE)?;
        decode_base64(text).map_err(|error| format!("base64 decoding: {error}"))
    }

    /// JSON of the log's promise.
    pub(crate) fn log_entry(&self) -> Result<&str, String> {
        self.required(LOG_ENTRY)
    }

    /// PEM of the signer's certificate.
    pub(crate) fn certificate(&self) -> Result<&str, String> {
        self.required(CERTIFICATE)
    }

    /// PEM of the certificates above it; empty if there are none.
    pub(crate) fn chain(&self) -> &str {
        self.annotations.get(CHAIN).map_or("", String::as_str)
    }

    fn required(&self, key: &str) -> Result<&str, String> {
        let found = self.annotations.get(key);
        found
            .map(String::as_str)
            .ok_or_else(|| format!("missing {key} annotation"))
    }
}
