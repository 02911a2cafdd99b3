//! Connections, routing and the bodies of answers.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue, LOCATION};
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::fault::{Fault, Gate};
use super::state::{Request, Shared, State};

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// An answer before anything bends it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: Bytes,
    /// The body's length where a HEAD request leaves the body out.
    length: Option<usize>,
}

impl Answer {
    pub(super) fn new(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            length: None,
        }
    }

    pub(super) fn json(status: StatusCode, body: &Value) -> Self {
        Self::new(status)
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The same head without the body.
    pub(super) fn head_only(mut self) -> Self {
        self.length = Some(self.body.len());
        self.body = Bytes::new();
        self
    }

    fn respond(self, body: Body, length: Option<u64>) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (
                HeaderName::try_from(name.as_str()),
                HeaderValue::try_from(value.as_str()),
            ) {
                response.headers_mut().append(name, value);
            }
        }
        if let Some(length) = length {
            let claimed = response.headers_mut().entry(CONTENT_LENGTH);
            claimed.or_insert(HeaderValue::from(length));
        }
        response
    }

    fn respond_plainly(self) -> Response<Body> {
        let length = self.length.unwrap_or(self.body.len()) as u64;
        let body = Full::new(self.body.clone()).map_err(no_error).boxed_unsync();
        self.respond(body, Some(length))
    }
}

/// A registry's error document.
pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({ "errors": [{ "code": code, "message": message }] }))
}

/// Serves until told to stop.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    mut stopped: oneshot::Receiver<()>,
) {
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(accepted_connection(stream, tls.clone(), Arc::clone(&shared)));
                }
            }
        }
    }
}

async fn accepted_connection(stream: TcpStream, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    match tls {
        None => connection(stream, shared).await,
        // A client that does not agree is what many a test is about.
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                connection(stream, shared).await;
            }
        }
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { answer(request, &shared).await }
    });
    // A connection that ends in an error is what many a test is about.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(request: hyper::Request<Incoming>, shared: &Shared) -> Result<Response<Body>, io::Error> {
    let (parts, body) = request.into_parts();
    let record = Request::new(&parts);
    let position = {
        let mut state = shared.lock();
        state.requests.push(record.clone());
        state.requests.len() - 1
    };
    shared.changed.notify_all();

    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let (answer, fault) = {
        let mut state = shared.lock();
        if let Some(kept) = state.requests.get_mut(position) {
            kept.body_length = body.len();
        }
        // A fault that answers by itself must leave no trace in the store.
        let fault = state.script.next(&record);
        let replaced = matches!(fault, Some(Fault::Answer { .. } | Fault::Redirect(_) | Fault::HangUp));
        let answer = if replaced {
            Answer::new(StatusCode::OK)
        } else {
            let answer = state.route(&record, body, &shared.address.to_string());
            if state.keeps_signatures {
                answer.header("x-registry-supports-signatures", "1")
            } else {
                answer
            }
        };
        (answer, fault)
    };
    shared.changed.notify_all();
    bend(answer, fault, &record).await
}

impl State {
    fn route(&mut self, request: &Request, body: Bytes, host: &str) -> Answer {
        if request.path == "/token" {
            return self.token(request);
        }
        if let Some(below) = request.path.strip_prefix("/oapi/v1/") {
            return self.api(request, below, &body);
        }
        if let Some(refusal) = self.refusal(request, host) {
            return refusal;
        }
        if let Some(below) = request.path.strip_prefix("/extensions/v2/") {
            return self.signatures(request, below, &body);
        }
        let Some(below) = request.path.strip_prefix("/v2/") else {
            return error(StatusCode::NOT_FOUND, "UNSUPPORTED", "no such path");
        };
        if below.is_empty() {
            return Answer::json(StatusCode::OK, &json!({}));
        }
        if let Some((name, session)) = below.split_once("/blobs/uploads/") {
            return self.uploads(request, name, session, body, host);
        }
        if let Some((name, digest)) = below.split_once("/blobs/") {
            return self.blobs(request, name, digest);
        }
        if let Some((name, reference)) = below.split_once("/manifests/") {
            return self.manifests(request, name, reference, body);
        }
        match below.strip_suffix("/tags/list") {
            Some(name) => self.tag_list(request, name),
            None => error(StatusCode::NOT_FOUND, "UNSUPPORTED", "no such path"),
        }
    }

