//! A registry on a loopback port that does what a closure says and remembers what it was asked.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::CONTENT_LENGTH;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use longshore_registry::{Auth, Client};
use longshore_types::Digest;
use tokio::net::TcpListener;

/// A request as it arrived.
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    /// `METHOD PATH?QUERY`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn authorization(&self) -> Option<&str> {
        self.header("authorization")
    }
}

/// What the registry does.
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Body,
}

enum Body {
    Whole(Bytes),
    /// These bytes, and then the connection breaks.
    Cut(Bytes),
    /// These bytes, and then nothing more.
    Stuck(Bytes),
    Endless,
    /// Not even a status.
    Never,
    /// No status either, but a closed connection.
    HangUp,
}

pub(crate) fn answer(status: u16) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body: Body::Whole(Bytes::new()),
    }
}

pub(crate) fn never() -> Answer {
    let mut answer = answer(200);
    answer.body = Body::Never;
    answer
}

pub(crate) fn hang_up() -> Answer {
    let mut answer = answer(200);
    answer.body = Body::HangUp;
    answer
}

impl Answer {
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Body::Whole(body.into());
        self
    }

    pub(crate) fn cut(mut self, body: &'static str) -> Self {
        self.body = Body::Cut(Bytes::from(body));
        self
    }

    pub(crate) fn stuck(mut self, body: &'static str) -> Self {
        self.body = Body::Stuck(Bytes::from(body));
        self
    }

    pub(crate) fn endless(mut self) -> Self {
        self.body = Body::Endless;
        self
    }

    async fn response(self) -> io::Result<Response<UnsyncBoxBody<Bytes, io::Error>>> {
        let first = |bytes: Bytes| stream::iter([Ok(Frame::data(bytes))]);
        let body = match self.body {
            Body::Whole(bytes) => Full::new(bytes)
                .map_err(|never: Infallible| match never {})
                .boxed_unsync(),
            Body::Cut(bytes) => {
                // Pending once, so that what came before is on its way.
                let end = stream::once(async {
                    tokio::task::yield_now().await;
                    Err(io::Error::other("cut"))
                });
                StreamBody::new(first(bytes).chain(end)).boxed_unsync()
            }
            Body::Stuck(bytes) => StreamBody::new(first(bytes).chain(stream::pending())).boxed_unsync(),
            Body::Endless => {
                let chunk = Bytes::from(vec![b' '; 1 << 16]);
                let chunks = stream::repeat_with(move || Ok(Frame::data(chunk.clone())));
                StreamBody::new(chunks).boxed_unsync()
            }
            Body::Never => pending().await,
            Body::HangUp => return Err(io::Error::other("hung up")),
        };
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        Ok(response.body(body).unwrap())
    }
}

type Handler = dyn Fn(&Seen) -> Answer + Send + Sync;

/// A running scripted registry; ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Script {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Arc<Seen>>>>,
}

impl Script {
    pub(crate) async fn start(handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_limited(u64::MAX, handler).await
    }

    /// Answers 413 to every request that announces more than `limit` bytes, without reading them.
    pub(crate) async fn start_limited(limit: u64, handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let script = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
        };
        let (handler, running): (Arc<Handler>, _) = (Arc::new(handler), script.clone());
        tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                let (handler, script) = (Arc::clone(&handler), running.clone());
                tokio::spawn(async move {
                    let service = service_fn(|request| script.serve(request, limit, &handler));
                    // A TLS greeting, which is not HTTP, ends here, too.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(connection), service)
                        .await;
                });
            }
        });
        script
    }

    async fn serve(
        &self,
        request: Request<Incoming>,
        limit: u64,
        handler: &Arc<Handler>,
    ) -> io::Result<Response<UnsyncBoxBody<Bytes, io::Error>>> {
        let (head, body) = request.into_parts();
        let announced = head.headers.get(CONTENT_LENGTH);
        let announced: u64 = announced.map_or(0, |n| n.to_str().unwrap().parse().unwrap());
        let refused = announced > limit;
        let body = if refused {
            Bytes::new()
        } else {
            body.collect().await.map_err(io::Error::other)?.to_bytes()
        };
        let seen = Arc::new(Seen {
            method: head.method.to_string(),
            target: head.uri.to_string(),
            headers: head.headers,
            body,
        });
        self.seen.lock().unwrap().push(Arc::clone(&seen));
        let answer = if refused { answer(413) } else { handler(&seen) };
        answer.response().await
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Arc<Seen>> {
        self.seen.lock().unwrap().clone()
    }

    /// What was asked after the ping.
    pub(crate) fn lines(&self) -> Vec<String> {
        let seen = self.seen();
        let lines = seen.iter().map(|seen| seen.line());
        lines.filter(|line| line != "GET /v2/").collect()
    }

    pub(crate) fn client(&self) -> Client {
        self.client_as(Auth::Anonymous)
    }

    pub(crate) fn client_as(&self, auth: Auth) -> Client {
        let client = Client::builder(self.host()).tls_verify(false).auth(auth);
        client.build().unwrap()
    }

    /// A client that takes no patience at all.
    pub(crate) fn hasty_client(&self) -> Client {
        let client = Client::builder(self.host()).tls_verify(false);
        let stall = Duration::from_millis(200);
        client.stall_timeout(stall).build().unwrap()
    }
}

pub(crate) const PASSWORD: &str = "hunter2";

pub(crate) fn me() -> Auth {
    Auth::Basic {
        username: "me".into(),
        password: PASSWORD.into(),
    }
}

/// `Basic` with the encoded name and password of [`me`].
pub(crate) const MY_BASIC: &str = "Basic bWU6aHVudGVyMg==";

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest::sha256(bytes)
}

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
