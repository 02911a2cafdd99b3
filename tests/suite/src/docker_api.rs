//! Daemons that speak Docker's API, as peers: started in private folders, ended by process id.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::command::{Tool, peer};
use crate::registry::Authority;

/// A running daemon that has no images yet.
#[derive(Debug)]
pub struct DockerApi {
    process: Child,
    address: String,
    _folder: TempDir,
}

impl DockerApi {
    /// Docker's own, on a socket in the file system.
    ///
    /// # Errors
    /// It does not start.
    ///
    /// # Panics
    /// It is not installed.
    pub fn dockerd() -> Result<Self> {
        let folder = TempDir::new().context("cannot make a temporary folder")?;
        let address = format!("unix://{}", folder.path().join("docker.sock").display());
        let command = dockerd(&folder, &address);
        let (process, _) = started(command, "API listen on ")?;
        Ok(Self {
            process,
            address,
            _folder: folder,
        })
    }

    /// Docker's own, on a port of this machine, for who shows a certificate of the authority.
    ///
    /// # Errors
    /// It does not start.
    ///
    /// # Panics
    /// It is not installed.
    pub fn dockerd_with_tls(authority: &Authority) -> Result<Self> {
        let folder = TempDir::new().context("cannot make a temporary folder")?;
        let server = authority.local_server()?;
        let mut command = dockerd(&folder, "tcp://127.0.0.1:0");
        command.arg("--tlsverify");
        for (flag, name, content) in [
            ("--tlscacert", "ca", &authority.pem()),
            ("--tlscert", "cert", &server.certificate),
            ("--tlskey", "key", &server.key),
        ] {
            let file = folder.path().join(name);
            fs::write(&file, content).with_context(|| format!("cannot write {}", file.display()))?;
            command.arg(flag).arg(file);
        }
        let (process, listens) = started(command, "API listen on ")?;
        Ok(Self {
            process,
            address: format!("tcp://{listens}"),
            _folder: folder,
        })
    }

    /// Podman's service, on a socket in the file system.
    ///
    /// # Errors
    /// It does not start.
    ///
    /// # Panics
    /// It is not installed.
    pub fn podman() -> Result<Self> {
        drop(peer("podman"));
        let folder = TempDir::new().context("cannot make a temporary folder")?;
        let at = |name: &str| folder.path().join(name).display().to_string();
        let address = format!("unix://{}", at("podman.sock"));
        let storage = format!(
            "[storage]\ndriver = \"vfs\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n",
            at("graph"),
            at("run")
        );
        fs::write(at("storage.conf"), storage).context("cannot write storage.conf")?;
        let mut command = Command::new("podman");
        command
            .args(["--log-level=info", "system", "service", "--time=0", &address])
            .env("CONTAINERS_STORAGE_CONF", at("storage.conf"))
            .env("HOME", folder.path());
        let (process, _) = started(command, "API service listening on ")?;
        Ok(Self {
            process,
            address,
            _folder: folder,
        })
    }

    /// `unix:///PATH` or `tcp://HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Docker's command line, talking to this daemon.
    ///
    /// # Panics
    /// It is not installed.
    #[must_use]
    pub fn docker(&self) -> Tool {
        peer("docker").args(["--host", &self.address])
    }
}

fn dockerd(folder: &TempDir, address: &str) -> Command {
    drop(peer("dockerd"));
    let at = |name: &str| folder.path().join(name);
    let mut command = Command::new("dockerd");
    command
        .args([
            "--iptables=false",
            "--ip6tables=false",
            "--bridge=none",
            "--storage-driver=vfs",
        ])
        .arg("--data-root")
        .arg(at("data"))
        .arg("--exec-root")
        .arg(at("exec"))
        .arg("--pidfile")
        .arg(at("pid"))
        .args(["--host", address]);
    command
}

/// Starts a daemon and waits until its log says where it listens: what follows `mark`.
fn started(mut command: Command, mark: &str) -> Result<(Child, String)> {
    let mut process = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let mut log = BufReader::new(process.stderr.take().context("it has no log")?);
    let mut seen = String::new();
    let listens = loop {
        let start = seen.len();
        if log.read_line(&mut seen).context("cannot read its log")? == 0 {
            let status = process.wait().context("cannot wait for it")?;
            bail!("{command:?} ended ({status}):\n{seen}");
        }
        if let Some((_, rest)) = seen[start..].split_once(mark) {
            break rest.trim_end().trim_end_matches('"').to_owned();
        }
    };
    // Somebody must read on, or it stops once the pipe is full.
    std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
    Ok((process, listens))
}

impl Drop for DockerApi {
    fn drop(&mut self) {
        // Asked, and not killed: dockerd has a child of its own to end.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}
