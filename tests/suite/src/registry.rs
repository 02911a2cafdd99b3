//! A registry in memory, on a loopback port, whose answers a test can bend.

mod auth;
mod fault;
mod manifests;
mod serve;
mod signatures;
mod state;
mod tls;
mod uploads;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

pub use self::auth::Auth;
pub use self::fault::{Fault, Gate, When};
pub use self::state::{Locations, Request};
pub use self::tls::{Authority, KeyPairPem};

use self::state::{Shared, State, StoredManifest};
use crate::image::Document;
use crate::sha256;

/// How long a test waits for a request that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a registry is to be like.
pub struct Builder {
    address: String,
    state: State,
    tls: Option<TlsAcceptor>,
}

impl Builder {
    /// Asks for credentials.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.state.auth = auth;
        self
    }

    /// Lists at most this many tags in one answer.
    #[must_use]
    pub fn page_size(mut self, tags: usize) -> Self {
        self.state.page_size = tags;
        self
    }

    /// Writes upload locations in another form.
    #[must_use]
    pub fn locations(mut self, locations: Locations) -> Self {
        self.state.locations = locations;
        self
    }

    /// Keeps signatures itself, and says so.
    #[must_use]
    pub fn keeping_signatures(mut self) -> Self {
        self.state.keeps_signatures = true;
        self
    }

    /// Takes this bearer token, and none other, for what the API server of its cluster is asked.
    #[must_use]
    pub fn api_token(mut self, token: &str) -> Self {
        self.state.api_token = Some(token.to_owned());
        self
    }

    /// Listens on another loopback address, for example `127.0.0.2`.
    #[must_use]
    pub fn address(mut self, address: &str) -> Self {
        address.clone_into(&mut self.address);
        self
    }

    /// Speaks TLS with a certificate of `authority`; with `clients`, only to who shows one of that authority.
    ///
    /// # Errors
    /// No certificate can be made.
    pub fn tls(mut self, authority: &Authority, clients: Option<&Authority>) -> Result<Self> {
        self.tls = Some(TlsAcceptor::from(Arc::new(authority.server(clients)?)));
        Ok(self)
    }

    /// Starts the registry on a free port, with threads of its own.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn start(self) -> Result<TestRegistry> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("cannot start the test registry")?;
        let wanted = format!("{}:0", self.address);
        let listener = runtime
            .block_on(TcpListener::bind(&wanted))
            .with_context(|| format!("cannot listen on {wanted}"))?;
        let address = listener.local_addr().context("the test registry has no address")?;
        let shared = Arc::new(Shared::new(address, self.state));
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&shared);
        let tls = self.tls;
        let thread = std::thread::spawn(move || {
            runtime.block_on(serve::serve(listener, tls, served, stopped));
            runtime.shutdown_background();
        });
        Ok(TestRegistry {
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

/// A running registry; dropping it ends it.
#[derive(Debug)]
pub struct TestRegistry {
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl TestRegistry {
    /// An empty registry that lets everybody in.
    ///
    /// # Errors
    /// No port can be listened on.
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// Another kind of registry.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            address: "127.0.0.1".to_owned(),
            state: State::default(),
            tls: None,
        }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// `docker://HOST:PORT/NAME`.
    #[must_use]
    pub fn name(&self, name: &str) -> String {
        format!("docker://{}/{name}", self.shared.address)
    }

    /// Bends the answer to matching requests; of several that match, the first one given.
    pub fn script(&self, when: When, fault: Fault) {
        self.shared.lock().script.push(when, fault);
    }

    /// Stores a blob and returns its digest.
    pub fn put_blob(&self, repository: &str, bytes: impl Into<Bytes>) -> String {
        let bytes = bytes.into();
        let digest = sha256(&bytes);
        self.shared
            .lock()
            .repository(repository)
            .blobs
            .insert(digest.clone(), bytes);
        digest
    }

    /// Stores bytes under the digest of others.
    pub fn put_wrong_blob(&self, repository: &str, digest: &str, bytes: impl Into<Bytes>) {
        self.shared
            .lock()
            .repository(repository)
            .blobs
            .insert(digest.to_owned(), bytes.into());
    }

    /// Stores a manifest, with a tag if one is given, and returns its digest.
    pub fn put_manifest(
        &self,
        repository: &str,
        tag: Option<&str>,
        media_type: &str,
        bytes: impl Into<Bytes>,
    ) -> String {
        let manifest = StoredManifest {
            media_type: media_type.to_owned(),
            bytes: bytes.into(),
        };
        self.shared.lock().repository(repository).store(tag, manifest)
    }

    /// The manifest that a tag or digest names.
    #[must_use]
    pub fn manifest(&self, repository: &str, reference: &str) -> Option<Document> {
        let state = self.shared.lock();
        let stored = state.repositories.get(repository)?.manifest(reference)?;
        Some(Document {
            media_type: stored.media_type.clone(),
            digest: sha256(&stored.bytes),
            bytes: stored.bytes.clone(),
            platform: None,
        })
    }

    /// A blob.
    #[must_use]
    pub fn blob(&self, repository: &str, digest: &str) -> Option<Bytes> {
        self.shared
            .lock()
            .repositories
            .get(repository)?
            .blobs
            .get(digest)
            .cloned()
    }

    /// The signatures that it keeps of a manifest.
    #[must_use]
    pub fn signatures(&self, repository: &str, digest: &str) -> Vec<Vec<u8>> {
        let state = self.shared.lock();
        let found = state.repositories.get(repository);
        let kept = found.and_then(|found| found.signatures.get(digest));
        kept.into_iter().flatten().map(|kept| kept.content()).collect()
    }

    /// The tags of a repository, sorted.
    #[must_use]
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let state = self.shared.lock();
        let tags = state.repositories.get(repository).map(|found| &found.tags);
        tags.map(|tags| tags.keys().cloned().collect()).unwrap_or_default()
    }

    /// How many upload sessions are neither finished nor cancelled.
    #[must_use]
    pub fn open_uploads(&self) -> usize {
        self.shared.lock().uploads.len()
    }

    /// Makes every bearer token given so far worthless.
    pub fn forget_tokens(&self) {
        self.shared.lock().tokens.clear();
    }

    /// Every request so far, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// The requests so far whose method is `method` and whose path holds `part`.
    #[must_use]
    pub fn requests_to(&self, method: &str, part: &str) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.method == method && request.path.contains(part));
        requests
    }

    /// Waits until a request with this method and part of a path has come in.
    ///
    /// # Panics
    /// None came within a minute.
    pub fn wait_for(&self, method: &str, part: &str) {
        self.wait_until(&format!("{method} {part}"), |state| {
            state
                .requests
                .iter()
                .any(|seen| seen.method == method && seen.path.contains(part))
        });
    }

    /// Waits until no upload session is open.
    ///
    /// # Panics
    /// One still was after a minute.
    pub fn wait_for_no_uploads(&self) {
        self.wait_until("the end of every upload", |state| state.uploads.is_empty());
    }

    fn wait_until(&self, what: &str, done: impl Fn(&State) -> bool) {
        let state = self.shared.lock();
        let Ok((state, waited)) = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, |state| !done(state))
        else {
            panic!("the test registry panicked");
        };
        assert!(
            !waited.timed_out(),
            "waited in vain for {what}; came: {:#?}",
            state.requests
        );
    }
}

impl Drop for TestRegistry {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The receiver is gone if the server ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
