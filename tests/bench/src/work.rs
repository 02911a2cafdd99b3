//! The rows: what is done, by whom, and what it may take.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::images::{EIGHT, SIXTY, Shape};
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
const SHORT_RUNS: usize = 25;

/// One row.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// The most that wall time may be, as a share of skopeo's, when the copy is crash-safe.
    pub(crate) wall_limit: f64,
    /// The same with `--no-sync`; none where nothing is written.
    pub(crate) unsafe_wall_limit: Option<f64>,
    /// The arguments after the global ones; empty for a start-up.
    arguments: Vec<String>,
}

/// The samples of the commands that a row compares.
pub(crate) struct Measured {
    pub(crate) skopeo: Vec<Sample>,
    pub(crate) longshore: Vec<Sample>,
    pub(crate) without_sync: Vec<Sample>,
}

impl Work {
    /// Every row.
    pub(crate) fn all(peers: &Peers) -> Vec<Self> {
        let to = |transport: &str, name: &str| format!("{transport}:{}{name}", peers.destination().display());
        let pull = |shape: Shape, to: String| vec!["--src-tls-verify=false".to_owned(), peers.pushed(shape), to];
        let row = |name, wall_limit, unsafe_wall_limit, arguments| Self {
            name,
            wall_limit,
            unsafe_wall_limit,
            arguments,
        };
        vec![
            row(
                "registry -> oci, 8 layers",
                0.50,
                Some(0.42),
                pull(EIGHT, to("oci", ":x")),
            ),
            row(
                "registry -> dir, 8 layers",
                0.35,
                Some(0.27),
                pull(EIGHT, to("dir", "")),
            ),
            row(
                "oci -> oci, 8 layers",
                0.30,
                Some(0.12),
                vec![peers.layout(EIGHT), to("oci", ":x")],
            ),
            row(
                "registry -> oci, 60 layers",
                0.60,
                Some(0.45),
                pull(SIXTY, to("oci", ":x")),
            ),
            row("start-up (--version)", 0.35, None, Vec::new()),
        ]
    }

    /// Runs the commands in turn, after one run of each that is not counted.
    pub(crate) fn measure(&self, peers: &Peers, options: &Options) -> Result<Measured> {
        report::line(&format!("\n{} ...", self.name));
        let mut measured = Measured {
            skopeo: Vec::new(),
            longshore: Vec::new(),
            without_sync: Vec::new(),
        };
        let first = self.once(peers, peers.skopeo(), false)?;
        self.once(peers, peers.longshore(), false)?;
        let short = first.wall < SHORT.as_secs_f64();
        let runs = if short {
            options.runs.max(SHORT_RUNS)
        } else {
            options.runs
        };
        for _ in 0..runs {
            measured.skopeo.push(self.once(peers, peers.skopeo(), false)?);
            measured.longshore.push(self.once(peers, peers.longshore(), false)?);
            if self.unsafe_wall_limit.is_some() {
                measured.without_sync.push(self.once(peers, peers.longshore(), true)?);
            }
        }
        peers.clear()?;
        Ok(measured)
    }

    fn once(&self, peers: &Peers, mut command: Command, without_sync: bool) -> Result<Sample> {
        peers.clear()?;
        if self.arguments.is_empty() {
            command.arg("--version");
            return measure(&mut command, peers.registry.id());
        }
        if without_sync {
            command.arg("--no-sync");
        }
        command.arg("copy");
        command.args(&self.arguments);
        let sample = measure(&mut command, peers.registry.id())?;
        let arrived = std::fs::read_dir(peers.destination())
            .with_context(|| format!("{}: nothing arrived", self.name))?
            .count();
        ensure!(arrived > 2, "{}: only {arrived} files arrived", self.name);
        Ok(sample)
    }
}
