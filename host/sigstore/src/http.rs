//! Requests to services: one answer each, of a bounded size, within a bounded time.

use std::time::Duration;

use longshore_registry::{causes, ensure_crypto_provider, is_loopback, shown};
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, StatusCode};
use url::Url;

use crate::error::ServiceError;

/// Largest answer, in bytes: real ones have some thousands.
const MAX_ANSWER: usize = 1 << 20;

/// Time to resolve, connect and shake hands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for a request and its whole answer. A log takes a second or two to take an entry in.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Longest text of a service that goes into one of our messages, in characters.
const MAX_QUOTED: usize = 512;

/// A service: where it is, and how it is talked to.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    base: Url,
    client: reqwest::Client,
}

impl Service {
    /// The one at an address; nothing is sent yet.
    pub(crate) fn at(address: &str) -> Result<Self, ServiceError> {
        let failed = |url: String, reason: String| ServiceError::Address { url, reason };
        // Text that cannot be parsed may have a password in it.
        let base = Url::parse(address).map_err(|error| failed("...".to_owned(), error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(failed(shown(&base), "it is no http or https URL".to_owned()));
        }
        ensure_crypto_provider();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .referer(false)
            .redirect(Policy::none());
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| failed(shown(&base), causes(&error)))?;
        Ok(Self { base, client })
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// The URL of something that the service has.
    pub(crate) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        url.set_query(None);
        url.set_fragment(None);
        url
    }

    /// Sends a request and reads the answer, whatever its status.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Reply, ServiceError> {
        let (client, request) = request.build_split();
        let request = request.map_err(|error| ServiceError::Address {
            url: shown(&self.base),
            reason: causes(&error),
        })?;
        let line = format!("{} {}", request.method(), shown(request.url()));
        tracing::debug!("{line}");
        let failed = |reason| ServiceError::Network {
            request: line.clone(),
            reason,
        };
        let answer = client.execute(request).await;
        let mut answer = answer.map_err(|error| failed(reason_of(&error)))?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failed(reason_of(&error)))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(failed(format!("the answer has more than {MAX_ANSWER} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status: answer.status(),
            headers: answer.headers().clone(),
            line,
            body,
        })
    }
}

fn reason_of(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no whole answer within {} seconds", TIMEOUT.as_secs());
    }
    causes(error)
}

/// A whole answer.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    line: String,
}

impl Reply {
    /// This answer as an error of who asked for something else.
    pub(crate) fn refused(&self) -> ServiceError {
        let text = String::from_utf8_lossy(&self.body);
        let text: String = text.trim().chars().take(MAX_QUOTED).collect();
        let said = match text.as_str() {
            "" => String::new(),
            text => format!(": {text:?}"),
        };
        ServiceError::Refused {
            request: self.line.clone(),
            status: self.status.as_u16(),
            said,
        }
    }

    pub(crate) fn malformed(&self, reason: impl Into<String>) -> ServiceError {
        ServiceError::Malformed {
            request: self.line.clone(),
            reason: reason.into(),
        }
    }
}
