use reqwest::Method;
use reqwest::header::HeaderMap;
use url::Url;

use crate::client::Client;
use crate::fault::Fault;
use crate::ping::First;
use crate::reply::Reply;
use crate::request::Call;
use crate::scope::{Access, Scopes};

/// One repository of a registry. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Repository {
    pub(crate) client: Client,
    pub(crate) path: String,
    access: Access,
}

impl Repository {
    pub(crate) fn new(client: Client, path: &str) -> Self {
        Self {
            client,
            path: path.to_owned(),
            access: Access::default(),
        }
    }

    /// Asks for tokens with at least this access from the start: who reads and will write needs
    /// one token instead of two. An operation that needs more asks for more.
    #[must_use]
    pub fn with_access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// The full name, `DOMAIN/PATH`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.client.domain(), self.path)
    }

    /// The client that this repository was made by.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The scopes of an operation that needs `access`.
    pub(crate) fn scopes(&self, access: Access) -> Scopes {
        Scopes::repository(&self.path, access.max(self.access))
    }

    /// The URL of something in the repository, such as `["blobs", DIGEST]`.
    pub(crate) async fn url<const N: usize>(&self, rest: [&str; N]) -> Result<Url, Fault> {
        let endpoint = self.client.endpoint().await?;
        Ok(endpoint.url(self.path.split('/').chain(rest)))
    }

    /// Reads something in the repository, such as `["tags", "list"]`. Any status is an answer.
    pub(crate) async fn get<const N: usize>(&self, rest: [&str; N], headers: HeaderMap) -> Result<Reply, Fault> {
        let first = First {
            path: self.path.split('/').chain(rest).collect(),
            headers: &headers,
        };
        if let Some(reply) = self.client.first_reply(&first).await? {
            return Ok(reply);
        }
        let scopes = self.scopes(Access::Read);
        let mut call = Call::new(Method::GET, self.url(rest).await?, &scopes);
        call.headers = headers;
        self.client.send(call).await
    }
}
