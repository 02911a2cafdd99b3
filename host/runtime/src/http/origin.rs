use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use url::{Host, Url};

use crate::limits;

/// The one place that the requests of a grant go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A server: `http` or `https`, a host and a port, and nothing else.
    Server(Url),
    /// A socket in the file system, which speaks plain HTTP.
    Socket(PathBuf),
}

impl Origin {
    /// Reads `http://HOST[:PORT]`, `https://HOST[:PORT]` or `unix:///PATH`.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix://") {
            if !path.starts_with('/') || path.contains('\0') || path.len() > limits::PATH {
                return Err("the socket's path is not absolute".to_owned());
            }
            return Ok(Self::Socket(PathBuf::from(path)));
        }
        let authority = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"))
            .ok_or("it begins with none of http://, https:// and unix://")?;
        // The parser of URLs forgives much of what it meets there.
        let strange = |character: char| !character.is_ascii_graphic() || "/\\?#@%".contains(character);
        if authority.is_empty() || authority.contains(strange) {
            return Err("it has more than a host and a port".to_owned());
        }
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        Ok(Self::Server(url))
    }

    /// What the target of a request is put behind.
    pub(super) fn base(&self) -> String {
        match self {
            Self::Server(url) => url.as_str().trim_end_matches('/').to_owned(),
            // Servers behind a socket do not care for a name, but HTTP wants one.
            Self::Socket(_) => "http://localhost".to_owned(),
        }
    }

    pub(super) fn is_https(&self) -> bool {
        matches!(self, Self::Server(url) if url.scheme() == "https")
    }

    /// Whether it is on this machine: Go programs never send loopback traffic to a proxy, and users rely on it.
    pub(super) fn is_loopback(&self) -> bool {
        let Self::Server(url) = self else { return true };
        match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
            None => false,
        }
    }

    /// Whether it stands in a text that the user typed: whole, between separators of references or at an end.
    pub(super) fn stands_in(&self, text: &str) -> bool {
        text.char_indices().any(|(start, _)| {
            let begins = start == 0 || text[..start].ends_with([':', ',', '@', '+', '[']);
            let ends = |end: usize| match text[end..].chars().next() {
                None | Some(',' | ']') => true,
                // What follows the authority of a URL; a socket's path goes on there.
                Some('/') => matches!(self, Self::Server(_)),
                _ => false,
            };
            begins
                && (start + 1..=text.len())
                    .filter(|end| text.is_char_boundary(*end))
                    .any(|end| ends(end) && Self::parse(&text[start..end]).as_ref() == Ok(self))
        })
    }

    /// Whether it is that of a daemon's address, in which `tcp` stands for either scheme.
    pub(super) fn is_of_daemon(&self, address: &str) -> bool {
        if let Some(rest) = address.strip_prefix("tcp://") {
            let authority = rest.split('/').next().unwrap_or_default();
            return ["http", "https"]
                .iter()
                .any(|scheme| Self::parse(&format!("{scheme}://{authority}")).as_ref() == Ok(self));
        }
        self.stands_in(address)
    }

    pub(super) fn socket(&self) -> Option<&Path> {
        match self {
            Self::Server(_) => None,
            Self::Socket(path) => Some(path),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(url) => formatter.write_str(url.as_str().trim_end_matches('/')),
            Self::Socket(path) => write!(formatter, "unix://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        for (text, expected) in [
            ("http://h", Some("http://h")),
            ("http://H:80", Some("http://h")),
            ("https://h:2376", Some("https://h:2376")),
            ("http://[::1]:5", Some("http://[::1]:5")),
            ("unix:///run/x.sock", Some("unix:///run/x.sock")),
            ("http://h/", None),
            ("http://h/path", None),
            ("http://user@h", None),
            ("http://h?q", None),
            ("http://h#f", None),
            ("http://h\\@other", None),
            ("http://h%2f", None),
            ("http://", None),
            ("http://h:99999", None),
            ("http:h", None),
            ("ftp://h", None),
            ("tcp://h:1", None),
            ("unix://run/x.sock", None),
            ("unix://", None),
            ("", None),
        ] {
            let found = Origin::parse(text).ok().map(|origin| origin.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn only_a_whole_origin_stands_in_a_text() {
        for (origin, text, expected) in [
            ("http://h:5", "http://h:5", true),
            ("http://h:5", "http://h:5/a/b:tag", true),
            ("http://h:5", "mode:http://h:5/a", true),
            ("http://h:80", "mode:http://h/a", true),
            ("http://h", "http://h.other/a", false),
            ("http://h:5", "http://h:50/a", false),
            ("http://h", "http://h@other/a", false),
            ("http://h", "xhttp://h/a", false),
            ("https://h", "http://h/a", false),
            ("http://h", "/a/b", false),
            ("unix:///a/b", "mode:unix:///a/b", true),
            ("unix:///a/b", "unix:///a/b/c", false),
            ("unix:///a", "unix:///a/b", false),
        ] {
            let parsed = Origin::parse(origin);
            assert_eq!(
                parsed.map(|origin| origin.stands_in(text)),
                Ok(expected),
                "{origin} in {text}"
            );
        }
    }

    #[test]
    fn origins_of_daemons() {
        for (origin, address, expected) in [
            ("https://h:2376", "tcp://h:2376", true),
            ("http://h:2376", "tcp://h:2376/prefix", true),
            ("https://h:2375", "tcp://h:2376", false),
            ("https://h", "http://h", false),
            ("unix:///a/b", "unix:///a/b", true),
            ("unix:///a", "unix:///a/b", false),
        ] {
            let parsed = Origin::parse(origin);
            assert_eq!(
                parsed.map(|origin| origin.is_of_daemon(address)),
                Ok(expected),
                "{origin} of {address}"
            );
        }
    }
}
