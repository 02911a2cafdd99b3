//! The rows: what is done, by whom, and what it may take.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::images::{EIGHT, HUGE, SIXTY, Shape};
use crate::measure::{SHORT, Sample, measure};
use crate::peers::Peers;
use crate::report;

/// What the command line asks for.
pub(crate) struct Options {
    /// Where images and destinations lie.
    pub(crate) work: PathBuf,
    /// How often each command runs, at least.
    pub(crate) runs: usize,
    /// Only rows whose name holds this text.
    pub(crate) only: String,
}

/// No image is smaller, in bytes.
const LEAST: u64 = 50_000_000;

/// Work under 100 ms is repeated this often.
pub(crate) const SHORT_RUNS: usize = 25;

/// One row.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    pub(crate) limits: Limits,
    /// The image that it works on; none for a start-up.
    pub(crate) shape: Option<Shape>,
    job: Job,
}

/// The most that a row may take; shares are of what skopeo takes.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Wall time when the copy is crash-safe.
    pub(crate) wall: f64,
    /// Wall time with `--no-sync`; none where nothing is written.
    pub(crate) unsafe_wall: Option<f64>,
    /// CPU seconds; none where more of them are spent to be done earlier.
    pub(crate) cpu: Option<f64>,
    /// Memory, in MiB.
    pub(crate) peak: f64,
}

impl Limits {
    const fn reading(wall: f64) -> Self {
        Self {
            wall,
            unsafe_wall: None,
            cpu: Some(0.5),
            peak: 48.0,
        }
    }

    const fn writing(wall: f64, unsafe_wall: f64) -> Self {
        Self {
            unsafe_wall: Some(unsafe_wall),
            ..Self::reading(wall)
        }
    }

    /// Layers are compressed or unpacked on all cores.
    const fn transforming(wall: f64) -> Self {
        Self {
            wall,
            unsafe_wall: Some(wall),
            cpu: None,
            peak: 64.0,
        }
    }
}

/// What is run.
#[derive(Clone, Copy)]
enum Job {
    /// `--version`.
    StartUp,
    /// A command that reads the image in the registry.
    Read(&'static str),
    /// A copy.
    Copy(From, To),
}

/// Where a copied image is.
#[derive(Clone, Copy)]
pub(crate) enum From {
    Layout,
    Registry,
    /// A `docker-archive:` of uncompressed layers.
    Archive,
    /// A `containers-storage:` with the driver overlay.
    Storage,
}

/// Where a copied image goes.
#[derive(Clone, Copy)]
enum To {
    /// A folder that is removed before each run, with the name's transport and ending.
    Folder(&'static str, &'static str),
    /// A file in that folder.
    Archive,
    /// A layout that has all of the image already.
    FullLayout,
    /// A repository of the same registry that no run has used before.
    UnusedRepository,
    /// Another registry that has all of the image already.
    FullRegistry,
}

/// The samples of the commands that a row compares.
pub(crate) struct Measured {
    pub(crate) skopeo: Vec<Sample>,
    pub(crate) longshore: Vec<Sample>,
    pub(crate) without_sync: Vec<Sample>,
}

impl Work {
    /// Every row.
    pub(crate) fn all() -> Vec<Self> {
        let row = |name, limits, shape, job| Self {
            name,
            limits,
            shape,
            job,
        };
        let (reading, writing, transforming) = (Limits::reading, Limits::writing, Limits::transforming);
        let copy = Job::Copy;
        let (layout, registry, archive) = (From::Layout, From::Registry, From::Archive);
        let (oci, dir) = (To::Folder("oci", ":x"), To::Folder("dir", ""));
        let (eight, sixty, huge) = (Some(EIGHT), Some(SIXTY), Some(HUGE));
        vec![
            row(
                "registry -> oci, 8 layers",
                writing(0.50, 0.42),
                eight,
                copy(registry, oci),
            ),
            row(
                "registry -> dir, 8 layers",
                writing(0.35, 0.27),
                eight,
                copy(registry, dir),
            ),
            row("oci -> oci, 8 layers", writing(0.30, 0.12), eight, copy(layout, oci)),
            row(
                "registry -> oci, 60 layers",
                writing(0.60, 0.45),
                sixty,
                copy(registry, oci),
            ),
            row("oci -> oci, 60 layers", writing(0.30, 0.10), sixty, copy(layout, oci)),
            row(
                "registry -> oci, 1.5 GB",
                writing(0.45, 0.37),
                huge,
                copy(registry, oci),
            ),
            row(
                "mount from another repository",
                reading(0.04),
                eight,
                copy(registry, To::UnusedRepository),
            ),
            row(
                "to a registry that has it, 8 layers",
                reading(0.25),
                eight,
                copy(registry, To::FullRegistry),
            ),
            row(
                "to a registry that has it, 60 layers",
                reading(0.07),
                sixty,
                copy(registry, To::FullRegistry),
            ),
            row(
                "oci -> oci that has it, 60 layers",
                reading(0.40),
                sixty,
                copy(layout, To::FullLayout),
            ),
            row("inspect, tags included", reading(0.40), eight, Job::Read("inspect")),
            row("list-tags", reading(0.40), eight, Job::Read("list-tags")),
            row(
                "oci -> docker-archive, not synced by skopeo",
                transforming(0.30),
                eight,
                copy(layout, To::Archive),
            ),
            row("docker-archive -> oci", transforming(0.60), eight, copy(archive, oci)),
            row("docker-archive -> dir", transforming(0.30), eight, copy(archive, dir)),
            row(
                "containers-storage -> oci",
                transforming(0.50),
                eight,
                copy(From::Storage, oci),
            ),
            row("start-up (--version)", reading(0.35), None, Job::StartUp),
        ]
    }

