//! The first request to a registry: which scheme it speaks and how it wants to be asked (RC-02).

use reqwest::{Method, StatusCode};
use url::Url;

use crate::challenge::{Challenge, challenges};
use crate::client::{Client, Inner};
use crate::error::Problem;
use crate::fault::Fault;
use crate::http;
use crate::tls::Certificates;

/// What the first answer told.
pub(crate) struct Endpoint {
    /// `SCHEME://HOST/`.
    pub(crate) base: Url,
    pub(crate) challenges: Vec<Challenge>,
}

impl Endpoint {
    /// `SCHEME://HOST/v2/` with further path segments, each escaped.
    pub(crate) fn url<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.base.clone();
        // Only URLs that cannot be a base refuse, and http URLs can.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("v2").extend(segments);
        }
        url
    }
}

impl Client {
    /// Where and how the registry is reached; asked once.
    pub(crate) async fn endpoint(&self) -> Result<&Endpoint, Fault> {
        self.inner.endpoint.get_or_try_init(|| self.ping()).await
    }

    async fn ping(&self) -> Result<Endpoint, Fault> {
        let stage = format!("pinging container registry {}", self.inner.domain);
        let secure = match self.ping_at(self.inner.https.clone()).await {
            Err(fault) if !self.inner.tls_verify => fault,
            done => return done.map_err(|fault| fault.at_stage(stage)),
        };
        self.ping_at(self.inner.plain.clone()).await.map_err(|fault| {
            let both = format!("{stage}: https fails ({}), and so does http", secure.problem());
            fault.at_stage(both)
        })
    }

    async fn ping_at(&self, base: Url) -> Result<Endpoint, Fault> {
        let mut endpoint = Endpoint {
            base,
            challenges: Vec::new(),
        };
        let request = reqwest::Request::new(Method::GET, endpoint.url([""]));
        let reply = self.send_patiently(request).await?;
        match reply.status() {
            StatusCode::OK | StatusCode::UNAUTHORIZED => {
                endpoint.challenges = challenges(reply.headers());
                reply.drain().await;
                Ok(endpoint)
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
