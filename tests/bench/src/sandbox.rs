//! The price of the sandbox: one program does the same copy with `dir` and `oci` as components and linked natively.

use anyhow::Result;

use crate::images::{EIGHT, SIXTY, Shape};
use crate::measure::{Sample, measure};
use crate::peers::Peers;
use crate::report;
use crate::work::{From, Options, SHORT_RUNS};

/// Wall time through components, as a share of that with native plugins.
const LIMIT: f64 = 1.02;

/// One copy that is done both ways.
pub(crate) struct Price {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    from_registry: bool,
}

impl Price {
    /// Every one.
    pub(crate) fn all() -> Vec<Self> {
        let price = |name, shape, from_registry| Self {
            name,
            shape,
            from_registry,
        };
        vec![
            price("price of the sandbox, oci -> oci, 8 layers", EIGHT, false),
            price("price of the sandbox, oci -> oci, 60 layers", SIXTY, false),
            price("price of the sandbox, registry -> oci, 60 layers", SIXTY, true),
        ]
    }

    /// Runs the copies in turn, after one of each that is not counted, and returns how many limits were missed.
    pub(crate) fn measure(&self, peers: &mut Peers, options: &Options) -> Result<usize> {
        let runs = options.runs.max(SHORT_RUNS);
        report::line(&format!("\n{}: medians of {runs} runs", self.name));
        let mut missed = 0;
        for (kind, flags) in [("crash-safe", &[][..]), ("--no-sync", &["--no-sync"])] {
            let (mut components, mut native) = (Vec::new(), Vec::new());
            for run in 0..=runs {
                // Neither is always the one that comes after the other.
                let order = if run % 2 == 0 { [true, false] } else { [false, true] };
                for sandboxed in order {
                    let sample = self.once(peers, sandboxed, flags)?;
                    match (run, sandboxed) {
                        (0, _) => {}
                        (_, true) => components.push(sample),
                        (_, false) => native.push(sample),
                    }
                }
            }
            missed += usize::from(report::price(kind, &components, &native, LIMIT));
        }
        peers.clear()?;
        Ok(missed)
    }

    fn once(&self, peers: &mut Peers, sandboxed: bool, flags: &[&str]) -> Result<Sample> {
        peers.begin_run()?;
        peers.clear()?;
        let from = match self.from_registry {
            true => peers.source(self.shape, From::Registry),
            false => peers.source(self.shape, From::Layout),
        };
        let mut command = peers.in_process();
        command.arg(if sandboxed { "components" } else { "native" });
        command.args(flags).arg(from);
        command.arg(format!("oci:{}:x", peers.destination().display()));
        measure(&mut command, &peers.registries())
    }
}
