//! A Rekor log (SS-15; formats, section 11.6).

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};

use crate::entry::{LogPromise, Logged};
use crate::error::ServiceError;
use crate::http::Service;

const ENTRIES: &str = "api/v1/log/entries";
const JSON: &str = "application/json";

/// Longest name of an entry, in hexadecimal digits: a tree's number and a hash have 80.
const MAX_ENTRY_NAME: usize = 128;

/// A log that keeps signatures in public.
#[derive(Clone, Debug)]
pub struct Rekor {
    service: Service,
}

impl Rekor {
    /// The one at a URL; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// It is no http or https URL.
    pub fn at(url: &str) -> Result<Self, ServiceError> {
        Service::at(url).map(|service| Self { service })
    }

    /// Has the log keep a signature, if it does not yet. What it promises is for the very signature; whether the log is
    /// the one whose promises count is not known here.
    ///
    /// # Errors
    ///
    /// The log cannot be reached, does not want to, or answers with something else.
    pub async fn keep(&self, logged: Logged<'_>) -> Result<LogPromise, ServiceError> {
        let url = self.service.url(ENTRIES);
        let request = self.service.client().post(url);
        let request = request.header(CONTENT_TYPE, JSON).header(ACCEPT, JSON);
        let reply = self.service.send(request.body(logged.proposal())).await?;
        let reply = match reply.status {
            StatusCode::CREATED => reply,
            StatusCode::CONFLICT => {
                // Only the name counts: where else it leads is not for the log to say.
                let location = reply.headers.get(LOCATION).and_then(|value| value.to_str().ok());
                let name = location.and_then(|location| location.rsplit('/').next());
                let is_name = |name: &&str| {
                    (1..=MAX_ENTRY_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
                };
                let name = name.filter(is_name).ok_or_else(|| reply.refused())?;
                let url = self.service.url(&format!("{ENTRIES}/{name}"));
                let reply = self.service.send(self.service.client().get(url).header(ACCEPT, JSON));
                let reply = reply.await?;
                if reply.status != StatusCode::OK {
                    return Err(reply.refused());
                }
                reply
            }
            _ => return Err(reply.refused()),
        };
        LogPromise::parse(&reply.body, logged).map_err(|reason| reply.malformed(reason))
    }
}
