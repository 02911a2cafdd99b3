use std::fmt;
use std::path::{Path, PathBuf};

use super::Origin;
use crate::Settings;
use crate::grants::is_named_by_user;
use crate::limits;

/// What a plugin asked for, as it said it.
#[derive(Clone, Debug)]
pub(crate) struct HttpWish {
    pub(crate) label: String,
    pub(crate) origin: String,
    pub(crate) extras: Vec<(String, String)>,
}

/// Files in PEM that the host reads for its connections; the plugin does not see them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFiles {
    /// Roots beside the system's.
    pub ca: Option<PathBuf>,
    /// What is shown to a server that asks.
    pub certificate: Option<PathBuf>,
    /// The key of `certificate`.
    pub key: Option<PathBuf>,
}

impl ClientFiles {
    /// All of them that there are.
    pub fn iter(&self) -> impl Iterator<Item = &Path> {
        [&self.ca, &self.certificate, &self.key]
            .into_iter()
            .filter_map(Option::as_deref)
    }
}

/// HTTP to one origin that a plugin asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpGrant {
    /// What the plugin calls it.
    pub label: String,
    /// Where its requests go.
    pub origin: Origin,
    /// For connections with TLS.
    pub files: ClientFiles,
    /// Only `GET` and `HEAD` may be sent.
    pub read_only: bool,
}

impl HttpGrant {
    /// Understands a wish.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub(crate) fn of(wish: HttpWish, read_only: bool) -> Result<Self, String> {
        let origin = Origin::parse(&wish.origin).map_err(|reason| {
            let text = crate::error::presentable(&wish.origin);
            format!("\"{text}\" is not an origin: {reason}")
        })?;
        let file = |key: &str| {
            let found = wish.extras.iter().find(|(name, _)| name == key);
            found.map(|(_, path)| PathBuf::from(path))
        };
        let files = ClientFiles {
            ca: file("ca"),
            certificate: file("certificate"),
            key: file("key"),
        };
        if files.iter().next().is_some() && !origin.is_https() {
            return Err(format!("{origin} has no use for certificates"));
        }
        if files.certificate.is_some() != files.key.is_some() {
            return Err("a certificate and its key belong together".to_owned());
        }
        let is_path = |path: &Path| !path.as_os_str().is_empty() && path.as_os_str().len() <= limits::PATH;
        if !files.iter().all(is_path) {
            return Err("a file of certificates has no path".to_owned());
        }
        Ok(Self {
            label: wish.label,
            origin,
            files,
            read_only,
        })
    }

    /// What of it the user did not name, if there is something: only built-in plugins get that.
    pub(crate) fn not_named_by_user(&self, reference: &str, settings: &Settings) -> Option<String> {
        let daemon = settings.get(Settings::DAEMON_HOST);
        let origin = &self.origin;
        if !origin.stands_in(reference) && !daemon.is_some_and(|address| origin.is_of_daemon(address)) {
            return Some(origin.to_string());
        }
        let folder = settings.get(Settings::CERT_DIR).map(Path::new);
        let named =
            |path: &&Path| is_named_by_user(path, reference, settings) || folder.is_some() && path.parent() == folder;
        let stranger = self.files.iter().find(|path| !named(path));
        stranger.map(|path| crate::error::presentable(&path.to_string_lossy()))
    }
}

impl fmt::Display for HttpGrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = if self.read_only { "GET and HEAD" } else { "any request" };
        write!(formatter, "HTTP to {} ({access}", self.origin)?;
        for path in self.files.iter() {
            write!(formatter, ", {}", path.display())?;
        }
        formatter.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(origin: &str, extras: &[(&str, &str)]) -> HttpWish {
        let extras = extras
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        HttpWish {
            label: "l".to_owned(),
            origin: origin.to_owned(),
            extras: extras.collect(),
        }
    }

    #[test]
    fn wishes() {
        let pair = [("certificate", "/d/c"), ("key", "/d/k")];
        for (origin, extras, shown) in [
            (
                "https://h:1",
                &pair[..],
                Ok("HTTP to https://h:1 (any request, /d/c, /d/k)"),
            ),
            (
                "https://h:1",
                &[("ca", "/d/a"), ("future", "x")],
                Ok("HTTP to https://h:1 (any request, /d/a)"),
            ),
            ("unix:///s", &[], Ok("HTTP to unix:///s (any request)")),
            (
                "http://h",
                &[("ca", "/d/a")],
                Err("http://h has no use for certificates"),
            ),
            ("unix:///s", &pair, Err("unix:///s has no use for certificates")),
            (
                "https://h",
                &pair[..1],
                Err("a certificate and its key belong together"),
            ),
            ("https://h", &[("ca", "")], Err("a file of certificates has no path")),
            (
                "\u{1b}[2J",
                &[],
                Err("\"\\u{1b}[2J\" is not an origin: it begins with none of http://, https:// and unix://"),
            ),
        ] {
            let found = HttpGrant::of(wish(origin, extras), false).map(|grant| grant.to_string());
            assert_eq!(found, shown.map(str::to_owned).map_err(str::to_owned), "{origin}");
        }
    }

    #[test]
    fn strangers_get_what_the_user_named() {
        let settings = Settings::default()
            .with(Settings::DAEMON_HOST, "tcp://h:2376")
            .with(Settings::CERT_DIR, "/certs");
        for (origin, ca, reference, stranger) in [
            ("https://h:2376", "/certs/ca.pem", "x", None),
            ("https://h:2376", "/certs/sub/ca.pem", "x", Some("/certs/sub/ca.pem")),
            ("https://h:2376", "/etc/ca.pem", "x", Some("/etc/ca.pem")),
            ("https://h:2376", "/etc/ca.pem", "x:/etc/ca.pem", None),
            ("https://o", "/certs/ca.pem", "https://o/x", None),
            ("https://o", "/certs/ca.pem", "x", Some("https://o")),
        ] {
            let grant = HttpGrant::of(wish(origin, &[("ca", ca)]), true);
            let found = grant.map(|grant| grant.not_named_by_user(reference, &settings));
            assert_eq!(found, Ok(stranger.map(str::to_owned)), "{origin} {ca} in {reference}");
        }
    }
}
