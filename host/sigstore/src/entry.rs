//! Entries of a Rekor log: what is asked for and what comes back (SS-15; formats, section 11.6).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longshore_types::json::{JsonError, Object};
use p256::pkcs8::der::pem;
use serde_json::json;
use sha2::{Digest as _, Sha256};

const KIND: &str = "hashedrekord";
const VERSION: &str = "0.0.1";

/// Beyond this, two readers of a JSON number may see different integers (RFC 8785, section 3.2.2.3).
const MAX_EXACT: u64 = 1 << 53;

/// What a log is to have.
#[derive(Clone, Copy, Debug)]
pub struct Logged<'a> {
    /// PEM of the signer's public key or certificate.
    pub signer: &'a str,
    /// The signature, in the form of its algorithm.
    pub signature: &'a [u8],
    /// What is signed.
    pub payload: &'a [u8],
}

/// What a log promises of a signature: a signed entry timestamp, SET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPromise {
    /// The value of the annotation [`LogPromise::ANNOTATION`].
    pub annotation: String,
    /// When the log got it, in seconds since 1970.
    pub integrated_time: u64,
}

impl Logged<'_> {
    /// The JSON text of the entry.
    pub(crate) fn proposal(&self) -> String {
        let entry = json!({
            "apiVersion": VERSION,
            "kind": KIND,
            "spec": {
                "data": { "hash": { "algorithm": "sha256", "value": hex::encode(Sha256::digest(self.payload)) } },
                "signature": {
                    "content": STANDARD.encode(self.signature),
                    "publicKey": { "content": STANDARD.encode(self.signer) },
                },
            },
        });
        entry.to_string()
    }

    /// Whether the body of an entry is for this signature.
    fn is_in(&self, body: &[u8]) -> Result<(), String> {
        let text = |error: JsonError| error.to_string();
        let mut entry = Object::parse(body).map_err(text)?;
        let kind: String = entry.take_required("kind").map_err(text)?;
        let version: String = entry.take_required("apiVersion").map_err(text)?;
        let mut spec: Object = entry.take_required("spec").map_err(text)?;
        let mut data: Object = spec.take_required("data").map_err(text)?;
        let mut hash: Object = data.take_required("hash").map_err(text)?;
        let algorithm: String = hash.take_required("algorithm").map_err(text)?;
        let value: String = hash.take_required("value").map_err(text)?;
        let mut signature: Object = spec.take_required("signature").map_err(text)?;
        let content: String = signature.take_required("content").map_err(text)?;
        let mut key: Object = signature.take_required("publicKey").map_err(text)?;
        let signer: String = key.take_required("content").map_err(text)?;

        let same_signer = STANDARD.decode(signer).is_ok_and(|signer| {
            let (theirs, ours) = (pem::decode_vec(&signer), pem::decode_vec(self.signer.as_bytes()));
            matches!((theirs, ours), (Ok(theirs), Ok(ours)) if theirs == ours)
        });
        let checks = [
            ("kind", kind == KIND && version == VERSION),
            (
                "payload",
                algorithm == "sha256" && value == hex::encode(Sha256::digest(self.payload)),
            ),
            (
                "signature",
                STANDARD.decode(content).is_ok_and(|content| content == self.signature),
            ),
            ("key", same_signer),
        ];
        match checks.iter().find(|(_, holds)| !holds) {
            Some((what, _)) => Err(format!("it has another {what}")),
            None => Ok(()),
        }
    }
}

impl LogPromise {
    /// The annotation of a signature that has a promise (SS-11).
    pub const ANNOTATION: &str = "dev.sigstore.cosign/bundle";

