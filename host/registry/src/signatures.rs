//! Signatures that a registry keeps itself: the X-Registry-Supports-Signatures extension (RD-09; formats, section 11.2).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use longshore_types::Digest;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::error::{Problem, RegistryError, Subject};
use crate::fault::Fault;
use crate::limits::{MAX_SIGNATURE_LIST, MAX_SIGNATURES};
use crate::repository::Repository;
use crate::request::Call;
use crate::scope::Access;

/// The only version of entries that there is.
const SCHEMA_VERSION: i64 = 2;

/// The type of simple signing signatures (BL-05).
pub(crate) const ATOMIC: &str = "atomic";

/// The answer to a question for signatures. Go reads a null as nothing.
#[derive(Deserialize)]
struct List {
    #[serde(default)]
    signatures: Option<Vec<Entry>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    schema_version: Option<i64>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    content: Option<String>,
}

impl Client {
    /// Whether the registry keeps signatures itself (RC-03), by what its first answer says.
    pub async fn keeps_signatures(&self) -> Result<bool, RegistryError> {
        let endpoint = self.endpoint().await.map_err(Fault::alone)?;
        Ok(endpoint.keeps_signatures)
    }
}

impl Repository {
    /// The simple signing signatures that the registry keeps of a manifest, in its order. Entries of other versions and
    /// types are passed over; what an entry is called does not matter.
    pub async fn signatures(&self, digest: &Digest) -> Result<Vec<Vec<u8>>, RegistryError> {
        self.get_signatures(digest).await.map_err(|fault| {
            let operation = format!("downloading signatures for {digest} in {}", self.name());
            fault.during(Subject::Other, operation)
        })
    }

    async fn get_signatures(&self, digest: &Digest) -> Result<Vec<Vec<u8>>, Fault> {
        let scopes = self.scopes(Access::Read);
        let endpoint = self.client.endpoint().await?;
        let url = endpoint.signatures_url(&self.path, digest.as_str());
        let reply = self.client.send(Call::new(Method::GET, url, &scopes)).await?;
        if reply.status() != StatusCode::OK {
            return Err(reply.refused().await);
        }
        let line = reply.line();
        let body = reply.body(MAX_SIGNATURE_LIST).await?;
        read(&body).map_err(|text| Fault::new(Problem::Malformed(text), line))
    }

    /// Has the registry keep one more simple signing signature of a manifest; those that it has stay.
    pub async fn add_signature(&self, digest: &Digest, signature: &[u8]) -> Result<(), RegistryError> {
        self.put_signature(digest, signature).await.map_err(|fault| {
            let operation = format!("uploading signature for {digest} to {}", self.name());
            fault.during(Subject::Other, operation)
        })
    }

    async fn put_signature(&self, digest: &Digest, signature: &[u8]) -> Result<(), Fault> {
        let entry = Entry {
            schema_version: Some(SCHEMA_VERSION),
            name: Some(new_name(digest)?),
            kind: Some(ATOMIC.to_owned()),
            content: Some(encode(signature)),
        };
        let body = serde_json::to_vec(&entry).map_err(|error| setup(error.to_string()))?;
        let scopes = self.scopes(Access::Write);
        let endpoint = self.client.endpoint().await?;
        let url = endpoint.signatures_url(&self.path, digest.as_str());
        let mut call = Call::new(Method::PUT, url, &scopes);
        let json = HeaderValue::from_static("application/json");
        call.headers.insert(CONTENT_TYPE, json);
        call.body = Some(Bytes::from(body));
        let reply = self.client.send(call).await?;
        if reply.status() != StatusCode::CREATED {
            return Err(reply.refused().await);
        }
        reply.drain().await;
        Ok(())
    }
}

fn read(body: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let list: List = serde_json::from_slice(body).map_err(|error| format!("the list of signatures: {error}"))?;
    let entries = list.signatures.unwrap_or_default().into_iter();
    let known = entries.filter(|entry| entry.schema_version == Some(SCHEMA_VERSION));
    decode(known.map(|entry| (entry.kind, entry.content)))
}

