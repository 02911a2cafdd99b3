//! Where one case takes place.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::contents::contents;
use super::{Keeps, Outcome, Subject};
use crate::command::{Finished, Tool};
use crate::image::MadeImage;
use crate::scratch::Scratch;

/// Where a case's images are: not every folder has a simple name.
const FOLDER: &str = "Ordner für 名";

/// A folder for the case, and the subject.
pub(super) struct Stage<'a> {
    pub(super) subject: &'a Subject,
    pub(super) scratch: Scratch,
    /// The folder that references are in.
    folder: String,
    made: Cell<usize>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(subject: &'a Subject) -> Result<Self> {
        let scratch = Scratch::new()?;
        let plugins = scratch.path("plugins");
        for folder in [&plugins, &scratch.path(FOLDER), &scratch.path("home/run")] {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        if let Some(plugin) = &subject.plugin {
            let name = plugin
                .file_name()
                .with_context(|| format!("{} is no file", plugin.display()))?;
            fs::copy(plugin, plugins.join(name)).with_context(|| format!("cannot copy {}", plugin.display()))?;
        }
        (subject.prepare)(&scratch.path(FOLDER))?;
        Ok(Self {
            subject,
            folder: scratch.path(FOLDER).display().to_string(),
            scratch,
            made: Cell::new(0),
        })
    }

    /// The subject's reference for an image of this name.
    pub(super) fn name(&self, image: &str) -> String {
        let reference = self.subject.reference.replace("{folder}", &self.folder);
        reference.replace("{image}", image)
    }

    /// The program, with the subject's plugin.
    pub(super) fn longshore(&self) -> Tool {
        let tool = self.scratch.longshore();
        match self.subject.plugin {
            Some(_) => tool.arg("--plugin-dir").arg(self.scratch.path("plugins")),
            None => tool,
        }
    }

    /// `copy` of what is stored as `dir:FROM`.
    pub(super) fn copy_in(&self, from: &str, image: &str, flags: &[&str]) -> Tool {
        let copy = (self.subject.with_access)(self.longshore().arg("copy").args(flags), Some("dest"));
        copy.args([self.scratch.name("dir", from), self.name(image)])
    }

    /// `copy` to `dir:TO`.
    pub(super) fn copy_out(&self, image: &str, to: &str, flags: &[&str]) -> Tool {
        let copy = (self.subject.with_access)(self.longshore().arg("copy").args(flags), Some("src"));
        copy.args([self.name(image), self.scratch.name("dir", to)])
    }

    /// A command on an image of the subject.
    pub(super) fn on_image(&self, command: &str, image: &str) -> Finished {
        let tool = (self.subject.with_access)(self.longshore().arg(command), None);
        tool.arg(self.name(image)).run()
    }

    /// Writes an image as a `dir:` and returns its name below the scratch folder.
    pub(super) fn made(&self, made: &MadeImage) -> Result<String> {
        let name = self.numbered("made");
        made.write_dir(&self.scratch.path(&name))?;
        Ok(name)
    }

    /// Copies an image in; what a transport cannot hold it refuses, and then has not.
    pub(super) fn put(&self, made: &MadeImage, image: &str, flags: &[&str]) -> Result<Outcome> {
        let from = self.made(made)?;
        let put = self.copy_in(&from, image, flags).run();
        if put.status() == Some(0) {
            return Ok(Outcome::Done);
        }
        let reason = refused(&put)?;
        self.is_missing(image)?;
        Ok(Outcome::Refused(reason))
    }

    /// Reads an image and expects that it is whole and the one that was made.
    pub(super) fn is_there(&self, image: &str, made: &MadeImage, flags: &[&str]) -> Result<()> {
        let read = self.numbered("read");
        succeeded(self.copy_out(image, &read, flags).run())?;
        self.is_the_same(&read, made)
            .with_context(|| format!("{image} came out otherwise"))
    }

    /// The same, for an image that may turn out to be one that cannot be read.
    pub(super) fn is_there_or_refused(&self, image: &str, made: &MadeImage, flags: &[&str]) -> Result<Outcome> {
        let read = self.numbered("read");
        let copied = self.copy_out(image, &read, flags).run();
        if copied.status() != Some(0) {
            return Ok(Outcome::Refused(refused(&copied)?));
        }
        self.is_the_same(&read, made)
            .with_context(|| format!("{image} came out otherwise"))?;
        Ok(Outcome::Done)
    }

    fn is_the_same(&self, read: &str, made: &MadeImage) -> Result<()> {
        let reference = self.made(made)?;
        let (read, reference) = (self.scratch.path(read), self.scratch.path(reference));
        let (found, expected) = (contents(&read)?, contents(&reference)?);
        ensure!(found == expected, "it has {found:?}, it was made of {expected:?}");
        let manifest = |folder: &Path| fs::read_to_string(folder.join("manifest.json")).context("no manifest.json");
        let (found, expected) = (manifest(&read)?, manifest(&reference)?);
        ensure!(
            found == expected || !self.keeps_manifest(made),
            "the manifest is {found}, it was {expected}"
        );
        Ok(())
    }

    /// Whether the subject is one that keeps the image's manifest.
    pub(super) fn keeps_manifest(&self, made: &MadeImage) -> bool {
        match self.subject.keeps {
            Keeps::Manifest => true,
            Keeps::OciManifest => made.top.media_type.contains(".oci."),
            Keeps::Contents => false,
        }
    }

    fn numbered(&self, name: &str) -> String {
        self.made.set(self.made.get() + 1);
        format!("{name}-{}", self.made.get())
    }

    /// Expects that there is no image of this name.
    pub(super) fn is_missing(&self, image: &str) -> Result<()> {
        let looked = self.on_image("inspect", image);
        refused(&looked).with_context(|| format!("{image} should not be there"))?;
        Ok(())
    }
}

/// Expects success.
pub(super) fn succeeded(finished: Finished) -> Result<Finished> {
    ensure!(finished.status() == Some(0), "it failed\n{}", finished.story());
    Ok(finished)
}

/// Expects a failure that is told in one line, which is returned.
pub(super) fn refused(finished: &Finished) -> Result<String> {
    let stderr = finished.stderr();
    let told: Vec<&str> = stderr.lines().filter(|line| line.contains("level=fatal")).collect();
    ensure!(
        matches!(finished.status(), Some(1 | 2)),
        "it did not fail in good order\n{}",
        finished.story()
    );
    let [told] = told[..] else {
        anyhow::bail!("it told {} errors\n{}", told.len(), finished.story());
    };
    Ok(told.to_owned())
}