    fn blobs(&self, request: &Request, name: &str, digest: &str) -> Answer {
        let found = self
            .repositories
            .get(name)
            .and_then(|repository| repository.blobs.get(digest));
        let Some(bytes) = found else {
            return error(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "blob unknown to registry");
        };
        let answer = Answer::new(StatusCode::OK)
            .header("content-type", "application/octet-stream")
            .header("docker-content-digest", digest);
        match request.method.as_str() {
            "HEAD" => answer.body(bytes.clone()).head_only(),
            "GET" => match first_byte(request) {
                Some(start) if start < bytes.len() => {
                    let total = bytes.len();
                    Answer {
                        status: StatusCode::PARTIAL_CONTENT,
                        ..answer
                    }
                    .header("content-range", &format!("bytes {start}-{}/{total}", total - 1))
                    .body(bytes.slice(start..))
                }
                _ => answer.body(bytes.clone()),
            },
            _ => error(
                StatusCode::METHOD_NOT_ALLOWED,
                "UNSUPPORTED",
                "blobs are only read here",
            ),
        }
    }
}

/// The start of a range that is open to its end.
fn first_byte(request: &Request) -> Option<usize> {
    request
        .header("range")?
        .strip_prefix("bytes=")?
        .strip_suffix('-')?
        .parse()
        .ok()
}

async fn bend(answer: Answer, fault: Option<Fault>, request: &Request) -> Result<Response<Body>, io::Error> {
    let Some(fault) = fault else {
        return Ok(answer.respond_plainly());
    };
    let whole = answer.body.clone();
    Ok(match fault {
        Fault::Answer { status, headers, body } => {
            let status = StatusCode::from_u16(status).map_err(io::Error::other)?;
            let mut other = Answer::new(status).body(body);
            for (name, value) in headers {
                other = other.header(name, &value);
            }
            other.respond_plainly()
        }
        Fault::Body(body) => Answer { length: None, ..answer }.body(body).respond_plainly(),
        Fault::Header(name, value) => answer.header(name, &value).respond_plainly(),
        Fault::Redirect(host) => {
            let mut target = format!("{host}{}", request.path);
            if !request.query.is_empty() {
                target = format!("{target}?{}", request.query);
            }
            Answer::new(StatusCode::TEMPORARY_REDIRECT)
                .header(LOCATION.as_str(), &target)
                .respond_plainly()
        }
        Fault::Cut { after } => {
            let first = whole.slice(..after.min(whole.len()));
            answer.respond(broken_off(first), Some(whole.len() as u64))
        }
        Fault::Endless { claimed } => answer.respond(zeros(), claimed),
        Fault::Hold(gate) => {
            gate.passed().await;
            answer.respond_plainly()
        }
        Fault::Stall { after, gate } => {
            let middle = after.min(whole.len());
            let body = stalled(whole.slice(..middle), whole.slice(middle..), gate);
            answer.respond(body, Some(whole.len() as u64))
        }
        Fault::HangUp => return Err(cut()),
    })
}

/// Turns that the server gets to send what it holds.
const FLUSHES: usize = 16;

fn cut() -> io::Error {
    io::Error::other("cut by the test's script")
}

fn no_error(never: Infallible) -> io::Error {
    match never {}
}

/// A body whose connection is cut once its bytes are on their way: the server holds them back for as long as the body has
/// more to say at once.
fn broken_off(first: Bytes) -> Body {
    let end = stream::once(async {
        for _ in 0..FLUSHES {
            tokio::task::yield_now().await;
        }
        Err(cut())
    });
    let frames = stream::iter([Ok(Frame::data(first))]).chain(end);
    StreamBody::new(frames).boxed_unsync()
}

fn zeros() -> Body {
    let piece = Bytes::from(vec![0; 64 * 1024]);
    let frames = stream::repeat_with(move || Ok(Frame::data(piece.clone())));
    StreamBody::new(frames).boxed_unsync()
}

fn stalled(first: Bytes, rest: Bytes, gate: Gate) -> Body {
    let rest = stream::once(async move {
        gate.passed().await;
        Ok(Frame::data(rest))
    });
    let frames = stream::iter([Ok(Frame::data(first))]).chain(rest);
    StreamBody::new(frames).boxed_unsync()
}
