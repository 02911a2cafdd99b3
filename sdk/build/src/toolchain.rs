//! How this machine compiles components: rustup's wasm32-wasip2 target where it is or can be
//! added, else Debian 12's compiler, standard library source and C library.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::debian::{self, Package};
use crate::{report, run};

/// The target of every component.
pub(crate) const TARGET: &str = "wasm32-wasip2";

const COMPONENT_LINKER: &str = "wasm-component-ld";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_STD: &str = "/usr/lib/rustlib/src/rust/library/std";
const DEBIAN_LIBC: &str = "/usr/lib/wasm32-wasi";

const DEBIAN_PACKAGES: [Package; 3] = [
    Package {
        name: "rustc-web",
        brings: DEBIAN_RUSTC,
    },
    Package {
        name: "rust-web-src",
        brings: DEBIAN_STD,
    },
    Package {
        name: "wasi-libc",
        brings: DEBIAN_LIBC,
    },
];

/// A way to compile components.
pub(crate) enum Toolchain {
    /// The active toolchain has the target's standard library.
    Rustup,
    /// Debian's compiler builds the standard library from source.
    Debian {
        /// The folder where the active toolchain has `wasm-component-ld` and the linker it starts.
        linkers: PathBuf,
    },
}

impl Toolchain {
    /// Finds a way, setting up what is missing.
    pub(crate) fn prepare() -> Result<Self> {
        if active_has_target()? {
            return Ok(Self::Rustup);
        }
        if debian_is_ready() {
            return Ok(Self::Debian { linkers: linkers()? });
        }
        report::line(&format!("the active Rust toolchain lacks {TARGET}"));
        if run::find_program("rustup").is_some()
            && run::run(Command::new("rustup").args(["target", "add", TARGET])).is_ok()
            && active_has_target()?
        {
            return Ok(Self::Rustup);
        }
        report::line("rustup cannot add it; Debian's packages can take its place");
        debian::ensure("building plugins", &DEBIAN_PACKAGES)?;
        if !debian_is_ready() {
            bail!("{DEBIAN_RUSTC} does not know the target {TARGET}");
        }
        Ok(Self::Debian { linkers: linkers()? })
    }

    /// Lets a `cargo build` of the plugins' workspace compile components.
    pub(crate) fn apply(&self, command: &mut Command) -> Result<()> {
        // Flags for the native target would reach the wasm one.
        command.env_remove("RUSTFLAGS").args(["--target", TARGET]);
        if let Self::Debian { linkers } = self {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let folders = [linkers.join("gcc-ld"), linkers.clone()]
                .into_iter()
                .chain(std::env::split_paths(&path));
            command
                .arg("-Zbuild-std=std,panic_abort")
                .env(
                    "PATH",
                    std::env::join_paths(folders).context("a folder in PATH has a colon in its name")?,
                )
                .env("RUSTC", DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_WASM32_WASIP2_LINKER", linkers.join(COMPONENT_LINKER))
                .env(
                    "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
                    format!("-C link-self-contained=no -L {DEBIAN_LIBC}"),
                );
        }
        Ok(())
    }
}

fn active_has_target() -> Result<bool> {
    let folder = run::output(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    Ok(Path::new(folder.trim()).is_dir())
}

fn debian_is_ready() -> bool {
    let knows_target = || run::succeeds(Command::new(DEBIAN_RUSTC).args(["--print", "cfg", "--target", TARGET]));
    Path::new(DEBIAN_STD).is_dir() && Path::new(DEBIAN_LIBC).is_dir() && knows_target()
}

fn linkers() -> Result<PathBuf> {
    let host = run::output(Command::new("rustc").arg("-vV"))?;
    let host = host
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("`rustc -vV` names no host")?;
    let sysroot = run::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let folder = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin");
    if !folder.join(COMPONENT_LINKER).is_file() {
        bail!("the Rust toolchain ships no {COMPONENT_LINKER} in {}", folder.display());
    }
    Ok(folder)
}
