//! What a Rekor log promises: a signed entry timestamp, SET (SS-15).

use longshore_policy::{Members, decode_base64};
use longshore_types::json::Object;
use sha2::{Digest as _, Sha256};

use crate::pem_block::only_block;
use crate::public_key::{Hash, PublicKey, Scheme};

/// Beyond this, two readers of a JSON number may see different integers (RFC 8785, section 3.2.2.3).
const MAX_EXACT: u64 = 1 << 53;

/// What a log must have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Logged<'a> {
    /// DER form of the signer's key or certificate.
    pub(crate) signer: &'a [u8],
    pub(crate) signature: &'a [u8],
    pub(crate) payload: &'a [u8],
}

/// Verifies that one of the logs whose keys these are has a signature; answers when it got it, in seconds since 1970.
pub(crate) fn verify(keys: &[PublicKey], json: &str, logged: Logged<'_>) -> Result<u64, String> {
    let mut promise = Members::parse(json.as_bytes())?;
    let signature: String = promise.required("SignedEntryTimestamp")?;
    let entry = Entry::of(promise.required_object("Payload")?)?;
    promise.finish()?;

    let signature = decode_base64(&signature).map_err(|error| format!("SignedEntryTimestamp: {error}"))?;
    let message = entry.canonical();
    let scheme = Scheme::Ecdsa(Hash::Sha256);
    if !keys
        .iter()
        .any(|key| key.verifies(scheme, message.as_bytes(), &signature))
    {
        return Err("cryptographic signature verification of Rekor SET failed".to_owned());
    }
    Body::parse(&entry.body)?.matches(logged)?;
    Ok(entry.integrated_time)
}

/// The part of a promise that is signed.
struct Entry {
    /// Base64, as it stands there.
    body: String,
    integrated_time: u64,
    log_index: u64,
    log_id: String,
}

impl Entry {
    fn of(mut members: Members) -> Result<Self, String> {
        let mut number = |key: &str| {
            let number: u64 = members.required(key)?;
            if number > MAX_EXACT {
                return Err(format!("{key} is too large"));
            }
            Ok(number)
        };
        let integrated_time = number("integratedTime")?;
        let log_index = number("logIndex")?;
        let body: String = members.required("body")?;
        let log_id: String = members.required("logID")?;
        members.finish()?;
        // Base64 and hexadecimal: characters that JSON writes in one way only.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        for (key, text) in [("body", &body), ("logID", &log_id)] {
            if !text.bytes().all(is_plain) {
                return Err(format!("{key} has characters that do not belong there"));
            }
        }
        Ok(Self {
            body,
            integrated_time,
            log_index,
            log_id,
        })
    }

    /// Its form of RFC 8785, which is what the log signs: members sorted, no space.
    fn canonical(&self) -> String {
        let Self {
            body,
            integrated_time,
            log_index,
            log_id,
        } = self;
        format!(r#"{{"body":"{body}","integratedTime":{integrated_time},"logID":"{log_id}","logIndex":{log_index}}}"#)
    }
}

/// What a log keeps of a signature. The log signed it, so members that are not known may stand there.
struct Body {
    signer: Vec<u8>,
    signature: Vec<u8>,
    payload_hash: Vec<u8>,
}

impl Body {
    fn parse(base64: &str) -> Result<Self, String> {
        let invalid = |error: String| format!("decoding the body of a Rekor SET payload: {error}");
        let json = decode_base64(base64).map_err(invalid)?;
        let mut entry = Object::parse(&json).map_err(|error| invalid(error.to_string()))?;
        for (key, expected) in [("kind", "hashedrekord"), ("apiVersion", "0.0.1")] {
            let found: String = required(&mut entry, key)?;
            if found != expected {
                return Err(format!("unsupported {key} {found:?} in a Rekor SET payload"));
            }
        }
        let mut spec: Object = required(&mut entry, "spec")?;
        let mut signature: Object = required(&mut spec, "signature")?;
        let mut public_key: Object = required(&mut signature, "publicKey")?;
        let mut data: Object = required(&mut spec, "data")?;
        let mut hash: Object = required(&mut data, "hash")?;
        let algorithm: String = required(&mut hash, "algorithm")?;
        if algorithm != "sha256" {
            return Err(format!("Unexpected \"data.hash.algorithm\" value {algorithm:?}"));
        }
        let value: String = required(&mut hash, "value")?;
        let bytes = |object: &mut Object| -> Result<Vec<u8>, String> {
            let content: String = required(object, "content")?;
            decode_base64(&content).map_err(invalid)
        };
        let signer = bytes(&mut public_key)?;
        Ok(Self {
            signer: only_block(&signer).map_err(|error| format!("publicKey in Rekor SET {error}"))?,
            signature: bytes(&mut signature)?,
            payload_hash: hex::decode(value)
                .map_err(|error| format!("Invalid \"data.hash.value\" field in hashedrekord: {error}"))?,
        })
    }

    fn matches(&self, logged: Logged<'_>) -> Result<(), String> {
        let differs = |what: &str| Err(format!("{what} in Rekor SET does not match"));
        if self.signer != logged.signer {
            differs("publicKey")
        } else if self.signature != logged.signature {
            differs("signature")
        } else if self.payload_hash != Sha256::digest(logged.payload).as_slice() {
            differs("payload")
        } else {
            Ok(())
        }
    }
}

fn required<T: serde::de::DeserializeOwned>(object: &mut Object, key: &str) -> Result<T, String> {
    let found = object.take(key).map_err(|error| error.to_string())?;
    found.ok_or_else(|| format!("Missing {key:?} field in hashedrekord"))
}
