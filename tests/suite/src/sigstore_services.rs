//! The services that sigstore's signers talk to, on a loopback port, whose answers a test can bend: a Rekor log.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::sha256;
use crate::sigstore::SigstoreKey;

const ENTRIES: &str = "/api/v1/log/entries";

/// A request as it came, or an answer as it goes.
#[derive(Clone, Debug, Default)]
pub struct Spoken {
    /// Method and path of a request; empty for an answer.
    pub line: String,
    /// The status of an answer; 0 for a request.
    pub status: u16,
    /// Headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Spoken {
    /// An answer.
    #[must_use]
    pub fn answer(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            body: body.into(),
            ..Self::default()
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    fn json(status: u16, body: &Value) -> Self {
        Self::answer(status, body.to_string()).header("content-type", "application/json")
    }
}

struct State {
    log: SigstoreKey,
    entries: BTreeMap<String, Value>,
    conflicting: bool,
    requests: Vec<Spoken>,
    /// Answers that are given instead, by the beginning of a request's line.
    scripted: Vec<(String, Spoken)>,
}

/// The running services; dropping them ends them.
pub struct SigstoreServices {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SigstoreServices {
    /// Starts them on a free port, with a new key of the log.
    ///
    /// # Errors
    /// There is no key, or nothing can be listened on.
    pub fn start() -> Result<Self> {
        let state = Arc::new(Mutex::new(State {
            log: SigstoreKey::new()?,
            entries: BTreeMap::new(),
            conflicting: false,
            requests: Vec::new(),
            scripted: Vec::new(),
        }));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot start the services")?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.context("cannot listen on 127.0.0.1")?;
        let address = listener.local_addr().context("the services have no address")?;
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&state);
        let thread = std::thread::spawn(move || runtime.block_on(serve(listener, served, stopped)));
        Ok(Self {
            address,
            state,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where they are, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The public key of the log.
    #[must_use]
    pub fn log_pem(&self) -> String {
        lock(&self.state).log.pem()
    }

    /// Answers thus from now on, where the method and path begin like this; none: as services do.
    pub fn bend(&self, line: &str, answer: impl Into<Option<Spoken>>) {
        let mut state = lock(&self.state);
        state.scripted.retain(|(bent, _)| bent != line);
        if let Some(answer) = answer.into() {
            state.scripted.push((line.to_owned(), answer));
        }
    }

    /// What came so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Spoken> {
        lock(&self.state).requests.clone()
    }

    /// Has the log say of every entry that it has it already, and where.
    pub fn conflict(&self) {
        lock(&self.state).conflicting = true;
    }
}

impl Drop for SigstoreServices {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>, mut stopped: oneshot::Receiver<()>) {
    loop {
        let accepted = tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, &state));
            let connection = hyper::server::conn::http1::Builder::new();
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, state: &Mutex<State>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let headers = parts.headers.iter();
    let request = Spoken {
        line: format!("{} {}", parts.method, parts.uri),
        status: 0,
        headers: headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: body.to_vec(),
    };
    let spoken = {
        let mut state = lock(state);
        state.requests.push(request.clone());
        let scripted = state.scripted.iter().find(|(line, _)| request.line.starts_with(line));
        match scripted {
            Some((_, scripted)) => scripted.clone(),
            None => state
                .route(&request)
                .unwrap_or_else(|error| Spoken::answer(400, format!("{error:#}"))),
        }
    };
    let mut response = Response::builder().status(spoken.status);
    for (name, value) in &spoken.headers {
        response = response.header(name, value);
    }
    Ok::<_, Infallible>(response.body(Full::new(Bytes::from(spoken.body))).unwrap_or_default())
        .map_err(|never| match never {})
}

impl State {
    fn route(&mut self, request: &Spoken) -> Result<Spoken> {
        if request.line == format!("POST {ENTRIES}") {
            let before = self.entries.len();
            let name = self.keep(&request.body)?;
            if self.conflicting || self.entries.len() == before {
                let conflict = Spoken::answer(409, "an equivalent entry already exists");
                return Ok(conflict.header("location", format!("{ENTRIES}/{name}")));
            }
            return Ok(Spoken::json(201, &json!({ &name: self.entries[&name] })));
        }
        let name = request.line.strip_prefix(&format!("GET {ENTRIES}/"));
        Ok(match name.and_then(|name| Some((name, self.entries.get(name)?))) {
            Some((name, entry)) => Spoken::json(200, &json!({ name: entry })),
            None => Spoken::answer(404, "no such path"),
        })
    }

    /// Takes an entry into the log, if it is none of those that are there; gives its name.
    fn keep(&mut self, body: &[u8]) -> Result<String> {
        let proposal: Value = serde_json::from_slice(body).context("no JSON")?;
        anyhow::ensure!(proposal["kind"] == "hashedrekord", "another kind");
        let name = sha256(body).trim_start_matches("sha256:").to_owned();
        if !self.entries.contains_key(&name) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
            let entry = self.log.log_entry(&proposal.to_string(), i64::try_from(now)?)?;
            self.entries.insert(name.clone(), entry);
        }
        Ok(name)
    }
}
