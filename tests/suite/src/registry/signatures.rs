//! Signatures that the registry keeps itself, and the API server of the cluster that it belongs to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::serve::{Answer, error};
use super::state::{Request, State};

/// A signature that a registry keeps, by type and content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    name: String,
    content: Vec<u8>,
}

impl State {
    /// Signatures as the X-Registry-Supports-Signatures extension has them.
    pub(super) fn signatures(&mut self, request: &Request, below: &str, body: &Bytes) -> Answer {
        let Some((name, digest)) = below.split_once("/signatures/").filter(|_| self.keeps_signatures) else {
            return error(StatusCode::NOT_FOUND, "UNSUPPORTED", "no such path");
        };
        if request.method == "PUT" {
            let Some(kept) = read(
                body,
                digest,
                |entry| entry["schemaVersion"] == 2,
                |entry| &entry["name"],
            ) else {
                return error(StatusCode::BAD_REQUEST, "SIGNATURE_INVALID", "no such signature");
            };
            let repository = self.repository(name);
            repository.signatures.entry(digest.to_owned()).or_default().push(kept);
            return Answer::new(StatusCode::CREATED);
        }
        let entries = self.kept(name, digest).map(|Kept { name, content }| {
            json!({"schemaVersion": 2, "name": name, "type": "atomic", "content": STANDARD.encode(content)})
        });
        Answer::json(StatusCode::OK, &json!({ "signatures": entries.collect::<Vec<_>>() }))
    }

    /// What an API server of OpenShift says about image streams, each of which is a repository.
    pub(super) fn api(&mut self, request: &Request, below: &str, body: &Bytes) -> Answer {
        let shown = request.header("authorization").unwrap_or_default();
        let expected = self.api_token.as_ref().map(|token| format!("Bearer {token}"));
        if expected.is_some_and(|expected| shown != expected) {
            return failure(StatusCode::UNAUTHORIZED, "Unauthorized");
        }
        let parts: Vec<&str> = below.split('/').collect();
        match (request.method.as_str(), &parts[..]) {
            ("GET", ["namespaces", namespace, "imagestreams", stream]) => self.stream(&format!("{namespace}/{stream}")),
            ("GET", ["namespaces", namespace, "imagestreamimages", image]) => {
                let (stream, digest) = image.split_once('@').unwrap_or((image, ""));
                let kept = self.kept(&format!("{namespace}/{stream}"), digest);
                let entries = kept.map(|Kept { name, content }| {
                    json!({"metadata": {"name": name}, "type": "atomic", "content": STANDARD.encode(content)})
                });
                let entries: Vec<_> = entries.collect();
                Answer::json(StatusCode::OK, &json!({ "image": { "signatures": entries } }))
            }
            ("POST", ["imagesignatures"]) => self.post_signature(body),
            _ => failure(StatusCode::NOT_FOUND, "no such path"),
        }
    }

    fn stream(&self, repository: &str) -> Answer {
        let Some(found) = self.repositories.get(repository) else {
            return failure(StatusCode::NOT_FOUND, &format!("imagestreams {repository:?} not found"));
        };
        let tags = found.tags.iter().map(|(tag, digest)| {
            let inside = format!("172.30.1.1:5000/{repository}@{digest}");
            json!({"tag": tag, "items": [
                {"dockerImageReference": inside, "image": digest},
                {"dockerImageReference": "172.30.1.1:5000/older/image@sha256:00", "image": "sha256:00"},
            ]})
        });
        let tags: Vec<Value> = tags.collect();
        Answer::json(StatusCode::OK, &json!({ "status": { "tags": tags } }))
    }

    fn post_signature(&mut self, body: &Bytes) -> Answer {
        let is_right = |entry: &Value| entry["kind"] == "ImageSignature" && entry["apiVersion"] == "v1";
        let Some(kept) = read(body, "sha256:", is_right, |entry| &entry["metadata"]["name"]) else {
            return failure(StatusCode::UNPROCESSABLE_ENTITY, "no such signature");
        };
        let digest = kept.name.split('@').next().unwrap_or_default().to_owned();
        let holds = self
            .repositories
            .values_mut()
            .find(|known| known.manifests.contains_key(&digest));
        match holds {
            Some(repository) => {
                repository.signatures.entry(digest).or_default().push(kept);
                Answer::json(StatusCode::CREATED, &json!({}))
            }
            None => failure(StatusCode::NOT_FOUND, "no such image"),
        }
    }

    fn kept(&self, repository: &str, digest: &str) -> impl Iterator<Item = &Kept> + use<'_> {
        let repository = self.repositories.get(repository);
        repository
            .and_then(|found| found.signatures.get(digest))
            .into_iter()
            .flatten()
    }
}

impl Kept {
    pub(super) fn content(&self) -> Vec<u8> {
        self.content.clone()
    }
}

/// A signature whose name is of the form `DIGEST@32HEX`, from what a client sends.
fn read(
    body: &Bytes,
    digest: &str,
    is_right: impl Fn(&Value) -> bool,
    name: impl Fn(&Value) -> &Value,
) -> Option<Kept> {
    let entry: Value = serde_json::from_slice(body).ok()?;
    let name = name(&entry).as_str()?;
    let (named, random) = name.split_once('@')?;
    let is_random = random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    let content = STANDARD.decode(entry["content"].as_str()?).ok()?;
    let is_right = is_right(&entry) && entry["type"] == "atomic" && named.starts_with(digest) && is_random;
    let name = name.to_owned();
    is_right.then_some(Kept { name, content })
}

/// Kubernetes' own form of an error.
fn failure(status: StatusCode, message: &str) -> Answer {
    let code = status.as_u16();
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code});
    Answer::json(status, &body)
}
