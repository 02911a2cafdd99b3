use longshore_guest::Error;

/// Where the daemon listens unless the user says otherwise (DD-03).
const DEFAULT: &str = "unix:///var/run/docker.sock";

/// The address of a daemon.
#[derive(Debug, PartialEq)]
pub(crate) struct Address {
    /// As the user has it.
    pub(crate) text: String,
    /// What requests are granted to.
    pub(crate) origin: String,
    /// What stands before every path; empty or beginning with `/`.
    pub(crate) prefix: String,
}

impl Address {
    /// Reads `unix://`, `http://`, `https://` and `tcp://`, which is TLS; nothing is the default.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let text = if text.is_empty() { DEFAULT } else { text };
        let invalid = |what: &str| Error::invalid_reference(format_args!("unable to parse docker host `{text}`{what}"));
        let (scheme, rest) = text.split_once("://").ok_or_else(|| invalid(""))?;
        let (origin, prefix) = match scheme {
            "unix" => (text.to_owned(), ""),
            "tcp" | "https" | "http" => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                let scheme = if scheme == "http" { "http" } else { "https" };
                (format!("{scheme}://{authority}"), path)
            }
            _ => {
                return Err(invalid(
                    ": it begins with none of unix://, tcp://, http:// and https://",
                ));
            }
        };
        Ok(Self {
            text: text.to_owned(),
            origin,
            prefix: prefix.trim_end_matches('/').to_owned(),
        })
    }

    pub(crate) fn has_tls(&self) -> bool {
        self.origin.starts_with("https://")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("", Some(("unix:///var/run/docker.sock", ""))),
            ("unix:///a/b", Some(("unix:///a/b", ""))),
            ("tcp://h:2376", Some(("https://h:2376", ""))),
            ("tcp://h:2376/", Some(("https://h:2376", ""))),
            ("tcp://h:2376/a/b/", Some(("https://h:2376", "/a/b"))),
            ("https://h", Some(("https://h", ""))),
            ("http://h:2375", Some(("http://h:2375", ""))),
            ("npipe:////./pipe/docker_engine", None),
            ("/var/run/docker.sock", None),
            ("h:2375", None),
        ] {
            let found = Address::parse(text).ok();
            let found = found
                .as_ref()
                .map(|found| (found.origin.as_str(), found.prefix.as_str()));
            assert_eq!(found, expected, "{text}");
        }
    }
}
