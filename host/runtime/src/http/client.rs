use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use longshore_blob::{ChunkSink as _, ChunkSource};
use reqwest::redirect::Policy;

use super::answer::{Head, Incoming, failed, stalled};
use super::network::{Network, Running};
use super::upload::{Flow, UploadBody, UploadSink, channel};
use super::{Answer, HttpGrant, Request, tls};
use crate::bindings::transport::longshore::transport::http::Request as GuestRequest;
use crate::control::Control;
use crate::files::{GuestError, GuestResult, guest_error};
use crate::host::bytes::CANCEL_POLL;
use crate::limits;

/// HTTP to one origin.
#[derive(Clone)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Client(Arc<Inner>);

struct Inner {
    client: reqwest::Client,
    base: String,
    /// Of the origin, for messages.
    name: String,
    read_only: bool,
    stall: Duration,
    network: Arc<Network>,
}

/// What is sent with a request.
pub(crate) enum Content {
    None,
    Inline(Vec<u8>),
    Streamed(Box<dyn ChunkSource>),
}

/// A request whose body is being written. Dropped, the connection is broken off.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Upload {
    sink: Closing,
    exchange: Exchange,
}

/// Handles that a guest keeps are of no use beyond this.
struct Closing(UploadSink);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A request that is under way.
pub(crate) struct Exchange {
    head: Receiver<GuestResult<Head>>,
    running: Running,
    network: Arc<Network>,
    control: Arc<Control>,
}

impl Client {
    /// Reads the files of the grant; connects to nothing.
    pub(crate) fn new(grant: &HttpGrant, insecure: bool, stall: Duration) -> GuestResult<Self> {
        let name = grant.origin.to_string();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits::HTTP_CONNECT)
            .redirect(Policy::none())
            .referer(false)
            .tcp_nodelay(true)
            .http1_only()
            // Features unify across a build, and another crate may have switched decoding on.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate();
        if grant.origin.is_loopback() {
            builder = builder.no_proxy();
        }
        if let Some(path) = grant.origin.socket() {
            builder = builder.unix_socket(path);
        }
        // Without TLS nothing is verified, and the system's roots need not be read.
        let insecure = insecure || !grant.origin.is_https();
        let builder = tls::configure(builder, &grant.files, insecure)?;
        let client = builder.build().map_err(|error| failed(&name, &error))?;
        let network = Network::start().map_err(|error| guest_error("other", format!("{name}: {error}")))?;
        Ok(Self(Arc::new(Inner {
            client,
            base: grant.origin.base(),
            name,
            read_only: grant.read_only,
            stall,
            network: Arc::new(network),
        })))
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) fn send(&self, request: &GuestRequest, content: Content, control: &Arc<Control>) -> GuestResult<Answer> {
        let request = self.check(request)?;
        match content {
            Content::None => self.start(request, None, control).wait(),
            Content::Inline(bytes) => self.start(request, Some(Outgoing::Whole(bytes)), control).wait(),
            Content::Streamed(source) => {
                let (sink, body, free) = channel(control, &self.0.network);
                let exchange = self.start(request, Some(Outgoing::Streamed(body, free)), control);
                let failure = pump(source, sink).map_err(|error| guest_error("other", error.to_string()))?;
                exchange.wait().map_err(|error| {
                    // The connection broke because there was nothing to send.
                    let cause = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
                    cause.unwrap_or(error)
                })
            }
        }
    }

    /// Begins a request whose body is still to be written.
    pub(crate) fn upload(&self, request: &GuestRequest, control: &Arc<Control>) -> GuestResult<Upload> {
        let request = self.check(request)?;
        let (sink, body, free) = channel(control, &self.0.network);
        let exchange = self.start(request, Some(Outgoing::Streamed(body, free)), control);
        Ok(Upload {
            sink: Closing(sink),
            exchange,
        })
    }

    fn check(&self, request: &GuestRequest) -> GuestResult<Request> {
        Request::check(request, &self.0.base, self.0.read_only)
    }

    fn start(&self, request: Request, outgoing: Option<Outgoing>, control: &Arc<Control>) -> Exchange {
        let (sender, head) = crossbeam_channel::bounded(1);
        let name = format!("{}: {}", self.0.name, request.shown);
        let mut builder = self
            .0
            .client
            .request(request.method, request.url)
            .headers(request.headers);
        let mut streamed = None;
        match outgoing {
            None => {}
            Some(Outgoing::Whole(bytes)) => builder = builder.body(bytes),
            Some(Outgoing::Streamed(body, free)) => {
                streamed = Some((body.flow(), free));
                builder = builder.body(reqwest::Body::wrap_stream(body));
            }
        }
        let running = self
            .0
            .network
            .spawn(exchange(name, builder, streamed, self.0.stall, sender));
        Exchange {
            head,
            running,
            network: Arc::clone(&self.0.network),
            control: Arc::clone(control),
        }
    }
}

