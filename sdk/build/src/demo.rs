//! `cargo demo`: everything built, then the main job run offline.

use std::process::Command;

use anyhow::Result;

use crate::project::Project;
use crate::{plugins, report, run};

/// Builds the plugins and every binary, then runs the demonstration.
pub(crate) fn run(project: &Project) -> Result<()> {
    plugins::build(project)?;
    report::heading("binaries");
    project.build_binaries(&[])?;
    report::heading("demo");
    run::run(&mut Command::new(project.binary("longshore-demo")))
}
