//! Problems on their way up to the operation that names them, and what may be shown of URLs and
//! causes.

use std::error::Error;
use std::io;

use reqwest::{Method, StatusCode};
use rustls::InvalidMessage;
use url::Url;

use crate::error::{Problem, RegistryError, Subject};

#[derive(Clone)]
pub(crate) struct RequestLine {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) status: Option<StatusCode>,
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
pub(crate) struct Fault(Box<Parts>);

struct Parts {
    problem: Problem,
    request: Option<RequestLine>,
    /// Text that was put in front on the way up, such as that of the ping or the token request.
    stage: Option<String>,
}

impl Fault {
    pub(crate) fn new(problem: Problem, request: RequestLine) -> Self {
        Self(Box::new(Parts {
            problem,
            request: Some(request),
            stage: None,
        }))
    }

    pub(crate) fn without_request(problem: Problem) -> Self {
        Self(Box::new(Parts {
            problem,
            request: None,
            stage: None,
        }))
    }

    pub(crate) fn problem(&self) -> &Problem {
        &self.0.problem
    }

    pub(crate) fn request(&self) -> Option<&RequestLine> {
        self.0.request.as_ref()
    }

    /// This problem, and one that came up while we tried to get over it.
    pub(crate) fn and_then(mut self, other: &Self) -> Self {
        if let Problem::Network(text) = &mut self.0.problem {
            let status = other.request().and_then(|line| line.status);
            let status = status.map(|status| format!(" ({status})")).unwrap_or_default();
            *text = format!("{text}; going on from there fails: {}{status}", other.problem());
        }
        self
    }

    /// A refused request as one that calls for pieces.
    pub(crate) fn into_pieces_only(mut self) -> Self {
        if let Problem::Refused(refusal) = self.0.problem {
            self.0.problem = Problem::PiecesOnly(refusal);
        }
        self
    }

    pub(crate) fn at_stage(mut self, stage: impl Into<String>) -> Self {
        self.0.stage = Some(stage.into());
        self
    }

    /// The error of the operation; `subject` classes refusals of the operation's own requests.
    pub(crate) fn during(mut self, subject: Subject, operation: impl Into<String>) -> RegistryError {
        let operation = operation.into();
        match self.0.stage.take() {
            Some(stage) => RegistryError::new(format!("{operation}: {stage}"), Subject::Other, self),
            None => RegistryError::new(operation, subject, self),
        }
    }

    /// The error of a stage that is no part of an operation.
    pub(crate) fn alone(mut self) -> RegistryError {
        let stage = self.0.stage.take().unwrap_or_default();
        RegistryError::new(stage, Subject::Other, self)
    }
}

/// A URL as it may be shown: no user information, no query, no fragment.
pub fn shown(url: &Url) -> String {
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
pub fn causes(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        if is_not_tls(error) {
            // The words of Go programs, which users search for.
            return "http: server gave HTTP response to HTTPS client".to_owned();
        }
        let text = error.to_string();
        let is_wrapper = error.is::<reqwest::Error>() || text.starts_with("client error (");
        // Others that repeat what they wrap say it once.
        if !is_wrapper && !texts.last().is_some_and(|last| last.contains(&text)) {
            texts.push(text);
        }
        cause = error.source();
    }
    if texts.is_empty() {
        return "the request could not be made".to_owned();
    }
    texts.join(": ")
}

/// Whether the answer to a TLS greeting was none.
fn is_not_tls(mut error: &(dyn Error + 'static)) -> bool {
    // An I/O error that wraps another one names the latter's cause as its own, and not the latter.
    while let Some(wrapped) = error.downcast_ref().and_then(io::Error::get_ref) {
        error = wrapped;
    }
    matches!(
        error.downcast_ref(),
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType))
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Fault, RequestLine, shown};
    use crate::error::{Problem, Subject};
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
