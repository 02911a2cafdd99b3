//! Answers to challenges: Basic credentials and bearer tokens (AU-01 to AU-05).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, StatusCode};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded;

use crate::auth::Auth;
use crate::challenge::{Bearer, Challenge};
use crate::client::{Client, lock};
use crate::error::Problem;
use crate::fault::Fault;
use crate::limits::MAX_TOKEN_ANSWER;
use crate::scope::Scopes;

/// Shortest life of a token, and its life when the server names none (AU-02).
const MIN_LIFE: Duration = Duration::from_secs(60);

/// Time before its end at which a token is replaced, so that none expires under way.
const MARGIN: Duration = Duration::from_secs(10);

/// The tokens of one registry and user, by what they allow.
#[derive(Default)]
pub(crate) struct Tokens {
    slots: Mutex<HashMap<String, Slot>>,
}

/// One set of scopes. Who finds it locked waits for the fetch that is going on.
type Slot = Arc<tokio::sync::Mutex<Option<Token>>>;

struct Token {
    header: HeaderValue,
    until: Instant,
}

impl Token {
    fn serves(&self, now: Instant, refused: Option<&HeaderValue>) -> bool {
        now < self.until && refused != Some(&self.header)
    }
}

/// When a token that was asked for at `asked` is to be replaced; `expires_in` is in seconds.
fn end_of_life(asked: Instant, expires_in: Option<u64>) -> Instant {
    let life = Duration::from_secs(expires_in.unwrap_or_default()).max(MIN_LIFE);
    asked.checked_add(life - MARGIN).unwrap_or(asked + MIN_LIFE)
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
}

impl Client {
    /// The Authorization header for `scopes`, as the first challenge that can be met demands it.
    /// A token equal to `refused` is not given again.
    pub(crate) async fn authorization(
        &self,
        challenges: &[Challenge],
        scopes: &Scopes,
        refused: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, Fault> {
        if let Auth::RegistryToken(token) = &self.inner.auth {
            return bearer(token).map(Some);
        }
        for challenge in challenges {
            match (challenge, &self.inner.auth) {
                (Challenge::Basic, Auth::Basic { username, password }) => {
                    return basic(username, password).map(Some);
                }
                (Challenge::Basic, _) => {}
                (Challenge::Bearer(bearer), _) => {
                    return self.token(bearer, scopes, refused).await.map(Some);
                }
            }
        }
        Ok(None)
    }

    async fn token(
        &self,
        bearer: &Bearer,
        scopes: &Scopes,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, Fault> {
        let key = format!("{}\n{}\n{}", bearer.realm, bearer.service, scopes.joined());
        let slot = Arc::clone(lock(&self.inner.tokens.slots).entry(key).or_default());
        let mut slot = slot.lock().await;
        if let Some(token) = &*slot
            && token.serves(Instant::now(), refused)
        {
            return Ok(token.header.clone());
        }
        let token = self.fetch(bearer, scopes).await?;
        Ok(slot.insert(token).header.clone())
    }

    async fn fetch(&self, bearer: &Bearer, scopes: &Scopes) -> Result<Token, Fault> {
        let stage = "requesting bearer token";
        let request = self
            .token_request(bearer, scopes)
            .await
            .map_err(|fault| fault.at_stage(stage))?;
        // The life counts from before the request and by our clock: the server's may be wrong.
        let asked = Instant::now();
        let reply = self.send_patiently(request).await;
        let reply = reply.map_err(|fault| fault.at_stage(stage))?;
        match reply.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => {
                let stage = "unable to retrieve auth token: invalid username/password";
                return Err(reply.refused().await.at_stage(stage));
            }
            _ => return Err(reply.refused().await.at_stage(stage)),
        }
        let line = reply.line();
        let malformed = |text: &str| Fault::new(Problem::Malformed(text.to_owned()), line.clone()).at_stage(stage);
        let body = reply.body(MAX_TOKEN_ANSWER).await;
        let body = body.map_err(|fault| fault.at_stage(stage))?;
        // The parser's own message could quote the token.
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| malformed("the token server's answer is not the JSON object expected"))?;
        let token = [answer.token, answer.access_token]
            .into_iter()
            .flatten()
            .find(|token| !token.is_empty())
            .ok_or_else(|| malformed("the token server's answer holds no token"))?;
        let until = end_of_life(asked, answer.expires_in.and_then(|life| life.as_u64()));
        let header = secret(&format!("Bearer {token}"))
            .map_err(|_| malformed("the token holds characters that no header can have"))?;
        Ok(Token { header, until })
    }

