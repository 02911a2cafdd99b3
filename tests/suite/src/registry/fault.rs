//! Bent answers, and when they are given.

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use tokio::sync::Semaphore;

use super::state::Request;

/// Which requests a fault is for.
#[derive(Clone, Debug)]
pub struct When {
    method: &'static str,
    part: String,
    skip: usize,
    times: usize,
}

impl When {
    /// The first request with this method and this part in its path.
    #[must_use]
    pub fn first(method: &'static str, part: &str) -> Self {
        Self {
            method,
            part: part.to_owned(),
            skip: 0,
            times: 1,
        }
    }

    /// Every request with this method and this part in its path.
    #[must_use]
    pub fn every(method: &'static str, part: &str) -> Self {
        Self::first(method, part).times(usize::MAX)
    }

    /// This many requests instead.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Leaves the first matching requests alone.
    #[must_use]
    pub fn after(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    fn takes(&mut self, request: &Request) -> bool {
        if self.method != request.method || !request.path.contains(&self.part) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if self.times == 0 {
            return false;
        }
        self.times -= 1;
        true
    }
}

/// What happens instead of, or to, the right answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Another answer altogether.
    Answer {
        /// Its status.
        status: u16,
        /// Its headers, without a length.
        headers: Vec<(&'static str, String)>,
        /// Its body.
        body: Bytes,
    },
    /// The right head, then this body with its own length.
    Body(Bytes),
    /// The right head and the first bytes of the body, then the connection is closed.
    Cut {
        /// How many bytes are sent.
        after: usize,
    },
    /// The right answer with one header set to something else.
    Header(&'static str, String),
    /// 307 to the same path and query on this host, as `http://HOST:PORT`.
    Redirect(String),
    /// The right head, then zeros without end or until the claimed length is reached.
    Endless {
        /// The length in the head; none means a body in chunks.
        claimed: Option<u64>,
    },
    /// The right answer, once the gate is open.
    Hold(Gate),
    /// The right head and the first bytes of the body; the rest once the gate is open.
    Stall {
        /// How many bytes are sent before.
        after: usize,
        /// What the rest waits for.
        gate: Gate,
    },
    /// No answer: the connection is closed.
    HangUp,
}

impl Fault {
    /// An answer with a registry's error document.
    #[must_use]
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
        Self::Answer {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: Bytes::from(body.to_string()),
        }
    }

    /// 429 with a `Retry-After` in seconds.
    #[must_use]
    pub fn too_many_requests(seconds: u32) -> Self {
        Self::Answer {
            status: StatusCode::TOO_MANY_REQUESTS.as_u16(),
            headers: vec![("retry-after", seconds.to_string())],
            body: Bytes::new(),
        }
    }
}

/// Holds answers back until a test opens it; dropping every copy opens nothing.
#[derive(Clone, Debug)]
pub struct Gate {
    open: Arc<Semaphore>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self {
            open: Arc::new(Semaphore::new(0)),
        }
    }

    /// Opens it for good.
    pub fn open(&self) {
        self.open.close();
    }

    pub(super) async fn passed(&self) {
        // A closed semaphore is the open gate: waiting on it ends with an error, at once.
        let _ = self.open.acquire().await;
    }
}

/// The faults that are still to happen.
#[derive(Debug, Default)]
pub(super) struct Script {
    rules: Vec<(When, Fault)>,
}

impl Script {
    pub(super) fn push(&mut self, when: When, fault: Fault) {
        self.rules.push((when, fault));
    }

    /// The fault for a request, if there is one.
    pub(super) fn next(&mut self, request: &Request) -> Option<Fault> {
        self.rules
            .iter_mut()
            .find_map(|(when, fault)| when.takes(request).then(|| fault.clone()))
    }
}
