//! One test's folder, with a home of its own, so that no file of the user decides a test.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::command::{Tool, copy_in_process, example, longshore, longshore_as, peer};

/// A temporary folder with a home whose policy accepts everything; removed at the end.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
}

impl Scratch {
    /// Makes the folder.
    ///
    /// # Errors
    /// Any failed write.
    pub fn new() -> Result<Self> {
        let scratch = Self {
            folder: TempDir::new().context("cannot make a temporary folder")?,
        };
        scratch.write_policy(r#"{"default":[{"type":"insecureAcceptAnything"}]}"#)?;
        scratch.write_lookaside(&format!("file://{}", scratch.path("lookaside").display()))?;
        Ok(scratch)
    }

    /// Replaces the home's trust policy.
    ///
    /// # Errors
    /// Any failed write.
    pub fn write_policy(&self, policy: &str) -> Result<()> {
        let folder = self.path("home/.config/containers");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let file = folder.join("policy.json");
        fs::write(&file, policy).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Sets the base URL of the signatures of images in registries, which is the folder `lookaside` at first.
    ///
    /// # Errors
    /// Any failed write.
    pub fn write_lookaside(&self, base: &str) -> Result<()> {
        let folder = self.path("home/.config/containers/registries.d");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let file = folder.join("default.yaml");
        let text = format!("default-docker:\n  lookaside: {base}\n");
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Makes `dir:NAME`, an image with these archives as its layers, and returns its reference.
    ///
    /// # Panics
    /// The program under test cannot do it.
    ///
    /// # Errors
    /// Any failed write.
    pub fn make_image(&self, name: &str, layers: &[Vec<u8>]) -> Result<String> {
        let mut from = "tarball".to_owned();
        for (index, layer) in layers.iter().enumerate() {
            let file = self.path(format!("{name}-{index}.tar"));
            fs::write(&file, layer).with_context(|| format!("cannot write {}", file.display()))?;
            from.push_str(&format!(":{}", file.display()));
        }
        let to = self.name("dir", name);
        let copy = self.longshore().args(["copy", "--dest-compress", &from, &to]);
        copy.run().success();
        Ok(to)
    }

    /// A path below the folder.
    #[must_use]
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(below)
    }

    /// `TRANSPORT:` and a path below the folder; the part after a colon in `below` stays.
    #[must_use]
    pub fn name(&self, transport: &str, below: &str) -> String {
        format!("{transport}:{}", self.path(below).display())
    }

    /// The program under test, at home in this folder.
    #[must_use]
    pub fn longshore(&self) -> Tool {
        self.at_home(longshore())
    }

    /// The program under test by another name, at home in this folder.
    #[must_use]
    pub fn longshore_as(&self, name: &str) -> Tool {
        self.at_home(longshore_as(&self.path(name)))
    }

    /// The copy with plugins as components or linked natively, at home in this folder.
    #[must_use]
    pub fn copy_in_process(&self) -> Tool {
        self.at_home(copy_in_process())
    }

    /// An example program, at home in this folder.
    #[must_use]
    pub fn example(&self, name: &str) -> Tool {
        self.at_home(example(name))
    }

    /// A peer, at home in this folder.
    #[must_use]
    pub fn peer(&self, name: &str) -> Tool {
        self.at_home(peer(name))
    }

    fn at_home(&self, tool: Tool) -> Tool {
        let home = self.path("home");
        tool.env("XDG_RUNTIME_DIR", home.join("run"))
            .env("XDG_DATA_HOME", home.join(".local/share"))
            .env("HOME", home)
            .current_dir(self.folder.path())
    }
}