    /// Runs the commands in turn, after one run of each that is not counted.
    pub(crate) fn measure(&self, peers: &mut Peers, options: &Options) -> Result<Measured> {
        report::line(&format!("\n{} ...", self.name));
        let mut measured = Measured {
            skopeo: Vec::new(),
            longshore: Vec::new(),
            without_sync: Vec::new(),
        };
        peers.clear()?;
        if let (Job::Copy(from, _), Some(shape)) = (self.job, self.shape) {
            peers.provide(shape, from)?;
        }
        if let (Job::Copy(from, to @ (To::FullLayout | To::FullRegistry)), Some(shape)) = (self.job, self.shape) {
            let mut fill = peers.skopeo();
            fill.arg("copy").args(arguments(peers, shape, from, to));
            let status = fill.status().context("cannot start skopeo")?;
            ensure!(
                status.success(),
                "{}: the destination cannot be filled: {status}",
                self.name
            );
        }
        let first = self.once(peers, Peers::skopeo, false)?;
        self.once(peers, Peers::longshore, false)?;
        let short = first.wall < SHORT.as_secs_f64();
        let runs = if short {
            options.runs.max(SHORT_RUNS)
        } else {
            options.runs
        };
        for _ in 0..runs {
            measured.skopeo.push(self.once(peers, Peers::skopeo, false)?);
            measured.longshore.push(self.once(peers, Peers::longshore, false)?);
            if self.limits.unsafe_wall.is_some() {
                measured.without_sync.push(self.once(peers, Peers::longshore, true)?);
            }
        }
        peers.clear()?;
        Ok(measured)
    }

    fn once(&self, peers: &mut Peers, program: fn(&Peers) -> Command, without_sync: bool) -> Result<Sample> {
        peers.begin_run()?;
        let mut command = program(peers);
        if without_sync {
            command.arg("--no-sync");
        }
        match (self.job, self.shape) {
            (Job::Copy(from, to), Some(shape)) => {
                match to {
                    To::Folder(..) => peers.clear()?,
                    To::Archive => peers.clear_into_folder()?,
                    _ => {}
                }
                command.arg("copy").args(arguments(peers, shape, from, to));
            }
            (Job::Read(word), Some(shape)) => {
                let image = peers.source(shape, From::Registry);
                let repository = image.trim_end_matches(":x");
                let name = if word == "list-tags" { repository } else { &image };
                command.args([word, "--tls-verify=false", name]);
            }
            _ => drop(command.arg("--version")),
        }
        let mut sample = measure(&mut command, &peers.registries())?;
        if let Job::Copy(_, To::Folder(..) | To::Archive) = self.job {
            sample.written = peers.arrived()?;
            ensure!(
                sample.written > LEAST,
                "{}: only {} bytes arrived",
                self.name,
                sample.written
            );
        }
        Ok(sample)
    }
}

/// The arguments of a copy.
fn arguments(peers: &Peers, shape: Shape, from: From, to: To) -> Vec<String> {
    let mut arguments = vec![
        "--src-tls-verify=false".to_owned(),
        "--dest-tls-verify=false".to_owned(),
    ];
    arguments.push(peers.source(shape, from));
    let folder = peers.destination().display();
    arguments.push(match to {
        To::Folder(transport, ending) => format!("{transport}:{folder}{ending}"),
        To::Archive => format!("docker-archive:{folder}/archive:bench/image:x"),
        To::FullLayout => format!("oci:{folder}:x"),
        To::UnusedRepository => peers.registry.name(&format!("unused-{}:x", peers.run())),
        To::FullRegistry => peers.other_registry.name(&format!("{}:x", shape.name)),
    });
    arguments
}