    /// Reads a log's answer, which must be the entry of one signature and no other. The log's own signature is not
    /// verified: who verifies the image knows the log's key.
    pub(crate) fn parse(answer: &[u8], logged: Logged<'_>) -> Result<Self, String> {
        let invalid = |reason: &dyn std::fmt::Display| format!("invalid Rekor entry: {reason}");
        let text = |error: JsonError| invalid(&error);
        let mut answer = Object::parse(answer).map_err(text)?;
        let names: Vec<String> = answer.keys().map(str::to_owned).collect();
        let [name] = names.as_slice() else {
            return Err(format!("expected 1 Rekor entry, got {}", names.len()));
        };
        let mut entry: Object = answer.take_required(name).map_err(text)?;
        let body: String = entry.take_required("body").map_err(text)?;
        let integrated_time: u64 = entry.take_required("integratedTime").map_err(text)?;
        let log_index: u64 = entry.take_required("logIndex").map_err(text)?;
        let log_id: String = entry.take_required("logID").map_err(text)?;
        let mut verification: Object = entry.take_required("verification").map_err(text)?;
        let timestamp: String = verification.take_required("signedEntryTimestamp").map_err(text)?;

        if integrated_time > MAX_EXACT || log_index > MAX_EXACT {
            return Err(invalid(&"a number in it is too large"));
        }
        if log_id.is_empty() || !log_id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(invalid(&"logID is not hexadecimal"));
        }
        if STANDARD.decode(&timestamp).map_or(true, |bytes| bytes.is_empty()) {
            return Err(invalid(&"signedEntryTimestamp is not base64"));
        }
        let decoded = STANDARD
            .decode(&body)
            .map_err(|error| invalid(&format!("body: {error}")))?;
        logged
            .is_in(&decoded)
            .map_err(|reason| invalid(&format!("body: {reason}")))?;
        let annotation = json!({
            "SignedEntryTimestamp": timestamp,
            "Payload": {
                "body": body,
                "integratedTime": integrated_time,
                "logIndex": log_index,
                "logID": log_id,
            },
        });
        Ok(Self {
            annotation: annotation.to_string(),
            integrated_time,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::Value;

    use super::*;

    const KEY: &str = "-----BEGIN PUBLIC KEY-----\na2V5\n-----END PUBLIC KEY-----\n";
    const OTHER_KEY: &str = "-----BEGIN PUBLIC KEY-----\nb3RoZXI=\n-----END PUBLIC KEY-----\n";

    const LOGGED: Logged<'_> = Logged {
        signer: KEY,
        signature: b"signature",
        payload: b"payload",
    };

    /// A good answer, with one value at a JSON pointer replaced; the body is below `/body`, not encoded.
    fn answer(pointer: &str, value: Value) -> String {
        let mut document = json!({ "uuid": {
            "body": serde_json::from_str::<Value>(&LOGGED.proposal()).unwrap(),
            "integratedTime": 1_700_000_000,
            "logID": "c0ffee",
            "logIndex": 7,
            "verification": { "signedEntryTimestamp": "c2V0", "inclusionProof": {} },
        }});
        if !pointer.is_empty() {
            *document.pointer_mut(pointer).unwrap() = value;
        }
        if let Some(body) = document.pointer_mut("/uuid/body").filter(|body| body.is_object()) {
            *body = STANDARD.encode(body.to_string()).into();
        }
        document.to_string()
    }

    fn parse(answer: &str) -> Result<LogPromise, String> {
        LogPromise::parse(answer.as_bytes(), LOGGED)
    }

    #[test]
    fn what_is_promised() {
        let promise = parse(&answer("", Value::Null)).unwrap();
        assert_eq!(promise.integrated_time, 1_700_000_000);
        let body = STANDARD.encode(LOGGED.proposal());
        assert_eq!(
            promise.annotation,
            format!(
                r#"{{"SignedEntryTimestamp":"c2V0","Payload":{{"body":"{body}","integratedTime":1700000000,"logIndex":7,"logID":"c0ffee"}}}}"#
            )
        );
        // Another spelling of the same key is the same key.
        let content = STANDARD.encode(KEY.trim_end());
        let same = answer("/uuid/body/spec/signature/publicKey/content", content.into());
        parse(&same).unwrap();
    }

    #[test]
    fn what_is_refused() {
        let spec = "/uuid/body/spec";
        for (pointer, value, expected) in [
            ("/uuid", json!(1), "invalid Rekor entry: "),
            ("/uuid/body", json!("*"), "body: "),
            ("/uuid/body", json!("e30="), "kind"),
            ("/uuid/body", json!(null), "body"),
            ("/uuid/body/kind", json!("intoto"), "it has another kind"),
            ("/uuid/body/apiVersion", json!("0.0.2"), "it has another kind"),
            (
                &format!("{spec}/data/hash/algorithm"),
                json!("sha512"),
                "another payload",
            ),
            (&format!("{spec}/data/hash/value"), json!("00"), "another payload"),
            (&format!("{spec}/signature/content"), json!("AAAA"), "another signature"),
            (&format!("{spec}/signature/content"), json!("*"), "another signature"),
            (
                &format!("{spec}/signature/publicKey/content"),
                STANDARD.encode(OTHER_KEY).into(),
                "another key",
            ),
            (
                &format!("{spec}/signature/publicKey/content"),
                json!("AAAA"),
                "another key",
            ),
            ("/uuid/integratedTime", json!(-1), "integratedTime"),
            ("/uuid/integratedTime", json!("1"), "integratedTime"),
            ("/uuid/integratedTime", json!(u64::MAX), "too large"),
            ("/uuid/logIndex", json!(1.5), "logIndex"),
            ("/uuid/logIndex", json!(u64::MAX), "too large"),
            ("/uuid/logID", json!("x\"y"), "logID is not hexadecimal"),
            ("/uuid/logID", json!(""), "logID is not hexadecimal"),
            ("/uuid/verification", json!(null), "verification"),
            (
                "/uuid/verification/signedEntryTimestamp",
                json!("*"),
                "signedEntryTimestamp is not base64",
            ),
            (
                "/uuid/verification/signedEntryTimestamp",
                json!(""),
                "signedEntryTimestamp is not base64",
            ),
        ] {
            let error = parse(&answer(pointer, value)).unwrap_err();
            assert!(error.contains(expected), "{pointer}: {error}");
        }
        let good = answer("", Value::Null);
        let twice = format!("{},{}", &good[..good.len() - 1], "\"uuid\":{}}");
        let two = good.replacen('{', r#"{"other":{},"#, 1);
        for (text, expected) in [
            ("", "invalid Rekor entry: "),
            ("[]", "invalid Rekor entry: "),
            ("{}", "expected 1 Rekor entry, got 0"),
            (two.as_str(), "expected 1 Rekor entry, got 2"),
            (twice.as_str(), "invalid Rekor entry: "),
            (&"[".repeat(100_000), "invalid Rekor entry: "),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    /// A change of any byte is refused, or changes nothing but what only the log's key can vouch for.
    #[test]
    fn altered_answers() {
        let good = answer("", Value::Null);
        let body = STANDARD.encode(LOGGED.proposal());
        for position in 0..good.len() {
            for bit in 0..8 {
                let mut altered = good.clone().into_bytes();
                altered[position] ^= 1 << bit;
                if let Ok(promise) = LogPromise::parse(&altered, LOGGED) {
                    let annotation: Value = serde_json::from_str(&promise.annotation).unwrap();
                    let stored = annotation["Payload"]["body"].as_str().unwrap();
                    LOGGED.is_in(&STANDARD.decode(stored).unwrap()).unwrap();
                    assert_eq!(stored.len(), body.len());
                }
            }
        }
    }
}
