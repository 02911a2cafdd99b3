//! One request of an operation: authorization, one renewal of it, patience with 429, warnings.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue, RETRY_AFTER, WARNING};
use reqwest::{Method, Request, StatusCode};
use url::Url;

use crate::auth::Auth;
use crate::challenge::{Challenge, challenges};
use crate::client::{Client, lock};
use crate::error::Problem;
use crate::fault::{Fault, RequestLine, causes, shown};
use crate::http::same_origin;
use crate::limits::{FIRST_WAIT, MAX_QUOTED, MAX_TRIES, MAX_WAIT, MAX_WARNINGS};
use crate::refusal::printable;
use crate::reply::Reply;
use crate::scope::Scopes;

/// A request that can be made again.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    pub(crate) scopes: &'a Scopes,
    /// How many stall times the answer may take.
    pub(crate) stalls: u32,
}

impl<'a> Call<'a> {
    pub(crate) fn new(method: Method, url: Url, scopes: &'a Scopes) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            scopes,
            stalls: 1,
        }
    }

    fn request(&self, authorization: Option<&HeaderValue>) -> Request {
        let mut request = Request::new(self.method.clone(), self.url.clone());
        *request.headers_mut() = self.headers.clone();
        if let Some(value) = authorization {
            request.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        match &self.body {
            Some(body) => *request.body_mut() = Some(body.clone().into()),
            // Without it some servers answer 411.
            None if matches!(self.method, Method::POST | Method::PUT) => {
                let none = HeaderValue::from_static("0");
                request.headers_mut().insert(CONTENT_LENGTH, none);
            }
            None => {}
        }
        request
    }
}

impl Client {
    /// Makes a request to the registry, or to where the registry sent us, with authorization only
    /// for the registry itself. Any status is an answer; a 401 is answered once (AU-06).
    pub(crate) async fn send(&self, call: Call<'_>) -> Result<Reply, Fault> {
        let sent = self.authorization_for(&call.url, call.scopes).await?;
        let request = call.request(sent.as_ref());
        let reply = self.send_within(request, call.stalls).await?;
        if reply.status() != StatusCode::UNAUTHORIZED {
            return Ok(reply);
        }
        match self.renewed(&reply, call.scopes, sent).await? {
            Some(value) => {
                let request = call.request(Some(&value));
                self.send_within(request, call.stalls).await
            }
            None => Ok(reply),
        }
    }

    /// The Authorization header for a request to `url`: none for another host than the registry's.
    pub(crate) async fn authorization_for(&self, url: &Url, scopes: &Scopes) -> Result<Option<HeaderValue>, Fault> {
        let endpoint = self.endpoint().await?;
        if !same_origin(url, &endpoint.base) {
            return Ok(None);
        }
        self.authorization(&endpoint.challenges, scopes, None).await
    }

    /// Another Authorization header after a 401, if the answer asks for something that we did not
    /// send yet.
    async fn renewed(
        &self,
        reply: &Reply,
        scopes: &Scopes,
        sent: Option<HeaderValue>,
    ) -> Result<Option<HeaderValue>, Fault> {
        let endpoint = self.endpoint().await?;
        // A host that we were only redirected to gets no say, and no credentials.
        let elsewhere = !same_origin(reply.url(), &endpoint.base);
        if elsewhere || matches!(self.inner.auth, Auth::RegistryToken(_)) {
            return Ok(None);
        }
        let asked = challenges(reply.headers());
        let Some(sent) = sent else {
            return self.authorization(&asked, scopes, None).await;
        };
        let bearer = asked.iter().find_map(|challenge| match challenge {
            Challenge::Bearer(bearer) => Some(bearer),
            Challenge::Basic => None,
        });
        match bearer {
            Some(bearer) if bearer.error == "insufficient_scope" && !bearer.scope.is_empty() => {
                let scopes = scopes.clone().and_challenge(&bearer.scope);
                self.authorization(&asked, &scopes, Some(&sent)).await
            }
            Some(bearer) if bearer.error == "invalid_token" => self.authorization(&asked, scopes, Some(&sent)).await,
            _ => Ok(None),
        }
    }

    /// Makes a request; waits and repeats while the answer is 429 (RL-01).
    pub(crate) async fn send_patiently(&self, request: Request) -> Result<Reply, Fault> {
        self.send_within(request, 1).await
    }