    async fn token_request(&self, bearer: &Bearer, scopes: &Scopes) -> Result<Request, Fault> {
        let mut realm = realm(&bearer.realm)?;
        let with_secret = match &self.inner.auth {
            Auth::Basic { .. } | Auth::IdentityToken(_) => true,
            Auth::Anonymous | Auth::RegistryToken(_) => false,
        };
        let registry = &self.endpoint().await?.base;
        if with_secret && !may_see_secret(registry, &realm) {
            return Err(Fault::without_request(Problem::Denied(format!(
                "credentials for the https registry {} are not sent to the token server {} \
                 over plain http",
                self.inner.domain,
                crate::fault::shown(&realm)
            ))));
        }
        if let Auth::IdentityToken(token) = &self.inner.auth {
            let form = form_urlencoded::Serializer::new(String::new())
                .append_pair("grant_type", "refresh_token")
                .append_pair("service", &bearer.service)
                .append_pair("client_id", "containers/image")
                .append_pair("refresh_token", token)
                .append_pair("scope", &scopes.joined())
                .finish();
            let mut request = Request::new(Method::POST, realm);
            let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers_mut().insert(CONTENT_TYPE, form_type);
            *request.body_mut() = Some(form.into());
            return Ok(request);
        }
        let mut authorization = None;
        {
            let mut query = realm.query_pairs_mut();
            if let Auth::Basic { username, password } = &self.inner.auth {
                query.append_pair("account", username);
                authorization = Some(basic(username, password)?);
            }
            if !bearer.service.is_empty() {
                query.append_pair("service", &bearer.service);
            }
            for scope in scopes.iter() {
                query.append_pair("scope", scope);
            }
        }
        let mut request = Request::new(Method::GET, realm);
        if let Some(value) = authorization {
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }
}

/// The token server's address. It is the registry that names it, and it may be any host.
fn realm(text: &str) -> Result<Url, Fault> {
    let malformed = |text: &str| Fault::without_request(Problem::Malformed(text.to_owned()));
    if text.is_empty() {
        return Err(malformed("missing realm in bearer auth challenge"));
    }
    let url = Url::parse(text).ok();
    let mut url = url
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
        .ok_or_else(|| malformed("the realm of the bearer challenge is no http or https URL"))?;
    // The HTTP client would turn these into credentials of the registry's choice.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    Ok(url)
}

/// A registry that is reached safely must not have our secret sent where all can read it.
fn may_see_secret(registry: &Url, realm: &Url) -> bool {
    realm.scheme() == "https" || registry.scheme() != "https"
}

pub(crate) fn basic(username: &str, password: &str) -> Result<HeaderValue, Fault> {
    let encoded = BASE64_STANDARD.encode(format!("{username}:{password}"));
    secret(&format!("Basic {encoded}"))
}

pub(crate) fn bearer(token: &str) -> Result<HeaderValue, Fault> {
    secret(&format!("Bearer {token}"))
}

fn secret(text: &str) -> Result<HeaderValue, Fault> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        let text = "the token holds characters that no header can have".to_owned();
        Fault::without_request(Problem::Denied(text))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Token, end_of_life, may_see_secret, realm, secret};
    use std::time::{Duration, Instant};
    use url::Url;

    #[test]
    fn realms() {
        let cases = [
            ("https://a/t?x=1", Some("https://a/t?x=1")),
            ("http://u:p@a/t#f", Some("http://a/t")),
            ("", None),
            ("/token", None),
            ("file:///etc/passwd", None),
            ("javascript:alert(1)", None),
            ("https://", None),
        ];
        for (text, expected) in cases {
            let got = realm(text).ok();
            assert_eq!(got.as_ref().map(Url::as_str), expected, "{text}");
        }
    }

    #[test]
    fn secrets_do_not_step_down_to_plain_http() {
        let cases = [
            ("https://r/", "https://t/", true),
            ("https://r/", "http://t/", false),
            ("https://r/", "http://r/", false),
            ("http://r/", "http://t/", true),
            ("http://r/", "https://t/", true),
        ];
        for (registry, realm, expected) in cases {
            let (registry, realm) = (Url::parse(registry).unwrap(), Url::parse(realm).unwrap());
            assert_eq!(may_see_secret(&registry, &realm), expected, "{registry} {realm}");
        }
    }

    #[test]
    fn header_values_hide_themselves() {
        assert!(!format!("{:?}", secret("Bearer hunter2").ok()).contains("hunter2"));
        assert!(secret("Bearer a\r\nX: b").is_err());
    }

    #[test]
    fn tokens_end_before_they_expire() {
        let asked = Instant::now();
        let cases = [
            (None, 50),
            (Some(0), 50),
            (Some(60), 50),
            (Some(300), 290),
            (Some(u64::MAX), 60),
        ];
        for (expires_in, seconds) in cases {
            let until = end_of_life(asked, expires_in);
            assert_eq!(until, asked + Duration::from_secs(seconds), "{expires_in:?}");
        }
        let header = secret("Bearer t").ok().unwrap();
        let other = secret("Bearer u").ok().unwrap();
        let token = Token {
            header: header.clone(),
            until: asked + Duration::from_secs(50),
        };
        let cases = [
            (0, None, true),
            (49, Some(&other), true),
            (50, None, false),
            (0, Some(&header), false),
        ];
        for (seconds, refused, expected) in cases {
            let now = asked + Duration::from_secs(seconds);
            assert_eq!(token.serves(now, refused), expected, "{seconds} {refused:?}");
        }
    }
}
