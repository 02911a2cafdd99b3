//! One table of cases that every transport has to pass, a stranger's as well: what `copy`, `inspect` and `delete` do to
//! images in it, seen from outside.

mod cases;
mod contents;
mod images;
mod stage;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::command::Tool;
use cases::CASES;
use stage::Stage;

/// What a transport keeps of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Every byte of the manifest.
    Manifest,
    /// Every byte of an OCI manifest; others are converted.
    OciManifest,
    /// The config, and of the layers what they are without compression.
    Contents,
}

/// A transport to put to the test.
pub struct Subject {
    /// The reference of an image, in which `{folder}` stands for a folder of the case's own and `{image}` for the image's
    /// name: `oci:{folder}/layout:{image}`.
    pub reference: String,
    /// A component that the program does not have.
    pub plugin: Option<PathBuf>,
    /// What comes out again.
    pub keeps: Keeps,
    /// Adds what the program needs to get at images here: flags of `copy` for this side (`src` or `dest`), or of a command
    /// on one image (none), and variables.
    pub with_access: WithAccess,
    /// Makes what has to be there before an image is written, in the folder of a case.
    pub prepare: Prepare,
}

/// See [`Subject::prepare`].
pub type Prepare = Box<dyn Fn(&Path) -> Result<()>>;

/// See [`Subject::with_access`].
pub type WithAccess = Box<dyn Fn(Tool, Option<&str>) -> Tool>;

impl Subject {
    /// A built-in transport that needs no access flags.
    #[must_use]
    pub fn new(reference: &str, keeps: Keeps) -> Self {
        Self {
            reference: reference.to_owned(),
            plugin: None,
            keeps,
            with_access: Box::new(|tool, _| tool),
            prepare: Box::new(|_| Ok(())),
        }
    }

    /// The same, in a folder that is made ready for it.
    #[must_use]
    pub fn prepared_by(self, prepare: impl Fn(&Path) -> Result<()> + 'static) -> Self {
        Self {
            prepare: Box::new(prepare),
            ..self
        }
    }

    /// The same, with something that the program needs to get at it.
    #[must_use]
    pub fn with_access(self, with_access: impl Fn(Tool, Option<&str>) -> Tool + 'static) -> Self {
        Self {
            with_access: Box::new(with_access),
            ..self
        }
    }
}

/// How a case went well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It works.
    Done,
    /// The transport cannot do this, and said so in one line: this one.
    Refused(String),
}

/// What became of each case, in the order of the table.
///
/// # Errors
/// The cases cannot be run at all.
pub fn conformance(subject: &Subject) -> Result<Vec<(&'static str, Result<Outcome>)>> {
    let run = |case: &cases::Case| {
        let stage = Stage::new(subject)?;
        let outcome = (case.run)(&stage);
        let outcome = match outcome {
            Ok(Outcome::Refused(_)) if !case.may_refuse => outcome.and_then(refused_in_vain),
            outcome => outcome,
        };
        Ok((
            case.name,
            outcome.with_context(|| format!("{}: {}", subject.reference, case.name)),
        ))
    };
    CASES.iter().map(run).collect()
}

fn refused_in_vain(outcome: Outcome) -> Result<Outcome> {
    match outcome {
        Outcome::Refused(reason) => bail!("every transport has to do this, but: {reason}"),
        done @ Outcome::Done => Ok(done),
    }
}

/// Runs the table and expects that exactly these cases are refused.
///
/// # Errors
/// A case failed, or is not refused as expected.
pub fn conforms(subject: &Subject, refused: &[&str]) -> Result<()> {
    let mut failures = Vec::new();
    for (case, outcome) in conformance(subject)? {
        match outcome {
            Err(error) => failures.push(format!("{error:#}")),
            Ok(Outcome::Done) if refused.contains(&case) => failures.push(format!("{case}: it is not refused")),
            Ok(Outcome::Refused(reason)) if !refused.contains(&case) => failures.push(format!("{case}: {reason}")),
            Ok(_) => {}
        }
    }
    ensure!(failures.is_empty(), "{}:\n{}", subject.reference, failures.join("\n"));
    Ok(())
}
