//! The table.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::Outcome;
use super::images::{of_tars, ordinary};
use super::stage::{Stage, refused, succeeded};
use crate::command::Tool;
use crate::image::{ImageSpec, Kind, MadeImage};
use crate::layer::Layer;
use crate::registry::{Fault, Gate, TestRegistry, When};

/// One case.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Whether a transport may say that it cannot do this.
    pub(super) may_refuse: bool,
    pub(super) run: fn(&Stage<'_>) -> Result<Outcome>,
}

const fn must(name: &'static str, run: fn(&Stage<'_>) -> Result<Outcome>) -> Case {
    Case {
        name,
        may_refuse: false,
        run,
    }
}

const fn may(name: &'static str, run: fn(&Stage<'_>) -> Result<Outcome>) -> Case {
    Case {
        name,
        may_refuse: true,
        run,
    }
}

/// How many writers there are at a time.
const WRITERS: u64 = 4;
/// Layers of an image with very many.
const MANY_LAYERS: u64 = 1000;
/// Bytes of an annotation that makes a manifest nearly as large as one may be (4 MiB).
const LONG_ANNOTATION: usize = 4_000_000;

pub(super) const CASES: [Case; 17] = [
    must("round trip", |stage| round_trip(stage, Kind::Oci)),
    must("round trip of a Docker image", |stage| round_trip(stage, Kind::Docker)),
    must("missing image", |stage| {
        stage.is_missing("missing")?;
        refused(&stage.copy_out("missing", "to", &[]).run())?;
        ensure!(!stage.scratch.path("to").exists(), "something was written");
        Ok(Outcome::Done)
    }),
    must("missing blob", |stage| {
        broken(stage, |blob| fs::remove_file(blob).context("removing the blob"))
    }),
    must("wrong digest", |stage| {
        broken(stage, |blob| {
            let mut bytes = fs::read(blob).context("reading the blob")?;
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(blob, bytes).context("altering the blob")
        })
    }),
    must("interrupted write", interrupted),
    must("concurrent writers", concurrent),
    must("layers that are there already", |stage| {
        let (one, other) = (ordinary(1)?, ordinary(2)?);
        for (name, made) in [("one", &one), ("other", &other), ("again", &one)] {
            put(stage, made, name)?;
        }
        for (name, made) in [("one", &one), ("other", &other), ("again", &one)] {
            stage.is_there(name, made, &[])?;
        }
        Ok(Outcome::Done)
    }),
    may("another image under the same name", |stage| {
        let (old, new) = (ordinary(1)?, ordinary(100)?);
        put(stage, &old, "name")?;
        let from = stage.made(&new)?;
        let again = stage.copy_in(&from, "name", &[]).run();
        if again.status() == Some(0) {
            stage.is_there("name", &new, &[])?;
            return Ok(Outcome::Done);
        }
        let reason = refused(&again)?;
        stage.is_there("name", &old, &[])?;
        Ok(Outcome::Refused(reason))
    }),
    may("list", |stage| {
        let list = ImageSpec::new([Layer::new(1, 5_000)])
            .and_platform("linux", "s390x")
            .make()?;
        and_back(stage, &list, "list", &["--all"])
    }),
    may("delete", |stage| {
        let (gone, kept) = (ordinary(1)?, ordinary(2)?);
        put(stage, &gone, "gone")?;
        put(stage, &kept, "kept")?;
        let deleted = stage.on_image("delete", "gone");
        let outcome = match deleted.status() {
            Some(0) => {
                stage.is_missing("gone")?;
                Outcome::Done
            }
            _ => {
                let reason = refused(&deleted)?;
                stage.is_there("gone", &gone, &[])?;
                Outcome::Refused(reason)
            }
        };
        stage.is_there("kept", &kept, &[])?;
        Ok(outcome)
    }),
    may("image without layers", |stage| {
        and_back(stage, &of_tars(&[])?, "empty", &[])
    }),
    may("layer of no bytes", |stage| {
        and_back(stage, &of_tars(&[&[]])?, "empty-layer", &[])
    }),
    may("1000 layers", |stage| {
        let layers = (0..MANY_LAYERS).map(|seed| Layer::new(seed, 10));
        and_back(stage, &ImageSpec::new(layers).make()?, "many", &[])
    }),
    may("manifest of 4 MB", |stage| {
        let made = ImageSpec::new([Layer::new(1, 1_000)]).make()?;
        let made = made.with_manifest(|manifest| manifest["annotations"]["long"] = "x".repeat(LONG_ANNOTATION).into());
        and_back(stage, &made, "large", &[])
    }),
    may("name of 120 letters", |stage| {
        and_back(stage, &ordinary(1)?, "long-name-".repeat(12).trim_end_matches('-'), &[])
    }),
    may("name that is not ASCII", |stage| {
        and_back(stage, &ordinary(1)?, "größe-名前", &[])
    }),
];

