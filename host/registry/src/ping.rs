//! The first request to a registry: which scheme it speaks and how it wants to be asked (RC-02).
//!
//! It is a ping of `/v2/`, or, for somebody without credentials, the first thing that is to be read:
//! a registry that wants authorization says so there as well, and one that does not has answered.

use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, Request, StatusCode};
use url::Url;

use crate::auth::Auth;
use crate::challenge::{Challenge, challenges};
use crate::client::{Client, Inner};
use crate::error::Problem;
use crate::fault::Fault;
use crate::http::{self, same_origin};
use crate::reply::Reply;
use crate::tls::Certificates;

/// What the first answer told.
pub(crate) struct Endpoint {
    /// `SCHEME://HOST/`.
    pub(crate) base: Url,
    pub(crate) challenges: Vec<Challenge>,
    /// Whether the registry keeps signatures itself (RC-03).
    pub(crate) keeps_signatures: bool,
}

const SUPPORTS_SIGNATURES: HeaderName = HeaderName::from_static("x-registry-supports-signatures");

impl Endpoint {
    /// Notes what an answer of the registry itself says about it.
    fn learn(&mut self, reply: &Reply) {
        self.challenges = challenges(reply.headers());
        self.keeps_signatures = reply.header(SUPPORTS_SIGNATURES) == Some("1");
    }

    /// `SCHEME://HOST/v2/` with further path segments, each escaped.
    pub(crate) fn url<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.base.clone();
        // Only URLs that cannot be a base refuse, and http URLs can.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("v2").extend(segments);
        }
        url
    }

    /// The URL of the signatures of a manifest in the repository `path` (RD-09).
    pub(crate) fn signatures_url(&self, path: &str, digest: &str) -> Url {
        let mut url = self.base.clone();
        // Only URLs that cannot be a base refuse, and http URLs can.
        if let Ok(mut segments) = url.path_segments_mut() {
            let name = path.split('/').chain(["signatures", digest]);
            segments
                .pop_if_empty()
                .extend(["extensions", "v2"].into_iter().chain(name));
        }
        url
    }
}

/// Something to read that may be the first request to a registry.
pub(crate) struct First<'a> {
    /// Path segments after `/v2/`.
    pub(crate) path: Vec<&'a str>,
    pub(crate) headers: &'a HeaderMap,
}

impl Client {
    /// Where and how the registry is reached; asked once.
    pub(crate) async fn endpoint(&self) -> Result<&Endpoint, Fault> {
        let met = async { self.meet(None).await.map(|(endpoint, _)| endpoint) };
        self.inner.endpoint.get_or_try_init(|| met).await
    }

    /// Reads something as the first request to the registry. Without an answer there is somebody who
    /// asked before, or it takes authorization, and the request is to be made in the usual way.
    pub(crate) async fn first_reply(&self, first: &First<'_>) -> Result<Option<Reply>, Fault> {
        // With credentials the registry is asked for its challenge, so that they go with each request.
        if !matches!(self.inner.auth, Auth::Anonymous) {
            return Ok(None);
        }
        let mut answer = None;
        let met = async {
            let (endpoint, reply) = self.meet(Some(first)).await?;
            answer = reply;
            Ok(endpoint)
        };
        self.inner.endpoint.get_or_try_init(|| met).await?;
        Ok(answer)
    }

    async fn meet(&self, first: Option<&First<'_>>) -> Result<(Endpoint, Option<Reply>), Fault> {
        let stage = format!("pinging container registry {}", self.inner.domain);
        let secure = match self.meet_at(self.inner.https.clone(), first).await {
            Err(fault) if !self.inner.tls_verify => fault,
            done => return done.map_err(|fault| fault.at_stage(stage)),
        };
        self.meet_at(self.inner.plain.clone(), first).await.map_err(|fault| {
            let both = format!("{stage}: https fails ({}), and so does http", secure.problem());
            fault.at_stage(both)
        })
    }

    async fn meet_at(&self, base: Url, first: Option<&First<'_>>) -> Result<(Endpoint, Option<Reply>), Fault> {
        let mut endpoint = Endpoint {
            base,
            challenges: Vec::new(),
            keeps_signatures: false,
        };
        let mut early = None;
        if let Some(first) = first {
            let mut request = Request::new(Method::GET, endpoint.url(first.path.iter().copied()));
            *request.headers_mut() = first.headers.clone();
            let reply = self.send_patiently(request).await?;
            // A host that we were only redirected to gets no say.
            let is_own = same_origin(reply.url(), &endpoint.base);
            if is_own {
                endpoint.learn(&reply);
            }
            match reply.status() {
                StatusCode::OK => {
                    endpoint.challenges.clear();
                    return Ok((endpoint, Some(reply)));
                }
                StatusCode::UNAUTHORIZED if is_own && !endpoint.challenges.is_empty() => {
                    reply.drain().await;
                    return Ok((endpoint, None));
                }
                // What is no registry may say so, too: the ping tells.
                _ => early = Some(reply),
            }
        }
        let reply = self
            .send_patiently(Request::new(Method::GET, endpoint.url([""])))
            .await?;
        match reply.status() {
            StatusCode::OK | StatusCode::UNAUTHORIZED => {
                endpoint.learn(&reply);
                reply.drain().await;
                let early = early.filter(|_| endpoint.challenges.is_empty());
                Ok((endpoint, early))
            }
            _ => Err(reply.refused().await),
        }
    }

    /// The HTTP client; made when first needed, since that reads the system's certificates.
    pub(crate) async fn http(&self) -> Result<&reqwest::Client, Fault> {
        let made = || self.make_http(self.inner.certificates.clone());
        self.inner.http.get_or_try_init(made).await
    }

    /// The HTTP client for other hosts than the registry's.
    pub(crate) async fn outside_http(&self) -> Result<&reqwest::Client, Fault> {
        let made = || self.make_http(Certificates::default());
        self.inner.outside_http.get_or_try_init(made).await
    }

    async fn make_http(&self, certificates: Certificates) -> Result<reqwest::Client, Fault> {
        let client = self.clone();
        let make = move || {
            let Inner {
                https,
                tls_verify,
                user_agent,
                ..
            } = &*client.inner;
            http::client(https, *tls_verify, user_agent, &certificates)
        };
        let made = tokio::task::spawn_blocking(make).await;
        made.unwrap_or_else(|error| Err(error.to_string()))
            .map_err(|text| Fault::without_request(Problem::Setup(text)).at_stage("setting up the HTTP client"))
    }
}
