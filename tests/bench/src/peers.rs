//! What the runs need around them: images, a filled registry, folders, and the two programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use longshore_tests::DockerRegistry;

use crate::images::{self, EIGHT, SIXTY, Shape};

/// The stage of every run.
pub(crate) struct Peers {
    pub(crate) registry: DockerRegistry,
    pub(crate) skopeo_version: String,
    longshore: PathBuf,
    home: PathBuf,
    work: PathBuf,
    destination: PathBuf,
}

impl Peers {
    /// Makes the images where they are missing, starts the registry and fills it.
    pub(crate) fn start(work: &Path) -> Result<Self> {
        let home = work.join("home");
        fs::create_dir_all(&home).with_context(|| format!("cannot make {}", home.display()))?;
        let running = std::env::current_exe().context("this program has no path")?;
        let longshore = running.with_file_name("longshore");
        ensure!(longshore.is_file(), "{} is not built", longshore.display());
        let version = Command::new("skopeo")
            .arg("--version")
            .output()
            .context("cannot start skopeo")?;
        images::prepare(work)?;
        let peers = Self {
            registry: DockerRegistry::start()?,
            skopeo_version: String::from_utf8_lossy(&version.stdout).trim().to_owned(),
            longshore,
            home,
            work: work.to_path_buf(),
            destination: work.join("destination"),
        };
        for shape in [EIGHT, SIXTY] {
            let mut push = peers.skopeo();
            push.args(["copy", "--quiet", "--dest-tls-verify=false"]);
            push.args([peers.layout(shape), peers.pushed(shape)]);
            let status = push.status().context("cannot start skopeo")?;
            ensure!(status.success(), "the registry cannot be filled: {status}");
        }
        Ok(peers)
    }

    /// The program under test.
    pub(crate) fn longshore(&self) -> Command {
        self.at_home(&self.longshore)
    }

    /// The peer.
    pub(crate) fn skopeo(&self) -> Command {
        self.at_home(Path::new("skopeo"))
    }

    /// A program that accepts every image and finds no configuration of the user.
    fn at_home(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("HOME", &self.home).env("XDG_RUNTIME_DIR", &self.home);
        command.env_remove("XDG_CONFIG_HOME").env_remove("REGISTRY_AUTH_FILE");
        command.arg("--insecure-policy");
        command
    }

    /// The name of an image in its layout.
    pub(crate) fn layout(&self, shape: Shape) -> String {
        format!("oci:{}:x", shape.layout(&self.work).display())
    }

    /// The name of an image in the registry.
    pub(crate) fn pushed(&self, shape: Shape) -> String {
        self.registry.name(&format!("{}:x", shape.name))
    }

    /// The folder that every copy goes to.
    pub(crate) fn destination(&self) -> &Path {
        &self.destination
    }

    /// Removes what the last run left.
    pub(crate) fn clear(&self) -> Result<()> {
        match fs::remove_dir_all(&self.destination) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.destination.display()))
            }
            _ => Ok(()),
        }
    }
}