/// Copies an image in that every transport has to take.
fn put(stage: &Stage<'_>, made: &MadeImage, image: &str) -> Result<()> {
    let from = stage.made(made)?;
    succeeded(stage.copy_in(&from, image, &[]).run()).map(drop)
}

/// Copies an image in and out again, unless it is refused.
fn and_back(stage: &Stage<'_>, made: &MadeImage, image: &str, flags: &[&str]) -> Result<Outcome> {
    match stage.put(made, image, flags)? {
        Outcome::Done => stage.is_there_or_refused(image, made, flags),
        refused @ Outcome::Refused(_) => Ok(refused),
    }
}

fn round_trip(stage: &Stage<'_>, kind: Kind) -> Result<Outcome> {
    let spec = ImageSpec::new([Layer::new(1, 300_000), Layer::new(2, 0), Layer::new(3, 70_000)]);
    let made = spec.kind(kind).make()?;
    put(stage, &made, "image")?;
    stage.is_there("image", &made, &[])?;
    let raw = succeeded(
        (stage.subject.with_access)(stage.longshore().args(["inspect", "--raw"]), None)
            .arg(stage.name("image"))
            .run(),
    )?;
    ensure!(
        !stage.keeps_manifest(&made) || raw.stdout_bytes() == made.top.bytes,
        "another manifest is shown: {}",
        raw.stdout()
    );
    Ok(Outcome::Done)
}

/// An image with a layer that something is done to is not taken, and nothing else is lost.
fn broken(stage: &Stage<'_>, harm: impl Fn(&std::path::Path) -> Result<()>) -> Result<Outcome> {
    let kept = ordinary(50)?;
    put(stage, &kept, "kept")?;
    let made = ordinary(1)?;
    let from = stage.made(&made)?;
    let digest = made.layers(0)[0].clone();
    harm(&stage.scratch.path(&from).join(digest.trim_start_matches("sha256:")))?;
    let copied = stage.copy_in(&from, "broken", &[]).run();
    let told = refused(&copied)?;
    ensure!(
        told.contains(digest.trim_start_matches("sha256:")),
        "the error does not name the blob: {told}"
    );
    stage.is_missing("broken")?;
    stage.is_there("kept", &kept, &[])?;
    Ok(Outcome::Done)
}

/// A copy that is killed leaves no image, and does not keep the next copy from working.
fn interrupted(stage: &Stage<'_>) -> Result<Outcome> {
    let kept = ordinary(50)?;
    put(stage, &kept, "kept")?;
    let made = ordinary(1)?;
    let registry = TestRegistry::start()?;
    made.put_into(&registry, "app", "v1");
    let layer = made.layers(0)[0].clone();
    let gate = Gate::new();
    let stall = Fault::Stall {
        after: 50_000,
        gate: gate.clone(),
    };
    registry.script(When::every("GET", &layer), stall);
    let copy = || {
        let copy = (stage.subject.with_access)(stage.longshore().arg("copy"), Some("dest"));
        copy.args(["--src-tls-verify=false", &registry.name("app:v1"), &stage.name("new")])
    };
    let mut child = copy().start();
    registry.wait_for("GET", &layer);
    let killed = child.kill();
    let ended = child.wait();
    killed.and(ended).context("cannot kill the program")?;
    stage.is_missing("new")?;
    stage.is_there("kept", &kept, &[])?;
    gate.open();
    succeeded(copy().run())?;
    stage.is_there("new", &made, &[])?;
    stage.is_there("kept", &kept, &[])?;
    Ok(Outcome::Done)
}

/// Writers of several names at one time lose nothing of each other.
fn concurrent(stage: &Stage<'_>) -> Result<Outcome> {
    // All have a layer in common.
    let made = (0..WRITERS).map(|seed| ImageSpec::new([Layer::new(1, 60_000), Layer::new(100 + seed, 90_000)]).make());
    let made = made.collect::<Result<Vec<_>>>()?;
    let sources = made.iter().map(|made| stage.made(made)).collect::<Result<Vec<_>>>()?;
    let copies = sources.iter().enumerate();
    let copies = copies.map(|(number, from)| stage.copy_in(from, &format!("image-{number}"), &[]));
    let running: Vec<_> = copies.map(Tool::start).collect();
    for child in running {
        let output = child.wait_with_output().context("cannot wait for the program")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for (number, made) in made.iter().enumerate() {
        stage.is_there(&format!("image-{number}"), made, &[])?;
    }
    Ok(Outcome::Done)
}
