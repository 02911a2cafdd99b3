//! Where things lie in the source tree and below the target folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// One checkout and its target folder.
pub(crate) struct Project {
    root: PathBuf,
    target: PathBuf,
    locked: bool,
}

impl Project {
    /// Finds the checkout this tool was started from; `cargo run` names the tool's own folder.
    pub(crate) fn find() -> Result<Self> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .context("start this tool through cargo: `cargo plugins`, `cargo demo`, `cargo ci`")?;
        let root = Path::new(&package)
            .ancestors()
            .nth(2)
            .context("CARGO_MANIFEST_DIR is not a folder of the source tree")?
            .to_path_buf();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => std::path::absolute(&folder)
                .with_context(|| format!("CARGO_TARGET_DIR {}", Path::new(&folder).display()))?,
            None => root.join("target"),
        };
        Ok(Self {
            root,
            target,
            locked: false,
        })
    }

    /// The same project, where cargo must not change a lock file.
    pub(crate) fn locked(self) -> Self {
        Self { locked: true, ..self }
    }

    /// The folder of the host's workspace.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the plugins' workspace.
    pub(crate) fn plugins(&self) -> PathBuf {
        self.root.join("plugins")
    }

    /// A folder or file below the target folder.
    pub(crate) fn target(&self, below: &str) -> PathBuf {
        self.target.join(below)
    }

    /// The path of a release binary of the host's workspace.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// `cargo SUBCOMMAND` in the host's workspace.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = self.cargo_in(&self.root, subcommand);
        command.env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// `cargo SUBCOMMAND` in the plugins' workspace. Its output lies below the same target folder.
    pub(crate) fn plugin_cargo(&self, subcommand: &str) -> Command {
        let mut command = self.cargo_in(&self.plugins(), subcommand);
        command.env("CARGO_TARGET_DIR", self.target("guests"));
        command
    }

    fn cargo_in(&self, folder: &Path, subcommand: &str) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(folder).arg(subcommand);
        if self.locked && subcommand != "fmt" {
            command.arg("--locked");
        }
        command
    }

    /// Builds release binaries of the host's workspace. Always with `--workspace`, so that every
    /// build of this tool chooses the same features and nothing is compiled twice.
    pub(crate) fn build_binaries(&self, names: &[&str]) -> Result<()> {
        let mut command = self.cargo("build");
        command.args(["--release", "--workspace"]);
        if names.is_empty() {
            command.arg("--bins");
        }
        for name in names {
            command.args(["--bin", name]);
        }
        crate::run::run(&mut command)
    }
}
