//! How one side reaches its images: flags to settings.

use std::ffi::OsString;
use std::path::PathBuf;

use longshore_config::Credentials;
use longshore_copy::{Access, CredentialChoice, Secret};

use crate::args::{AccessArgs, UsageError};

/// What a side does not say itself and takes from elsewhere.
#[derive(Clone, Default)]
pub(crate) struct Fallback {
    /// `--authfile` of both sides (F-01).
    pub(crate) authfile: Option<OsString>,
    /// The deprecated `--tls-verify` of both sides (F-14, G-14).
    pub(crate) tls_verify: Option<bool>,
    /// The `User-Agent` that `--user-agent-prefix` makes (G-12).
    pub(crate) user_agent: Option<String>,
}

impl<S> AccessArgs<S> {
    /// Checks the flags against each other and settles this side's access.
    pub(crate) fn resolve(self, fallback: &Fallback) -> Result<Access, UsageError> {
        let authfile = self.authfile.clone().or_else(|| fallback.authfile.clone());
        let tls_verify = self.tls_verify.or(fallback.tls_verify);
        let cert_dir = self.cert_dir.clone().and_then(path);
        let shared_blob_dir = self.shared_blob_dir.clone().and_then(path);
        let daemon_host = self.daemon_host.clone().filter(|address| !address.is_empty());
        Ok(Access {
            additional_tags: Vec::new(),
            credentials: self.credentials()?,
            authfile: authfile.and_then(path),
            cert_dir,
            tls_verify,
            shared_blob_dir,
            daemon_host,
            user_agent: fallback.user_agent.clone(),
        })
    }

    fn credentials(self) -> Result<CredentialChoice, UsageError> {
        let refuse = |message| Err(UsageError::new(message));
        if self.creds.is_some() && self.no_creds {
            return refuse("creds and no-creds cannot be specified at the same time");
        }
        if self.username.is_some() && self.no_creds {
            return refuse("username and no-creds cannot be specified at the same time");
        }
        if self.creds.is_some() && self.username.is_some() {
            return refuse("creds and username cannot be specified at the same time");
        }
        let given = match (self.creds, self.username, self.password) {
            (None, Some(_), None) => return refuse("password must be specified when username is specified"),
            (_, None, Some(_)) => return refuse("username must be specified when password is specified"),
            (Some(creds), ..) => Some(split_creds(&creds)?),
            (None, Some(username), Some(password)) => Some(Credentials::Basic { username, password }),
            (None, None, None) => None,
        };
        // skopeo sends the token whatever else is given.
        if let Some(token) = self.registry_token.filter(|token| !token.is_empty()) {
            return Ok(CredentialChoice::RegistryToken(Secret::new(token)));
        }
        Ok(match given {
            Some(credentials) => CredentialChoice::Given(credentials),
            None if self.no_creds => CredentialChoice::Anonymous,
            None => CredentialChoice::Stored,
        })
    }
}

/// Splits `USER[:PASSWORD]` (F-03).
fn split_creds(creds: &str) -> Result<Credentials, UsageError> {
    if creds.is_empty() {
        return Err(UsageError::new("credentials can't be empty"));
    }
    let (username, password) = creds.split_once(':').unwrap_or((creds, ""));
    if username.is_empty() {
        return Err(UsageError::new("username can't be empty"));
    }
    Ok(Credentials::Basic {
        username: username.to_owned(),
        password: password.to_owned(),
    })
}

/// A path option; the empty one says nothing, as in skopeo.
pub(super) fn path(text: OsString) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use std::path::Path;

    use super::*;
    use crate::args::testing::{self, SideFlags};

    /// What a choice is, without `Debug`, which must not show secrets.
    fn shown(choice: &CredentialChoice) -> String {
        match choice {
            CredentialChoice::Stored => "stored".to_owned(),
            CredentialChoice::Anonymous => "anonymous".to_owned(),
            CredentialChoice::RegistryToken(token) => format!("token {}", token.expose()),
            CredentialChoice::Given(Credentials::Basic { username, password }) => {
                format!("{username}|{password}")
            }
            CredentialChoice::Given(_) => "other".to_owned(),
        }
    }

    fn resolve(words: &[&str]) -> Result<Access, String> {
        let flags: SideFlags = testing::parse(words).map_err(|error| error.to_string())?;
        flags
            .access
            .resolve(&Fallback::default())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn credentials() {
        for (words, expected) in [
            (&[][..], Ok("stored")),
            (&["--no-creds"], Ok("anonymous")),
            (&["--no-creds=false"], Ok("stored")),
            (&["--creds=u:p"], Ok("u|p")),
            (&["--creds", "u:p:q"], Ok("u|p:q")),
            (&["--creds=u"], Ok("u|")),
            (&["--creds=u:"], Ok("u|")),
            (&["--creds", "-u:-p"], Ok("-u|-p")),
            (&["--creds=a:b", "--creds=u:p"], Ok("u|p")),
            (&["--username=u", "--password=p"], Ok("u|p")),
            (&["--username=u", "--password="], Ok("u|")),
            (&["--registry-token=t"], Ok("token t")),
            (&["--registry-token=t", "--creds=u:p"], Ok("token t")),
            (&["--registry-token="], Ok("stored")),
            (&["--creds="], Err("credentials can't be empty")),
            (&["--creds=:p"], Err("username can't be empty")),
            (
                &["--creds=u", "--no-creds"],
                Err("creds and no-creds cannot be specified at the same time"),
            ),
            (
                &["--username=u", "--password=p", "--no-creds"],
                Err("username and no-creds cannot be specified at the same time"),
            ),
            (
                &["--username=u", "--password=p", "--creds=c"],
                Err("creds and username cannot be specified at the same time"),
            ),
            (
                &["--username=u"],
                Err("password must be specified when username is specified"),
            ),
            (
                &["--password=p"],
                Err("username must be specified when password is specified"),
            ),
            (
                &["--creds=c", "--password=p"],
                Err("username must be specified when password is specified"),
            ),
        ] {
            let found = resolve(words).map(|access| shown(&access.credentials));
            assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{words:?}");
        }
    }

    #[test]
    fn tls_verify_has_three_states() {
        let unset = Fallback::default();
        let off = Fallback {
            tls_verify: Some(false),
            ..Fallback::default()
        };
        for (words, fallback, expected) in [
            (&[][..], &unset, None),
            (&["--tls-verify"], &unset, Some(true)),
            (&["--tls-verify=true"], &unset, Some(true)),
            (&["--tls-verify=false"], &unset, Some(false)),
            (&["--tls-verify=0"], &unset, Some(false)),
            (&["--tls-verify=F", "--tls-verify=T"], &unset, Some(true)),
            (&[], &off, Some(false)),
            (&["--tls-verify"], &off, Some(true)),
        ] {
            let flags: SideFlags = testing::parse(words).expect("flags parse");
            let access = flags.access.resolve(fallback).expect("flags agree");
            assert_eq!(access.tls_verify, expected, "{words:?}");
        }
    }

    #[test]
    fn the_side_decides_about_its_authfile() {
        let shared = Fallback {
            authfile: Some("/shared".into()),
            ..Fallback::default()
        };
        for (words, expected) in [
            (&[][..], Some("/shared")),
            (&["--authfile=/own"], Some("/own")),
            (&["--authfile="], None),
        ] {
            let flags: SideFlags = testing::parse(words).expect("flags parse");
            let access = flags.access.resolve(&shared).expect("flags agree");
            assert_eq!(access.authfile.as_deref(), expected.map(Path::new), "{words:?}");
        }
    }
}
