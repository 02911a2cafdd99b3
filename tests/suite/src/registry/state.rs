//! What a test registry holds, and the form of its records.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use hyper::HeaderMap;

use super::auth::{Auth, Token};
use super::fault::Script;
use super::signatures::Kept;
use crate::sha256;

/// The form of the `Location` header of upload sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Locations {
    /// `http://HOST:PORT/v2/…`
    #[default]
    Absolute,
    /// `/v2/…`
    Relative,
}

/// One request as it came in.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, in upper case.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, still encoded; empty if there is none.
    pub query: String,
    /// The headers; one with bytes that are no text is left out.
    pub headers: Vec<(String, String)>,
    /// How many bytes of a body came.
    pub body_length: usize,
}

impl Request {
    /// The first header with this name, which is compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.header_values(name);
        values.next()
    }

    /// Every header line with this name, which is compared without case.
    pub fn header_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The values of a parameter of the query, decoded.
    #[must_use]
    pub fn parameters(&self, name: &str) -> Vec<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
            .collect()
    }

    pub(super) fn new(parts: &hyper::http::request::Parts) -> Self {
        Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: text_headers(&parts.headers),
            body_length: 0,
        }
    }
}

fn text_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect()
}

/// A manifest as it was put.
#[derive(Clone, Debug)]
pub(super) struct StoredManifest {
    pub(super) media_type: String,
    pub(super) bytes: Bytes,
}

/// One repository.
#[derive(Debug, Default)]
pub(super) struct Repository {
    /// By digest.
    pub(super) manifests: BTreeMap<String, StoredManifest>,
    /// Digests by tag.
    pub(super) tags: BTreeMap<String, String>,
    /// By digest.
    pub(super) blobs: BTreeMap<String, Bytes>,
    /// By the digest of the manifest that they are about.
    pub(super) signatures: BTreeMap<String, Vec<Kept>>,
}

impl Repository {
    pub(super) fn manifest(&self, reference: &str) -> Option<&StoredManifest> {
        let digest = self.tags.get(reference).map_or(reference, String::as_str);
        self.manifests.get(digest)
    }

    pub(super) fn store(&mut self, tag: Option<&str>, manifest: StoredManifest) -> String {
        let digest = sha256(&manifest.bytes);
        self.manifests.insert(digest.clone(), manifest);
        if let Some(tag) = tag {
            self.tags.insert(tag.to_owned(), digest.clone());
        }
        digest
    }
}

/// An upload session.
#[derive(Debug, Default)]
pub(super) struct Upload {
    pub(super) repository: String,
    pub(super) received: BytesMut,
}

/// Everything behind the lock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) auth: Auth,
    pub(super) page_size: usize,
    pub(super) locations: Locations,
    pub(super) keeps_signatures: bool,
    pub(super) api_token: Option<String>,
    pub(super) repositories: BTreeMap<String, Repository>,
    pub(super) uploads: BTreeMap<String, Upload>,
    pub(super) sessions: u64,
    pub(super) tokens: BTreeMap<String, Token>,
    pub(super) tokens_made: u64,
    pub(super) requests: Vec<Request>,
    pub(super) script: Script,
}

impl Default for State {
    fn default() -> Self {
        Self {
            auth: Auth::Open,
            page_size: usize::MAX,
            locations: Locations::default(),
            keeps_signatures: false,
            api_token: None,
            repositories: BTreeMap::new(),
            uploads: BTreeMap::new(),
            sessions: 0,
            tokens: BTreeMap::new(),
            tokens_made: 0,
            requests: Vec::new(),
            script: Script::default(),
        }
    }
}

impl State {
    pub(super) fn repository(&mut self, name: &str) -> &mut Repository {
        self.repositories.entry(name.to_owned()).or_default()
    }
}

/// The state, its lock, and a bell that rings after each change.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) address: SocketAddr,
    pub(super) changed: Condvar,
    state: Mutex<State>,
}

impl Shared {
    pub(super) fn new(address: SocketAddr, state: State) -> Self {
        Self {
            address,
            changed: Condvar::new(),
            state: Mutex::new(state),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
