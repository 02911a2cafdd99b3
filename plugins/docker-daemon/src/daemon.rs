//! Docker's API, as far as images are saved and loaded by it.

use longshore_guest::{Client, Content, Error, Reader, Request, Response, Session, Upload, code};
use longshore_types::json;
use serde::Deserialize;

use crate::address::Address;
use crate::{DAEMON, DAEMON_HOST};

/// Newest version of the API that is asked for (formats 4.3).
const NEWEST: Version = Version { major: 1, minor: 51 };

/// Largest answer that is read to tell what went wrong.
const MAX_ERROR: usize = 64 << 10;

/// Most that one `read` call answers with.
const MAX_READ: u32 = 1 << 20;

/// A daemon, and the version of the API that it is spoken to in.
pub(crate) struct Daemon {
    client: Client,
    prefix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

impl Daemon {
    /// Asks the daemon which version of the API it speaks.
    pub(crate) fn connect(session: &Session) -> Result<Self, Error> {
        let address = Address::parse(&session.setting(DAEMON_HOST).unwrap_or_default())?;
        let client = session.http(DAEMON)?;
        // A daemon that does not say is asked for the newest, and says what it thinks of that.
        let spoken = match ping(&client, &address, "HEAD")? {
            // Before 1.40 there is no HEAD.
            None => ping(&client, &address, "GET")?,
            spoken => spoken,
        };
        let Version { major, minor } = spoken.filter(|spoken| *spoken < NEWEST).unwrap_or(NEWEST);
        Ok(Self {
            client,
            prefix: format!("{}/v{major}.{minor}", address.prefix),
        })
    }

    /// An archive of one image, as a stream.
    pub(crate) fn save(&self, name: &str) -> Result<Reader, Error> {
        let target = format!("{}/images/get?names={}", self.prefix, encoded(name));
        let answer = self.client.send(&request("GET", target), Content::None)?;
        Ok(accepted(answer)?.body)
    }

    /// Begins to load an archive.
    pub(crate) fn load(&self) -> Result<Upload, Error> {
        // Without `quiet` the daemon tells of its progress, and is not taken for dead while it unpacks.
        let mut request = request("POST", format!("{}/images/load?quiet=0", self.prefix));
        request
            .headers
            .push(("content-type".to_owned(), "application/x-tar".to_owned()));
        self.client.upload(&request)
    }
}

/// What a daemon says that it speaks.
fn ping(client: &Client, address: &Address, method: &str) -> Result<Option<Version>, Error> {
    let answer = client.send(&request(method, format!("{}/_ping", address.prefix)), Content::None);
    let answer = answer.map_err(|error| not_there(address, error))?;
    let spoken = header(&answer, "api-version").filter(|_| answer.status == 200);
    Ok(spoken.and_then(Version::parse))
}

fn request(method: &str, target: String) -> Request {
    Request {
        method: method.to_owned(),
        target,
        headers: Vec::new(),
    }
}

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    let found = answer.headers.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

fn not_there(address: &Address, error: Error) -> Error {
    if error.code != code::UNREACHABLE {
        return error;
    }
    let message = format!(
        "Cannot connect to the Docker daemon at {}. Is the docker daemon running? ({})",
        address.text, error.message
    );
    Error { message, ..error }
}

/// An answer that is no refusal.
pub(crate) fn accepted(answer: Response) -> Result<Response, Error> {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    if answer.status == 200 {
        return Ok(answer);
    }
    let mut text = Vec::new();
    while text.len() < MAX_ERROR {
        let piece = answer.body.read(MAX_READ)?;
        if piece.is_empty() {
            break;
        }
        text.extend(piece);
    }
    let message = match json::from_slice(&text) {
        Ok(Refusal { message }) => message,
        Err(_) => String::from_utf8_lossy(&text).trim().to_owned(),
    };
    // An image that is not there is no special failure.
    let code = if answer.status == 404 {
        code::NOT_FOUND
    } else {
        code::OTHER
    };
    Err(Error::new(
        code,
        format_args!("Error response from daemon: {message} (status {})", answer.status),
    ))
}

/// A name as part of a query.
fn encoded(name: &str) -> String {
    let mut result = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            result.push(char::from(byte));
        } else {
            result.push_str(&format!("%{byte:02X}"));
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (text, older) in [
            ("1.41", Some(true)),
            ("1.9", Some(true)),
            ("1.51", Some(false)),
            ("2.0", Some(false)),
            ("1", None),
            ("1.41.2", None),
            ("", None),
            ("a.b", None),
        ] {
            assert_eq!(Version::parse(text).map(|version| version < NEWEST), older, "{text}");
        }
    }

    #[test]
    fn names_in_queries() {
        assert_eq!(encoded("h:5/a_b@sha256:c&d"), "h%3A5%2Fa_b%40sha256%3Ac%26d");
    }
}
