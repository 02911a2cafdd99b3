//! The project's developer tool, reached through cargo aliases: `cargo plugins`, `cargo build-plugin`, `cargo demo`,
//! `cargo ci` and `cargo bench-peers`.

mod bench;
mod ci;
mod debian;
mod demo;
mod deny;
mod plugins;
mod project;
mod report;
mod run;
mod toolchain;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::project::Project;

const USAGE: &str = "usage:
  cargo plugins       build the plugins, check and precompile them
  cargo build-plugin FOLDER
                      build a plugin of your own
  cargo demo          build everything and run the main job offline
  cargo ci            install the test peers, then run every check and test
  cargo bench-peers   measure against skopeo (arguments go to the benchmark)";

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::line(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    if !matches!(task.as_str(), "bench" | "build-plugin") && !rest.is_empty() {
        bail!("`{task}` takes no arguments\n{USAGE}");
    }
    match task.as_str() {
        "plugins" => plugins::build(&Project::find()?),
        "demo" => demo::run(&Project::find()?),
        "ci" => ci::run(&Project::find()?.locked()),
        "bench" => bench::run(&Project::find()?, &rest),
        "build-plugin" => match rest.as_slice() {
            [folder] => plugins::build_one(folder.as_ref()),
            _ => bail!("`build-plugin` takes the plugin's folder\n{USAGE}"),
        },
        _ => bail!("{USAGE}"),
    }
}
