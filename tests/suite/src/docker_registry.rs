//! Debian's docker-registry as a peer: started on a free port, ended by its process id.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::command::peer;

/// A running docker-registry with a storage folder of its own.
#[derive(Debug)]
pub struct DockerRegistry {
    process: Child,
    address: String,
    folder: TempDir,
}

impl DockerRegistry {
    /// Starts one that lets everybody in.
    ///
    /// # Errors
    /// It does not start.
    ///
    /// # Panics
    /// It is not installed.
    pub fn start() -> Result<Self> {
        Self::start_with(None, "")
    }

    /// Starts one that lets everybody in and takes schema 1 manifests, if their signatures are good.
    ///
    /// # Errors
    /// It does not start.
    ///
    /// # Panics
    /// It is not installed.
    pub fn start_with_schema_one() -> Result<Self> {
        Self::start_with(None, "compatibility: {schema1: {enabled: true}}\n")
    }

    /// Starts one that asks for Basic authentication.
    ///
    /// # Errors
    /// It does not start.
    ///
    /// # Panics
    /// It, or `htpasswd`, is not installed.
    pub fn start_with_password(user: &str, password: &str) -> Result<Self> {
        let hashed = peer("htpasswd")
            .args(["-Bbn", "-C", "5", user, password])
            .run()
            .success();
        Self::start_with(Some(&hashed.stdout()), "")
    }

    fn start_with(htpasswd: Option<&str>, more: &str) -> Result<Self> {
        let folder = TempDir::new().context("cannot make a temporary folder")?;
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut config = format!(
            "version: 0.1\n\
             log: {{level: info, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n\
             http: {{addr: '127.0.0.1:0', secret: tests}}\n\
             {more}",
            at("storage")
        );
        if let Some(users) = htpasswd {
            fs::write(at("htpasswd"), users).context("cannot write the password file")?;
            let _ = writeln!(config, "auth: {{htpasswd: {{realm: tests, path: {}}}}}", at("htpasswd"));
        }
        fs::write(at("config.yml"), config).context("cannot write the registry's configuration")?;

        // Found through the runner of peers, for its message; started here, for its pipe.
        drop(peer("docker-registry"));
        let mut process = Command::new("docker-registry")
            .args(["serve", &at("config.yml")])
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start docker-registry")?;
        let mut log = BufReader::new(process.stderr.take().context("docker-registry has no log")?);
        let mut seen = String::new();
        let address = loop {
            let start = seen.len();
            if log.read_line(&mut seen).context("cannot read docker-registry's log")? == 0 {
                let status = process.wait().context("cannot wait for docker-registry")?;
                bail!("docker-registry ended ({status}):\n{seen}");
            }
            if let Some((_, rest)) = seen[start..].split_once("listening on ") {
                break rest.split(['"', ' ']).next().unwrap_or_default().to_owned();
            }
        };
        // Somebody must read on, or the registry stops once the pipe is full.
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        Ok(Self {
            process,
            address,
            folder,
        })
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// `docker://HOST:PORT/NAME`.
    #[must_use]
    pub fn name(&self, name: &str) -> String {
        format!("docker://{}/{name}", self.address)
    }

    /// The folder it keeps images in.
    #[must_use]
    pub fn storage(&self) -> PathBuf {
        self.folder.path().join("storage")
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell either way.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
