//! Manifests and tags.

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::serve::{Answer, error};
use super::state::{Repository, Request, State, StoredManifest};
use crate::sha256;

impl State {
    pub(super) fn manifests(&mut self, request: &Request, name: &str, reference: &str, body: Bytes) -> Answer {
        match request.method.as_str() {
            "GET" => self.get_manifest(request, name, reference),
            "HEAD" => self.get_manifest(request, name, reference).head_only(),
            "PUT" => self.put_manifest(request, name, reference, body),
            "DELETE" => self.delete_manifest(name, reference),
            _ => error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "no such method here"),
        }
    }

    fn get_manifest(&self, request: &Request, name: &str, reference: &str) -> Answer {
        let Some(repository) = self.repositories.get(name) else {
            return error(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "repository name not known");
        };
        let stored = repository.manifest(reference);
        let wanted = |stored: &&StoredManifest| accepts(request, &stored.media_type);
        let Some(stored) = stored.filter(wanted) else {
            return error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown");
        };
        Answer::new(StatusCode::OK)
            .header("content-type", &stored.media_type)
            .header("docker-content-digest", &sha256(&stored.bytes))
            .body(stored.bytes.clone())
    }

    fn put_manifest(&mut self, request: &Request, name: &str, reference: &str, body: Bytes) -> Answer {
        let Ok(json) = serde_json::from_slice::<Value>(&body) else {
            return error(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", "manifest invalid");
        };
        let media_type = request.header("content-type").unwrap_or_default().to_owned();
        if json["mediaType"].as_str().is_some_and(|said| said != media_type) {
            return error(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", "manifest type mismatch");
        }
        let digest = sha256(&body);
        let by_digest = reference.contains(':');
        if by_digest && reference != digest {
            return error(
                StatusCode::BAD_REQUEST,
                "DIGEST_INVALID",
                "provided digest did not match",
            );
        }
        let repository = self.repository(name);
        if let Some(missing) = first_missing(&json, repository) {
            let message = format!("unknown to registry: {missing}");
            return error(StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN", &message);
        }
        let tag = (!by_digest).then_some(reference);
        repository.store(
            tag,
            StoredManifest {
                media_type,
                bytes: body,
            },
        );
        Answer::new(StatusCode::CREATED)
            .header("location", &format!("/v2/{name}/manifests/{digest}"))
            .header("docker-content-digest", &digest)
    }

    fn delete_manifest(&mut self, name: &str, reference: &str) -> Answer {
        if !reference.contains(':') {
            return error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "a tag cannot be deleted");
        }
        let repository = self.repository(name);
        if repository.manifests.remove(reference).is_none() {
            return error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown");
        }
        repository.tags.retain(|_, digest| digest != reference);
        Answer::new(StatusCode::ACCEPTED)
    }

    pub(super) fn tag_list(&self, request: &Request, name: &str) -> Answer {
        let Some(repository) = self.repositories.get(name) else {
            return error(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "repository name not known");
        };
        let last = request.parameters("last").pop().unwrap_or_default();
        let mut rest = repository.tags.keys().filter(|tag| **tag > last).peekable();
        let mut page = Vec::new();
        while page.len() < self.page_size
            && let Some(tag) = rest.next()
        {
            page.push(tag);
        }
        let answer = Answer::json(StatusCode::OK, &json!({ "name": name, "tags": page }));
        match (rest.peek(), page.last()) {
            (Some(_), Some(last)) => {
                answer.header("link", &format!("</v2/{name}/tags/list?last={last}>; rel=\"next\""))
            }
            _ => answer,
        }
    }
}

/// Whether the request takes a type; one without `Accept` gets no OCI document, as from
/// docker-registry 2.8.
fn accepts(request: &Request, media_type: &str) -> bool {
    let mut lines = request.header_values("accept").peekable();
    if lines.peek().is_none() {
        return !media_type.starts_with("application/vnd.oci.");
    }
    lines
        .flat_map(|line| line.split(','))
        .map(|item| item.split(';').next().unwrap_or_default().trim())
        .any(|item| item == media_type || item == "*/*")
}

/// The first blob or instance a manifest names that the repository does not hold.
fn first_missing(manifest: &Value, repository: &Repository) -> Option<String> {
    let digest = |descriptor: &Value| descriptor["digest"].as_str().map(str::to_owned);
    let list = |key: &str| manifest[key].as_array().cloned().unwrap_or_default();
    let mut blobs = list("layers");
    if manifest["config"].is_object() {
        blobs.push(manifest["config"].clone());
    }
    let blob = blobs
        .iter()
        .filter_map(digest)
        .find(|name| !repository.blobs.contains_key(name));
    blob.or_else(|| {
        let instances = list("manifests");
        let mut names = instances.iter().filter_map(digest);
        names.find(|name| !repository.manifests.contains_key(name))
    })
}
