use std::error::Error;
use std::fmt;
use std::time::Duration;

use longshore_types::ErrorKind;
use reqwest::{Method, StatusCode};
use thiserror::Error;
use url::Url;

use crate::refusal::Refusal;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// What failed in talking to a registry: the operation, what was wrong, and the request.
///
/// Shown as `OPERATION: PROBLEM (METHOD URL: STATUS)`. URLs are shown without user information and
/// without their query, which may hold upload state or a signature of a blob store.
pub struct RegistryError {
    inner: Box<Inner>,
}

struct Inner {
    operation: String,
    subject: Subject,
    problem: Problem,
    request: Option<RequestLine>,
}

/// What was wrong.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Problem {
    /// An answer that is no success.
    #[error("{0}")]
    Refused(Refusal),
    /// A blob in one request was refused in a way that calls for pieces, and what was sent of it
    /// is lost. Sent again, it goes in pieces.
    #[error("{0}; sent again, the blob would go in pieces")]
    PiecesOnly(Refusal),
    /// No connection, a broken one, or one that does not speak HTTP or TLS as it should.
    #[error("{0}")]
    Network(String),
    /// Nothing moved for this long.
    #[error("no data for {} s", .0.as_secs_f64())]
    Stalled(Duration),
    /// The answer is larger than allowed.
    #[error("the answer is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The answer breaks the protocol.
    #[error("{0}")]
    Malformed(String),
    /// The registry asks for something that credentials must not be used for, or that is not there.
    #[error("{0}")]
    Denied(String),
    /// What was to be uploaded could not be read.
    #[error("{0}")]
    Source(BoxError),
    /// The client cannot be set up as asked.
    #[error("{0}")]
    Setup(String),
}

/// What an operation is about; it decides what a "not found" means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Manifest,
    NewManifest,
    Blob,
    Other,
}

#[derive(Clone)]
pub(crate) struct RequestLine {
    method: Method,
    url: String,
    status: Option<StatusCode>,
}

impl RequestLine {
    pub(crate) fn new(method: &Method, url: &Url, status: Option<StatusCode>) -> Self {
        Self {
            method: method.clone(),
            url: shown(url),
            status,
        }
    }
}

/// A problem of one request, before the operation that made the request has named itself.
pub(crate) struct Fault {
    pub(crate) problem: Problem,
    request: Option<RequestLine>,
    /// Text that was put in front on the way up, such as that of the ping or the token request.
    stage: Option<String>,
}

impl Fault {
    pub(crate) fn new(problem: Problem, request: RequestLine) -> Self {
        Self {
            problem,
            request: Some(request),
            stage: None,
        }
    }

    pub(crate) fn without_request(problem: Problem) -> Self {
        Self {
            problem,
            request: None,
            stage: None,
        }
    }

    pub(crate) fn at_stage(mut self, stage: impl Into<String>) -> Self {
        self.stage = Some(stage.into());
        self
    }

    /// The error of the operation; `subject` classes refusals of the operation's own requests.
    pub(crate) fn during(self, subject: Subject, operation: impl Into<String>) -> RegistryError {
        let mut operation = operation.into();
        let mut subject = subject;
        if let Some(stage) = self.stage {
            operation = format!("{operation}: {stage}");
            subject = Subject::Other;
        }
        RegistryError {
            inner: Box::new(Inner {
                operation,
                subject,
                problem: self.problem,
                request: self.request,
            }),
        }
    }
}

impl RegistryError {
    pub(crate) fn setup(operation: impl Into<String>, text: impl Into<String>) -> Self {
        Fault::without_request(Problem::Setup(text.into())).during(Subject::Other, operation)
    }

    /// The class that steers a copy and the exit status.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &self.inner.problem {
            Problem::Refused(refusal) | Problem::PiecesOnly(refusal) => refusal.kind(self.inner.subject),
            Problem::TooLarge { .. } | Problem::Malformed(_) => ErrorKind::InvalidData,
            Problem::Denied(_) => ErrorKind::AccessDenied,
            Problem::Setup(_) => ErrorKind::Unsupported,
            Problem::Network(_) | Problem::Stalled(_) | Problem::Source(_) => ErrorKind::Other,
        }
    }

    /// What was wrong, apart from where.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.inner.problem
    }

    /// The HTTP status of the answer, if one came.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        let status = self.inner.request.as_ref()?.status?;
        Some(status.as_u16())
    }

    /// The URL of the request, without user information and query.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.inner.request.as_ref().map(|line| line.url.as_str())
    }

    /// Whether the same operation may succeed later (`--retry-times`).
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match &self.inner.problem {
            Problem::Network(_) | Problem::Stalled(_) | Problem::PiecesOnly(_) => true,
            Problem::Refused(refusal) => refusal.is_retryable(),
            _ => false,
        }
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.inner.operation, self.inner.problem)?;
        let Some(line) = &self.inner.request else {
            return Ok(());
        };
        write!(f, " ({} {}", line.method, line.url)?;
        if let Some(status) = line.status {
            write!(f, ": {status}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegistryError({self})")
    }
}

impl Error for RegistryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.inner.problem {
            Problem::Source(error) => error.source(),
            _ => None,
        }
    }
}

/// A URL as it may be shown: no user information, no query, no fragment.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Only URLs without a host refuse this, and they hold no user information.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    if url.query().is_some() {
        url.set_query(None);
        return format!("{url}?...");
    }
    url.into()
}

/// The causes of a transport error, innermost last, without the URL that reqwest puts in front.
pub(crate) fn causes(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = match error.downcast_ref::<reqwest::Error>() {
            Some(_) => String::new(),
            None => error.to_string(),
        };
        // Wrappers that repeat what they wrap say it once.
        if !text.is_empty() && !texts.last().is_some_and(|last| last.contains(&text)) {
            texts.push(text);
        }
        cause = error.source();
    }
    if texts.is_empty() {
        return "the request could not be made".to_owned();
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Fault, Problem, RequestLine, Subject, shown};
    use crate::refusal::Refusal;
    use longshore_types::ErrorKind;
    use reqwest::{Method, StatusCode};
    use url::Url;

    #[test]
    fn urls_are_shown_without_secrets() {
        let cases = [
            ("https://h/v2/a", "https://h/v2/a"),
            ("https://h/v2/a?sig=s3cret", "https://h/v2/a?..."),
            ("https://u:s3cret@h:1/a#f", "https://h:1/a"),
        ];
        for (url, expected) in cases {
            assert_eq!(shown(&Url::parse(url).unwrap()), expected);
        }
    }

    #[test]
    fn operation_problem_and_request_are_named() {
        let url = Url::parse("http://h/v2/a/manifests/t").unwrap();
        let status = StatusCode::NOT_FOUND;
        let refused = || Problem::Refused(Refusal::read(status, b""));
        let line = RequestLine::new(&Method::GET, &url, Some(status));
        let error = Fault::new(refused(), line.clone()).during(Subject::Manifest, "reading t");
        assert_eq!(
            error.to_string(),
            "reading t: StatusCode: 404, \"\" (GET http://h/v2/a/manifests/t: 404 Not Found)"
        );
        assert_eq!(error.kind(), ErrorKind::ImageNotFound);
        assert_eq!(error.status(), Some(404));

        // A ping or a token server that answers 404 does not mean that the image is missing.
        let error = Fault::new(refused(), line)
            .at_stage("pinging container registry h")
            .during(Subject::Manifest, "reading t");
        assert_eq!(error.kind(), ErrorKind::Other);
    }
}
