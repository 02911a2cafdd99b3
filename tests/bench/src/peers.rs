//! What the runs need around them: images, a filled registry, folders, and the two programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use longshore_tests::DockerRegistry;

use crate::images::{self, Shape};
use crate::work::From;

/// The stage of every run.
pub(crate) struct Peers {
    pub(crate) registry: DockerRegistry,
    /// It has only what a row puts there.
    pub(crate) other_registry: DockerRegistry,
    pub(crate) skopeo_version: String,
    longshore: PathBuf,
    in_process: PathBuf,
    home: PathBuf,
    work: PathBuf,
    destination: PathBuf,
    run: usize,
}

impl Peers {
    /// Makes the images where they are missing, starts the registry and fills it.
    pub(crate) fn start(work: &Path, shapes: &[Shape]) -> Result<Self> {
        let home = work.join("home");
        fs::create_dir_all(&home).with_context(|| format!("cannot make {}", home.display()))?;
        let running = std::env::current_exe().context("this program has no path")?;
        let built = |name| {
            let program = running.with_file_name(name);
            ensure!(program.is_file(), "{} is not built", program.display());
            Ok(program)
        };
        let (longshore, in_process) = (built("longshore")?, built("copy-in-process")?);
        let version = Command::new("skopeo")
            .arg("--version")
            .output()
            .context("cannot start skopeo")?;
        images::prepare(work, shapes)?;
        let peers = Self {
            registry: DockerRegistry::start()?,
            other_registry: DockerRegistry::start()?,
            skopeo_version: String::from_utf8_lossy(&version.stdout).trim().to_owned(),
            longshore,
            in_process,
            home,
            work: work.to_path_buf(),
            destination: work.join("destination"),
            run: 0,
        };
        for shape in shapes.iter().copied() {
            let pushed = peers.source(shape, From::Registry);
            peers.fill(shape, &pushed, &["--dest-tls-verify=false"])?;
        }
        Ok(peers)
    }

    /// The program under test; it accepts every image.
    pub(crate) fn longshore(&self) -> Command {
        let mut command = self.at_home(&self.longshore);
        command.arg("--insecure-policy");
        command
    }

    /// The peer; it accepts every image.
    pub(crate) fn skopeo(&self) -> Command {
        let mut command = self.at_home(Path::new("skopeo"));
        command.arg("--insecure-policy");
        command
    }

    /// The program that has the built-in plugins as components and as native code.
    pub(crate) fn in_process(&self) -> Command {
        self.at_home(&self.in_process)
    }

    /// A program that finds no configuration of the user.
    fn at_home(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("HOME", &self.home).env("XDG_RUNTIME_DIR", &self.home);
        for variable in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "REGISTRY_AUTH_FILE"] {
            command.env_remove(variable);
        }
        // The blob-info cache of root lies outside of the home folder; with this skopeo uses that of a user.
        command.env("_CONTAINERS_ROOTLESS_UID", "1000");
        command
    }

    /// The name of an image where a row takes it from.
    pub(crate) fn source(&self, shape: Shape, from: From) -> String {
        let place = shape.layout(&self.work);
        let place = place.display();
        match from {
            From::Layout => format!("oci:{place}:x"),
            From::Registry => self.registry.name(&format!("{}:x", shape.name)),
            From::Archive => format!("docker-archive:{place}.tar:bench/{}:x", shape.name),
            From::Storage => {
                let name = shape.name;
                format!("containers-storage:[overlay@{place}.store/graph+{place}.store/run]localhost/{name}:x")
            }
        }
    }

    /// Has skopeo put an image where a row takes it from, unless it is there.
    pub(crate) fn provide(&self, shape: Shape, from: From) -> Result<()> {
        let ending = match from {
            From::Layout | From::Registry => return Ok(()),
            From::Archive => "tar",
            From::Storage => "store",
        };
        if shape.layout(&self.work).with_extension(ending).exists() {
            return Ok(());
        }
        self.fill(shape, &self.source(shape, from), &[])
    }

    fn fill(&self, shape: Shape, to: &str, flags: &[&str]) -> Result<()> {
        let mut copy = self.skopeo();
        copy.args(["copy", "--quiet"]).args(flags);
        let status = copy.args([&self.source(shape, From::Layout), to]).status();
        let status = status.context("cannot start skopeo")?;
        ensure!(status.success(), "{to} cannot be filled: {status}");
        Ok(())
    }

    /// The processes of the registries.
    pub(crate) fn registries(&self) -> [u32; 2] {
        [self.registry.id(), self.other_registry.id()]
    }

    /// Begins the next run, with nothing remembered about blobs.
    pub(crate) fn begin_run(&mut self) -> Result<()> {
        self.run += 1;
        remove(&self.home.join(".local"))
    }

    /// The number of this run.
    pub(crate) fn run(&self) -> usize {
        self.run
    }

    /// The folder that every copy goes to.
    pub(crate) fn destination(&self) -> &Path {
        &self.destination
    }

    /// Removes what the last run left.
    pub(crate) fn clear(&self) -> Result<()> {
        remove(&self.destination)
    }

    /// The same, and makes the folder for a copy that makes none.
    pub(crate) fn clear_into_folder(&self) -> Result<()> {
        self.clear()?;
        let made = fs::create_dir(&self.destination);
        made.with_context(|| format!("cannot make {}", self.destination.display()))
    }

    /// Bytes of all files that a copy left.
    pub(crate) fn arrived(&self) -> Result<u64> {
        let size = size(&self.destination);
        size.with_context(|| format!("cannot look through {}", self.destination.display()))
    }
}

fn size(folder: &Path) -> std::io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let (entry, metadata) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
        sum += if metadata.is_dir() {
            size(&entry)?
        } else {
            metadata.len()
        };
    }
    Ok(sum)
}

/// Removes a folder if it is there.
fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
