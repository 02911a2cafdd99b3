//! The benchmark: the program and Debian's skopeo do the same work in turn, on this machine.
//!
//! It is run by hand (`cargo bench-peers`) on an otherwise idle machine. Before each run the
//! destination is removed and dirty pages are written; medians are compared.

mod images;
mod measure;
mod peers;
mod report;
mod sandbox;
mod statistics;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::images::Shape;
use crate::peers::Peers;
use crate::sandbox::Price;
use crate::work::{Options, Work};

/// The hidden first argument of the process that makes the images.
const MAKE_IMAGES: &str = "make-images";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let outcome = match arguments.next() {
        Some(first) if first == MAKE_IMAGES => make_images(arguments),
        first => run(first.into_iter().chain(arguments)),
    };
    match outcome {
        Ok(0) => ExitCode::SUCCESS,
        Ok(missed) => {
            report::line(&format!("{missed} limits were missed"));
            ExitCode::FAILURE
        }
        Err(error) => {
            report::line(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn make_images(mut arguments: impl Iterator<Item = String>) -> Result<usize> {
    let folder = PathBuf::from(arguments.next().context("the folder is missing")?);
    images::make_missing(&folder, &arguments.collect::<Vec<_>>())?;
    Ok(0)
}

/// Runs every work and returns how many limits were missed.
fn run(command_line: impl Iterator<Item = String>) -> Result<usize> {
    let options = arguments(command_line)?;
    let mut rows = Work::all();
    rows.retain(|work| work.name.contains(&options.only));
    let mut prices = Price::all();
    prices.retain(|price| price.name.contains(&options.only));
    let needed = rows.iter().filter_map(|work| work.shape);
    let needed = needed.chain(prices.iter().map(|price| price.shape));
    let mut peers = Peers::start(&options.work, &distinct(needed))?;
    report::machine(&peers)?;
    let mut missed = 0;
    for work in &rows {
        missed += report::rows(work, &work.measure(&mut peers, &options)?);
    }
    for price in &prices {
        missed += price.measure(&mut peers, &options)?;
    }
    report::line(&format!(
        "\npeak memory of this program: {} MiB",
        measure::own_peak()? >> 20
    ));
    Ok(missed)
}

/// Each image once.
fn distinct(needed: impl Iterator<Item = Shape>) -> Vec<Shape> {
    let mut shapes: Vec<Shape> = Vec::new();
    for shape in needed {
        if shapes.iter().all(|other| other.name != shape.name) {
            shapes.push(shape);
        }
    }
    shapes
}

fn arguments(arguments: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        work: std::path::absolute("target/bench").context("there is no working directory")?,
        runs: 5,
        only: String::new(),
    };
    let mut arguments = arguments;
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--work" => options.work = std::path::absolute(&value).context("--work")?,
            "--runs" => options.runs = value.parse().context("--runs takes a number")?,
            "--only" => options.only = value,
            _ => bail!("unknown option {name}; there are --work DIR, --runs N and --only TEXT"),
        }
    }
    if options.runs < 5 {
        bail!("fewer than 5 runs give no median worth printing");
    }
    Ok(options)
}
