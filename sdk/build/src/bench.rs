//! `cargo bench-peers`: everything the benchmark needs built, then the benchmark.

use std::process::Command;

use anyhow::Result;

use crate::debian::{self, Package};
use crate::project::Project;
use crate::{plugins, report, run};

const PEERS: [Package; 2] = [
    Package {
        name: "docker-registry",
        brings: "docker-registry",
    },
    Package {
        name: "skopeo",
        brings: "skopeo",
    },
];

/// Builds the plugins and every binary, then runs the benchmark with the given arguments.
pub(crate) fn run(project: &Project, arguments: &[String]) -> Result<()> {
    debian::ensure("the benchmark", &PEERS)?;
    plugins::build(project)?;
    report::heading("binaries");
    project.build_binaries(&[])?;
    report::heading("benchmark");
    let mut benchmark = Command::new(project.binary("longshore-bench"));
    run::run(benchmark.arg("--work").arg(project.target("bench")).args(arguments))
}