impl Upload {
    pub(crate) fn sink(&self) -> UploadSink {
        self.sink.0.clone()
    }

    /// Ends the body and waits for the head of the answer.
    pub(crate) fn finish(self) -> GuestResult<Answer> {
        self.sink.0.end();
        self.exchange.wait()
    }
}

/// The body of a request.
enum Outgoing {
    Whole(Vec<u8>),
    Streamed(UploadBody, Sender<()>),
}

impl Exchange {
    fn wait(self) -> GuestResult<Answer> {
        loop {
            match self.head.recv_timeout(CANCEL_POLL) {
                Ok(head) => return Ok(head?.into_answer(self.running, self.network, &self.control)),
                Err(RecvTimeoutError::Disconnected) => return Err(guest_error("other", "the connection is gone")),
                Err(RecvTimeoutError::Timeout) if self.control.is_cancelled() => {
                    return Err(guest_error("interrupted", "interrupted while waiting for an answer"));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// One request and its answer, on the network's thread.
async fn exchange(
    name: String,
    request: reqwest::RequestBuilder,
    streamed: Option<(Arc<Flow>, Sender<()>)>,
    stall: Duration,
    head: Sender<GuestResult<Head>>,
) {
    let flow = streamed.as_ref().map(|(flow, _)| flow.as_ref());
    let answered = answered(&name, request, flow, stall).await;
    let answered = answered.and_then(|response| Incoming::new(response).map_err(|error| named(&name, error)));
    let (mut incoming, answer) = match answered {
        Ok(answered) => answered,
        Err(error) => {
            if let Some(flow) = flow {
                flow.refuse(error.message.clone());
            }
            return drop(head.send(Err(error)));
        }
    };
    if let Some(flow) = flow.filter(|flow| !flow.is_sent()) {
        let status = incoming.status();
        let text = incoming.peek(stall.min(limits::HTTP_PEEK)).await;
        flow.refuse(format!("{name}: answered {status} before it had everything: {text}"));
    }
    // A writer may learn now that there is nothing to wait for.
    drop(streamed);
    // Who does not listen any more aborts this task.
    let _ = head.send(Ok(answer));
    incoming.fetch(&name, stall).await;
}

/// Sends a request and waits for the head of its answer.
async fn answered(
    name: &str,
    request: reqwest::RequestBuilder,
    flow: Option<&Flow>,
    stall: Duration,
) -> GuestResult<reqwest::Response> {
    let mut sending = std::pin::pin!(request.send());
    let moved = || flow.map_or(0, Flow::moved);
    let mut seen = moved();
    loop {
        if let Ok(answered) = tokio::time::timeout(stall, &mut sending).await {
            return answered.map_err(|error| failed(name, &error));
        }
        if moved() == seen && !flow.is_some_and(Flow::is_starved) {
            return Err(stalled(name, stall));
        }
        seen = moved();
    }
}

fn named(name: &str, error: GuestError) -> GuestError {
    GuestError {
        message: format!("{name}: {}", error.message),
        ..error
    }
}

/// Writes a stream into the body of a request, on a thread of its own: reading it may wait. What keeps it from being
/// read to its end is left in the answer.
fn pump(mut source: Box<dyn ChunkSource>, mut sink: UploadSink) -> io::Result<Arc<Mutex<Option<GuestError>>>> {
    let failure = Arc::new(Mutex::new(None));
    let own_failure = Arc::clone(&failure);
    std::thread::Builder::new()
        .name("plugin upload".to_owned())
        .spawn(move || {
            loop {
                match source.next_chunk() {
                    Ok(Some(chunk)) => {
                        // The answer says why.
                        if sink.write_chunk(chunk).is_err() {
                            return;
                        }
                    }
                    Ok(None) => return sink.end(),
                    Err(error) => {
                        let error = guest_error(crate::error::io_kind(&error).as_code(), error.to_string());
                        *own_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        return;
                    }
                }
            }
        })?;
    Ok(failure)
}
