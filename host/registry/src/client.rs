use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use url::Url;

use crate::auth::Auth;
use crate::error::RegistryError;
use crate::fault::Fault;
use crate::limits::STALL_TIMEOUT;
use crate::ping::Endpoint;
use crate::repository::Repository;
use crate::tls::Certificates;
use crate::token::Tokens;

/// A registry, as one user sees it: its address, its connections and its tokens.
///
/// Clones share all of that. Nothing is read or connected before the first operation.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// The name in references and in messages, such as `docker.io`.
    pub(crate) domain: String,
    /// `https://HOST/`, where HOST answers the protocol.
    pub(crate) https: Url,
    /// `http://HOST/`, for registries without TLS.
    pub(crate) plain: Url,
    pub(crate) auth: Auth,
    pub(crate) tls_verify: bool,
    pub(crate) certificates: Certificates,
    pub(crate) user_agent: String,
    pub(crate) stall: Duration,
    pub(crate) http: OnceCell<reqwest::Client>,
    /// For hosts that are not the registry's: without our certificates.
    pub(crate) outside_http: OnceCell<reqwest::Client>,
    pub(crate) endpoint: OnceCell<Endpoint>,
    pub(crate) tokens: Tokens,
    /// Warnings of the registry that were logged already (RC-06).
    pub(crate) warnings: Mutex<HashSet<String>>,
    /// Size of the pieces that blobs are uploaded in; 0 means in one request each.
    pub(crate) piece: AtomicUsize,
    /// Removals of upload sessions that nobody waits for.
    pub(crate) cancelling: Mutex<Vec<JoinHandle<()>>>,
}

/// Settings of a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    domain: String,
    auth: Auth,
    tls_verify: bool,
    certificates: Certificates,
    user_agent: String,
    stall: Duration,
}

impl Client {
    /// Starts with the registry's name as references have it: a host with or without a port, or
    /// `docker.io`, which is reached at another host (RC-01).
    pub fn builder(domain: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            domain: domain.into(),
            auth: Auth::Anonymous,
            tls_verify: true,
            certificates: Certificates::default(),
            user_agent: concat!("longshore/", env!("CARGO_PKG_VERSION")).to_owned(),
            stall: STALL_TIMEOUT,
        }
    }

    /// The registry's name, as given.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.inner.domain
    }

    /// A repository by its path below the registry, such as `library/busybox`.
    #[must_use]
    pub fn repository(&self, path: &str) -> Repository {
        Repository::new(self.clone(), path)
    }

    /// Finds out where and how the registry is to be asked. Done by the first request otherwise.
    ///
    /// # Errors
    ///
    /// Fails if no registry answers there.
    pub async fn connect(&self) -> Result<(), RegistryError> {
        self.endpoint().await.map(drop).map_err(Fault::alone)
    }

    /// Waits until the upload sessions that were dropped unfinished are removed, or are given up
    /// after a few seconds. To be called before the runtime ends.
    pub async fn settle(&self) {
        loop {
            let Some(next) = lock(&self.inner.cancelling).pop() else {
                return;
            };
            // A removal that panicked removed nothing; there is no more to do about it.
            let _ = next.await;
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("domain", &self.inner.domain)
            .field("auth", &self.inner.auth)
            .field("tls_verify", &self.inner.tls_verify)
            .finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// How to prove who we are; anonymous if not called.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// `false` takes any certificate, and plain http where https fails (RC-02); `true` if not
    /// called.
    #[must_use]
    pub fn tls_verify(mut self, verify: bool) -> Self {
        self.tls_verify = verify;
        self
    }

    /// Certificates for this registry beside the system's (TL-03); none if not called.
    #[must_use]
    pub fn certificates(mut self, certificates: Certificates) -> Self {
        self.certificates = certificates;
        self
    }

    /// The User-Agent of every request.
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// Time without a byte moving after which the registry counts as gone; 60 s if not called.
    #[must_use]
    pub fn stall_timeout(mut self, stall: Duration) -> Self {
        self.stall = stall;
        self
    }

    /// Fails if the name is no host with an optional port.
    pub fn build(self) -> Result<Client, RegistryError> {
        let host = match self.domain.as_str() {
            "docker.io" => "registry-1.docker.io",
            host => host,
        };
        let (Some(https), Some(plain)) = (base("https", host), base("http", host)) else {
            let operation = format!("connecting to registry {:?}", self.domain);
            return Err(RegistryError::setup(operation, "the name is not HOST or HOST:PORT"));
        };
        Ok(Client {
            inner: Arc::new(Inner {
                domain: self.domain,
                https,
                plain,
                auth: self.auth,
                tls_verify: self.tls_verify,
                certificates: self.certificates,
                user_agent: self.user_agent,
                stall: self.stall,
                http: OnceCell::new(),
                outside_http: OnceCell::new(),
                endpoint: OnceCell::new(),
                tokens: Tokens::default(),
                warnings: Mutex::default(),
                piece: AtomicUsize::new(0),
                cancelling: Mutex::default(),
            }),
        })
    }
}

fn base(scheme: &str, host: &str) -> Option<Url> {
    let url = Url::parse(&format!("{scheme}://{host}/")).ok()?;
    // Whatever else the text may smuggle in (a user, a path, a query) shows here.
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let nobody = url.username().is_empty() && url.password().is_none();
    (bare && nobody).then_some(url)
}

/// Locks; what the mutexes of this crate guard is whole at every step, so a panic of another
/// holder does not matter.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Client;
    use crate::Auth;

    #[test]
    fn names() {
        let cases = [
            ("docker.io", Some("https://registry-1.docker.io/")),
            ("localhost:5000", Some("https://localhost:5000/")),
            ("[::1]:5000", Some("https://[::1]:5000/")),
            ("Quay.IO", Some("https://quay.io/")),
            ("", None),
            ("h/path", None),
            ("user@h", None),
            ("h?q", None),
            ("h#f", None),
            ("h:port", None),
            ("h h", None),
        ];
        for (name, expected) in cases {
            let client = Client::builder(name).build().ok();
            let url = client.as_ref().map(|client| client.inner.https.as_str());
            assert_eq!(url, expected, "{name}");
        }
    }

    #[test]
    fn debug_hides_secrets() {
        let client = Client::builder("h").auth(Auth::RegistryToken("hunter2".into()));
        assert!(!format!("{client:?}").contains("hunter2"));
        assert!(!format!("{:?}", client.build().unwrap()).contains("hunter2"));
    }
}