/// What the entries of simple signing signatures hold, each given as its type and content.
pub(crate) fn decode(entries: impl Iterator<Item = (Option<String>, Option<String>)>) -> Result<Vec<Vec<u8>>, String> {
    let mut signatures = Vec::new();
    for (_, content) in entries.filter(|(kind, _)| kind.as_deref() == Some(ATOMIC)) {
        if signatures.len() == MAX_SIGNATURES {
            return Err(format!("more than {MAX_SIGNATURES} signatures of one manifest"));
        }
        let mut content = content.unwrap_or_default();
        // As Go reads base64.
        content.retain(|character| !matches!(character, '\r' | '\n'));
        let number = signatures.len() + 1;
        let decoded = BASE64_STANDARD.decode(content);
        signatures.push(decoded.map_err(|error| format!("signature {number} is no base64: {error}"))?);
    }
    Ok(signatures)
}

pub(crate) fn encode(signature: &[u8]) -> String {
    BASE64_STANDARD.encode(signature)
}

/// A name that no other signature has: 128 of its bits are random.
pub(crate) fn new_name(digest: &Digest) -> Result<String, Fault> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| setup(format!("no random name can be made: {error}")))?;
    Ok(format!("{digest}@{:032x}", u128::from_be_bytes(random)))
}

pub(crate) fn setup(text: String) -> Fault {
    Fault::without_request(Problem::Setup(text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn lists() {
        let entry = |version: &str, kind: &str, content: &str| {
            format!(r#"{{"schemaVersion":{version},"name":"x@y","type":{kind},"content":{content}}}"#)
        };
        let good = entry("2", "\"atomic\"", "\"AQI=\"");
        let one = Ok(vec![vec![1, 2]]);
        let rows = [
            ("{}".to_owned(), Ok(vec![])),
            (r#"{"signatures":null}"#.to_owned(), Ok(vec![])),
            (list(&[&good]), one.clone()),
            (
                list(&[&good, &entry("2", "\"atomic\"", "\"A\\nw==\\n\"")]),
                Ok(vec![vec![1, 2], vec![3]]),
            ),
            (list(&[&entry("1", "\"atomic\"", "\"!\""), &good]), one.clone()),
            (list(&[&entry("null", "\"atomic\"", "\"!\""), &good]), one.clone()),
            (list(&[&entry("2", "\"other\"", "\"!\""), &good]), one.clone()),
            (list(&[&entry("2", "null", "null"), &good]), one),
            (
                list(&[&entry("2", "\"atomic\"", "\"AQI\"")]),
                Err("signature 1 is no base64"),
            ),
            (
                list(&[&good, &entry("2", "\"atomic\"", "\"-_==\"")]),
                Err("signature 2 is no base64"),
            ),
            (
                list(&[&entry("\"2\"", "\"atomic\"", "\"AQI=\"")]),
                Err("the list of signatures: invalid type"),
            ),
            (
                list(&[&entry("2", "\"atomic\"", "[1]")]),
                Err("the list of signatures: invalid type"),
            ),
            (
                list(&[good.as_str(); MAX_SIGNATURES + 1]),
                Err("more than 128 signatures"),
            ),
            ("[".to_owned(), Err("the list of signatures")),
            (String::new(), Err("the list of signatures")),
        ];
        for (text, expected) in rows {
            match (read(text.as_bytes()), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
                (Err(found), Err(expected)) => assert!(found.starts_with(expected), "{text}: {found}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
        assert_eq!(
            read(list(&[good.as_str(); MAX_SIGNATURES]).as_bytes()).unwrap().len(),
            MAX_SIGNATURES
        );
    }

    fn list(entries: &[&str]) -> String {
        format!(r#"{{"signatures":[{}]}}"#, entries.join(","))
    }

    #[test]
    fn names_are_all_different() {
        let digest = Digest::sha256(b"manifest");
        let [one, other] = [(); 2].map(|()| new_name(&digest).ok().unwrap());
        assert_ne!(one, other);
        let random = one.strip_prefix(&format!("{digest}@")).unwrap();
        assert!(
            random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{one}"
        );
    }
}
