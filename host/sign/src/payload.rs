use std::time::{SystemTime, UNIX_EPOCH};

use longshore_types::Digest;
use longshore_types::json::{self, JsonError};
use serde::Serialize;

/// The `type` of every payload.
pub(crate) const TYPE: &str = "atomic container signature";

/// What a signature says: the image of this name has a manifest with this digest (SG-01, SG-02).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The name.
    pub docker_reference: String,
    /// The digest.
    pub manifest_digest: Digest,
    /// When it was signed; nothing that verifies goes by it (SG-05).
    pub time: SystemTime,
}

#[derive(Serialize)]
struct Document<'a> {
    critical: Critical<'a>,
    optional: Optional,
}

#[derive(Serialize)]
struct Critical<'a> {
    identity: Identity<'a>,
    image: Image<'a>,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct Identity<'a> {
    #[serde(rename = "docker-reference")]
    docker_reference: &'a str,
}

#[derive(Serialize)]
struct Image<'a> {
    #[serde(rename = "docker-manifest-digest")]
    manifest_digest: &'a Digest,
}

#[derive(Serialize)]
struct Optional {
    creator: &'static str,
    timestamp: u64,
}

impl Payload {
    /// Of an image that is signed now.
    pub fn new(docker_reference: impl Into<String>, manifest_digest: Digest) -> Self {
        Self {
            docker_reference: docker_reference.into(),
            manifest_digest,
            time: SystemTime::now(),
        }
    }

    /// The JSON text to be signed.
    ///
    /// # Errors
    ///
    /// None that is known: everything in it can be written.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&self.document(TYPE))
    }

    /// The JSON text to be signed for sigstore (SS-10).
    ///
    /// # Errors
    ///
    /// None that is known: everything in it can be written.
    pub fn to_sigstore_json(&self) -> Result<Vec<u8>, JsonError> {
        json::to_vec(&self.document("cosign container image signature"))
    }

    fn document(&self, kind: &'static str) -> Document<'_> {
        let since_1970 = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Document {
            critical: Critical {
                identity: Identity {
                    docker_reference: &self.docker_reference,
                },
                image: Image {
                    manifest_digest: &self.manifest_digest,
                },
                kind,
            },
            optional: Optional {
                creator: concat!("longshore ", env!("CARGO_PKG_VERSION")),
                timestamp: since_1970.as_secs(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;

    #[test]
    fn the_text_is_the_one_that_others_read() {
        let payload = Payload {
            time: UNIX_EPOCH + Duration::from_millis(1_700_000_000_900),
            ..Payload::new("docker.io/library/busybox:latest", Digest::sha256(b"manifest"))
        };
        let digest = Digest::sha256(b"manifest");
        let version = env!("CARGO_PKG_VERSION");
        for (text, kind) in [
            (payload.to_json().unwrap(), "atomic container signature"),
            (payload.to_sigstore_json().unwrap(), "cosign container image signature"),
        ] {
            assert_eq!(
                String::from_utf8(text).unwrap(),
                format!(
                    r#"{{"critical":{{"identity":{{"docker-reference":"docker.io/library/busybox:latest"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"{kind}"}},"optional":{{"creator":"longshore {version}","timestamp":1700000000}}}}"#
                )
            );
        }
    }
}
