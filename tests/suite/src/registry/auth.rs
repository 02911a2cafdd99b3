//! The 401 dance: Basic, and Bearer with a token service on the same address.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use serde_json::json;

use super::serve::{Answer, error};
use super::state::{Request, State};

/// Who is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Everybody, without asking.
    Open,
    /// One user, by Basic authentication.
    Basic {
        /// The user's name.
        user: String,
        /// The user's password.
        password: String,
    },
    /// Whoever shows a token for the right scope.
    Bearer {
        /// The only user and password that get one; without, everybody gets one.
        user: Option<(String, String)>,
    },
}

/// A token that was given out: the scopes it is for.
#[derive(Debug)]
pub(super) struct Token {
    scopes: Vec<String>,
}

impl Token {
    fn allows(&self, repository: &str, action: &str) -> bool {
        self.scopes.iter().any(|scope| {
            let mut parts = scope.rsplitn(2, ':');
            let actions = parts.next().unwrap_or_default();
            let target = parts.next().unwrap_or_default();
            target == format!("repository:{repository}")
                && actions.split(',').any(|allowed| allowed == action || allowed == "*")
        })
    }
}

impl State {
    /// The refusal of a request whose credentials do not do; none if they do.
    pub(super) fn refusal(&self, request: &Request, host: &str) -> Option<Answer> {
        let shown = request.header("authorization").unwrap_or_default();
        let challenge = match &self.auth {
            Auth::Open => return None,
            Auth::Basic { user, password } => {
                if shown == basic(user, password) {
                    return None;
                }
                "Basic realm=\"tests\"".to_owned()
            }
            Auth::Bearer { .. } => {
                let token = shown.strip_prefix("Bearer ").and_then(|token| self.tokens.get(token));
                let needed = needed_scope(request);
                let enough =
                    token.is_some_and(|token| needed.as_ref().is_none_or(|(name, action)| token.allows(name, action)));
                if enough {
                    return None;
                }
                let mut challenge = format!("Bearer realm=\"http://{host}/token\",service=\"tests\"");
                if let Some((name, action)) = needed {
                    challenge.push_str(&format!(",scope=\"repository:{name}:{action}\""));
                }
                if token.is_some() {
                    challenge.push_str(",error=\"insufficient_scope\"");
                }
                challenge
            }
        };
        let refusal = error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required");
        Some(refusal.header("www-authenticate", &challenge))
    }

    /// Whether the request's credentials allow reading another repository.
    pub(super) fn may_read(&self, request: &Request, repository: &str) -> bool {
        let shown = request.header("authorization").unwrap_or_default();
        match &self.auth {
            Auth::Open | Auth::Basic { .. } => true,
            Auth::Bearer { .. } => shown
                .strip_prefix("Bearer ")
                .and_then(|token| self.tokens.get(token))
                .is_some_and(|token| token.allows(repository, "pull")),
        }
    }

    /// The answer of the token service.
    pub(super) fn token(&mut self, request: &Request) -> Answer {
        let Auth::Bearer { user } = &self.auth else {
            return error(StatusCode::NOT_FOUND, "UNSUPPORTED", "no token service here");
        };
        let shown = request.header("authorization");
        let known = user.as_ref().map(|(user, password)| basic(user, password));
        if known.is_some() && shown != known.as_deref() {
            return error(
                StatusCode::UNAUTHORIZED,
                "UNAUTHORIZED",
                "incorrect username or password",
            );
        }
        self.tokens_made += 1;
        let name = format!("token-{}", self.tokens_made);
        self.tokens.insert(
            name.clone(),
            Token {
                scopes: request.parameters("scope"),
            },
        );
        Answer::json(StatusCode::OK, &json!({ "token": name, "expires_in": 300 }))
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// The repository and the action that a request needs a token for; none for the version check.
fn needed_scope(request: &Request) -> Option<(String, &'static str)> {
    let below = request.path.strip_prefix("/v2/")?;
    let cut = ["/manifests/", "/blobs/", "/tags/"]
        .iter()
        .filter_map(|part| below.find(part))
        .min()?;
    let action = match request.method.as_str() {
        "GET" | "HEAD" => "pull",
        "DELETE" if !below.contains("/uploads/") => "delete",
        _ => "push",
    };
    Some((below[..cut].to_owned(), action))
}
