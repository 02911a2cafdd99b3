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

/// Work under 100 ms is repeated this often.
pub(crate) const SHORT_RUNS: usize = 25;

/// One row.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// The most that wall time may be, as a share of skopeo's, when the copy is crash-safe.
    pub(crate) wall_limit: f64,
    /// The same with `--no-sync`; none where nothing is written.
    pub(crate) unsafe_wall_limit: Option<f64>,
    /// The image that it works on; none for a start-up.
    pub(crate) shape: Option<Shape>,
    job: Job,
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
enum From {
    Layout,
    Registry,
}

/// Where a copied image goes.
#[derive(Clone, Copy)]
enum To {
    /// A folder that is removed before each run, with the name's transport and ending.
    Folder(&'static str, &'static str),
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
        let row = |name, wall_limit, unsafe_wall_limit, shape, job| Self {
            name,
            wall_limit,
            unsafe_wall_limit,
            shape,
            job,
        };
        let copy = Job::Copy;
        let (layout, registry) = (From::Layout, From::Registry);
        let (oci, dir) = (To::Folder("oci", ":x"), To::Folder("dir", ""));
        let (eight, sixty, huge) = (Some(EIGHT), Some(SIXTY), Some(HUGE));
        vec![
            row(
                "registry -> oci, 8 layers",
                0.50,
                Some(0.42),
                eight,
                copy(registry, oci),
            ),
            row(
                "registry -> dir, 8 layers",
                0.35,
                Some(0.27),
                eight,
                copy(registry, dir),
            ),
            row("oci -> oci, 8 layers", 0.30, Some(0.12), eight, copy(layout, oci)),
            row(
                "registry -> oci, 60 layers",
                0.60,
                Some(0.45),
                sixty,
                copy(registry, oci),
            ),
            row("oci -> oci, 60 layers", 0.30, Some(0.10), sixty, copy(layout, oci)),
            row("registry -> oci, 1.5 GB", 0.45, Some(0.37), huge, copy(registry, oci)),
            row(
                "mount from another repository",
                0.04,
                None,
                eight,
                copy(registry, To::UnusedRepository),
            ),
            row(
                "to a registry that has it, 8 layers",
                0.25,
                None,
                eight,
                copy(registry, To::FullRegistry),
            ),
            row(
                "to a registry that has it, 60 layers",
                0.07,
                None,
                sixty,
                copy(registry, To::FullRegistry),
            ),
            row(
                "oci -> oci that has it, 60 layers",
                0.40,
                None,
                sixty,
                copy(layout, To::FullLayout),
            ),
            row("inspect, tags included", 0.40, None, eight, Job::Read("inspect")),
            row("list-tags", 0.40, None, eight, Job::Read("list-tags")),
            row("start-up (--version)", 0.35, None, None, Job::StartUp),
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
            if self.unsafe_wall_limit.is_some() {
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
                if let To::Folder(..) = to {
                    peers.clear()?;
                }
                command.arg("copy").args(arguments(peers, shape, from, to));
            }
            (Job::Read(word), Some(shape)) => {
                let image = peers.pushed(shape);
                let repository = image.trim_end_matches(":x");
                let name = if word == "list-tags" { repository } else { &image };
                command.args([word, "--tls-verify=false", name]);
            }
            _ => drop(command.arg("--version")),
        }
        let sample = measure(&mut command, &peers.registries())?;
        if let Job::Copy(_, To::Folder(..)) = self.job {
            let arrived = std::fs::read_dir(peers.destination())
                .with_context(|| format!("{}: nothing arrived", self.name))?
                .count();
            ensure!(arrived > 2, "{}: only {arrived} files arrived", self.name);
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
    arguments.push(match from {
        From::Layout => peers.layout(shape),
        From::Registry => peers.pushed(shape),
    });
    let folder = peers.destination().display();
    arguments.push(match to {
        To::Folder(transport, ending) => format!("{transport}:{folder}{ending}"),
        To::FullLayout => format!("oci:{folder}:x"),
        To::UnusedRepository => peers.registry.name(&format!("unused-{}:x", peers.run())),
        To::FullRegistry => peers.other_registry.name(&format!("{}:x", shape.name)),
    });
    arguments
}
