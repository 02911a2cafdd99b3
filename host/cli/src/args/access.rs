//! The flags that say how one side reaches its images (F-01 to F-11).
//!
//! `copy` has them twice, with prefixes, other commands once, without; so the
//! set is declared by hand and generic in its side.

use std::ffi::OsString;
use std::marker::PhantomData;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::conventions::optional_bool;

/// Which flags a side has and how they are called.
pub(crate) trait Side {
    /// Put before every flag's name.
    const PREFIX: &'static str;
    /// A hidden second name of the creds flag (F-04).
    const CREDS_ALIAS: Option<&'static str> = None;
    /// Whether a shared blob directory can be given (F-10).
    const SHARED_BLOB_DIR: bool = true;
    /// Whether the address of a Docker daemon can be given (F-11).
    const DAEMON_HOST: bool = true;
}

/// The only image of `inspect` and `delete`.
pub(crate) struct Image;
/// The repository of `list-tags`.
pub(crate) struct Repository;
/// What `copy` reads.
pub(crate) struct Source;
/// What `copy` writes.
pub(crate) struct Destination;

impl Side for Image {
    const PREFIX: &'static str = "";
}

impl Side for Repository {
    const PREFIX: &'static str = "";
    const SHARED_BLOB_DIR: bool = false;
    const DAEMON_HOST: bool = false;
}

impl Side for Source {
    const PREFIX: &'static str = "src-";
    const CREDS_ALIAS: Option<&'static str> = Some("screds");
}

impl Side for Destination {
    const PREFIX: &'static str = "dest-";
    const CREDS_ALIAS: Option<&'static str> = Some("dcreds");
}

/// The access flags of one side as typed; holds secrets and therefore has no
/// `Debug`.
pub(crate) struct AccessArgs<S> {
    pub(crate) authfile: Option<OsString>,
    pub(crate) creds: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) registry_token: Option<String>,
    pub(crate) no_creds: bool,
    pub(crate) cert_dir: Option<OsString>,
    pub(crate) tls_verify: Option<bool>,
    pub(crate) shared_blob_dir: Option<OsString>,
    pub(crate) daemon_host: Option<String>,
    side: PhantomData<S>,
}

/// The full name of this side's flag `name`, which is also its clap id.
fn flag<S: Side>(name: &str) -> String {
    format!("{}{name}", S::PREFIX)
}

/// The flag `name` of this side, taking one value.
fn option<S: Side>(name: &str, value: &'static str, help: &'static str) -> Arg {
    let name = flag::<S>(name);
    Arg::new(name.clone()).long(name).value_name(value).help(help)
}

/// The flag `name` of this side, taking none.
fn switch<S: Side>(name: &str, help: &'static str) -> Arg {
    let name = flag::<S>(name);
    Arg::new(name.clone()).long(name).help(help)
}

impl<S: Side> Args for AccessArgs<S> {
    fn augment_args(command: Command) -> Command {
        let mut creds = option::<S>(
            "creds",
            "USERNAME[:PASSWORD]",
            "Use USERNAME[:PASSWORD] for accessing the registry",
        );
        if let Some(alias) = S::CREDS_ALIAS {
            creds = creds.alias(alias);
        }
        let mut command = command
            .arg(
                option::<S>("authfile", "PATH", "Path of the registry credentials file")
                    .value_parser(clap::value_parser!(OsString)),
            )
            .arg(creds)
            .arg(option::<S>("username", "NAME", "Username for accessing the registry"))
            .arg(option::<S>(
                "password",
                "PASSWORD",
                "Password for accessing the registry",
            ))
            .arg(option::<S>(
                "registry-token",
                "TOKEN",
                "Provide a Bearer token for accessing the registry",
            ))
            .arg(switch::<S>("no-creds", "Access the registry anonymously").action(clap::ArgAction::SetTrue))
            .arg(
                option::<S>(
                    "cert-dir",
                    "PATH",
                    "Use certificates at PATH (*.crt, *.cert, *.key) to connect to the registry",
                )
                .value_parser(clap::value_parser!(OsString)),
            )
            .arg(optional_bool(switch::<S>(
                "tls-verify",
                "Require HTTPS and verify certificates when talking to the registry",
            )));
        if S::SHARED_BLOB_DIR {
            command = command.arg(
                option::<S>(
                    "shared-blob-dir",
                    "DIRECTORY",
                    "DIRECTORY to use to share blobs across OCI repositories",
                )
                .value_parser(clap::value_parser!(OsString)),
            );
        }
        if S::DAEMON_HOST {
            command = command.arg(option::<S>(
                "daemon-host",
                "HOST",
                "Use the Docker daemon at HOST (docker-daemon: only)",
            ));
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<S: Side> FromArgMatches for AccessArgs<S> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let text = |name| matches.get_one::<String>(&flag::<S>(name)).cloned();
        let path = |name| matches.get_one::<OsString>(&flag::<S>(name)).cloned();
        let switch = |name| matches.get_one::<bool>(&flag::<S>(name)).copied();
        Ok(Self {
            authfile: path("authfile"),
            creds: text("creds"),
            username: text("username"),
            password: text("password"),
            registry_token: text("registry-token"),
            no_creds: switch("no-creds").unwrap_or(false),
            cert_dir: path("cert-dir"),
            tls_verify: switch("tls-verify"),
            shared_blob_dir: if S::SHARED_BLOB_DIR {
                path("shared-blob-dir")
            } else {
                None
            },
            daemon_host: if S::DAEMON_HOST { text("daemon-host") } else { None },
            side: PhantomData,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