    async fn send_within(&self, request: Request, stalls: u32) -> Result<Reply, Fault> {
        let mut backoff = FIRST_WAIT;
        for _ in 1..MAX_TRIES {
            // Bodies of such requests are in memory, so this is never none.
            let Some(again) = request.try_clone() else {
                break;
            };
            let reply = self.send_once(again, stalls).await?;
            if reply.status() != StatusCode::TOO_MANY_REQUESTS {
                return Ok(reply);
            }
            let asked = reply.header(RETRY_AFTER);
            let wait = wait(asked, backoff, SystemTime::now());
            backoff *= 2;
            tracing::info!(
                "too many requests to {}: waiting {} s before the next try",
                self.inner.domain,
                wait.as_secs_f64()
            );
            tokio::time::sleep(wait).await;
        }
        self.send_once(request, stalls).await
    }

    async fn send_once(&self, request: Request, stalls: u32) -> Result<Reply, Fault> {
        self.send_once_by(self.http().await?, request, stalls).await
    }

    /// Makes a request by the registry's HTTP client or by the one for other hosts.
    pub(crate) async fn send_once_by(
        &self,
        http: &reqwest::Client,
        request: Request,
        stalls: u32,
    ) -> Result<Reply, Fault> {
        let method = request.method().clone();
        let line = RequestLine::new(&method, request.url(), None);
        let limit = self.inner.stall * stalls;
        let again = matches!(method, Method::GET | Method::HEAD)
            .then(|| request.try_clone())
            .flatten();
        let answer = async {
            match (http.execute(request).await, again) {
                // The other side may close a kept connection just as we use it.
                (Err(error), Some(request)) if error.is_request() && !error.is_connect() => http.execute(request).await,
                (answer, _) => answer,
            }
        };
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(response)) => Ok(self.answered(method, response)),
            Ok(Err(error)) => Err(Fault::new(Problem::Network(causes(&error)), line)),
            Err(_) => Err(Fault::new(Problem::Stalled(limit), line)),
        }
    }

    /// Notes what every answer may carry.
    pub(crate) fn answered(&self, method: Method, response: reqwest::Response) -> Reply {
        let reply = Reply::new(method, response, self.inner.stall);
        tracing::debug!("{}: {}", shown(reply.url()), reply.status());
        for value in reply.headers().get_all(WARNING) {
            if let Some(text) = value.to_str().ok().and_then(warning) {
                let mut known = lock(&self.inner.warnings);
                if known.len() < MAX_WARNINGS && known.insert(text.clone()) {
                    tracing::warn!("warning from registry {}: {text}", self.inner.domain);
                }
            }
        }
        reply
    }
}

/// How long to wait: what Retry-After says, in seconds or as a date, else `backoff`; never longer
/// than a minute.
fn wait(retry_after: Option<&str>, backoff: Duration, now: SystemTime) -> Duration {
    let asked = retry_after.and_then(|text| {
        if let Ok(seconds) = text.trim().parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = httpdate::parse_http_date(text).ok()?;
        Some(date.duration_since(now).unwrap_or_default())
    });
    asked.unwrap_or(backoff).min(MAX_WAIT)
}

/// The text of a `Warning: 299 - "text"` header (RC-06).
fn warning(value: &str) -> Option<String> {
    let quoted = value.strip_prefix("299 - \"")?.strip_suffix('"')?;
    let mut text = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => text.push(characters.next()?),
            _ => text.push(character),
        }
    }
    Some(printable(&text, MAX_QUOTED))
}

#[cfg(test)]
mod tests {
    use super::{wait, warning};
    use std::time::{Duration, SystemTime};

    #[test]
    fn waits() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let cases = [
            (None, 2),
            (Some("0"), 0),
            (Some(" 7 "), 7),
            (Some("3600"), 60),
            (Some("99999999999999999999999"), 2),
            (Some("-1"), 2),
            (Some("soon"), 2),
            (Some("Sun, 06 Nov 1994 08:49:47 GMT"), 10),
            (Some("Sun, 06 Nov 1994 08:49:27 GMT"), 0),
            (Some("Sat, 06 Nov 2094 08:49:27 GMT"), 60),
        ];
        for (header, seconds) in cases {
            let got = wait(header, Duration::from_secs(2), now);
            assert_eq!(got, Duration::from_secs(seconds), "{header:?}");
        }
        assert_eq!(wait(None, Duration::from_secs(64), now).as_secs(), 60);
    }

    #[test]
    fn warnings() {
        let cases = [
            (r#"299 - "plain""#, Some("plain")),
            (r#"299 - "a \"b\" \\""#, Some(r#"a "b" \"#)),
            (r#"299 - "open\""#, None),
            (r#"299 - "a" "date""#, None),
            (r#"199 - "other""#, None),
            ("", None),
        ];
        for (header, expected) in cases {
            assert_eq!(warning(header).as_deref(), expected, "{header}");
        }
    }
}
