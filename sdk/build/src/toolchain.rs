//! How this machine compiles components: rustup's wasm32-wasip2 target where it is or can be
//! added, else Debian 12's compiler, standard library source and C library.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::debian::{self, Package};
use crate::{report, run};

/// The target of every component.
pub(crate) const TARGET: &str = "wasm32-wasip2";

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
        /// The full path of `wasm-component-ld`, which the active toolchain ships.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// Finds a way, setting up what is missing.
    pub(crate) fn prepare() -> Result<Self> {
        if active_has_target()? {
            return Ok(Self::Rustup);
        }
        let linker = component_linker()?;
        if debian_is_ready() {
            return Ok(Self::Debian { linker });
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
        Ok(Self::Debian { linker })
    }

    /// Lets a `cargo build` of the plugins' workspace compile components.
    pub(crate) fn apply(&self, command: &mut Command) {
        // Flags for the native target would reach the wasm one.
        command.env_remove("RUSTFLAGS").args(["--target", TARGET]);
        if let Self::Debian { linker } = self {
            command
                .arg("-Zbuild-std=std,panic_abort")
                .env("RUSTC", DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_WASM32_WASIP2_LINKER", linker)
                .env(
                    "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
                    format!("-C link-self-contained=no -L {DEBIAN_LIBC}"),
                );
        }
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

fn component_linker() -> Result<PathBuf> {
    let host = run::output(Command::new("rustc").arg("-vV"))?;
    let host = host
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("`rustc -vV` names no host")?;
    let sysroot = run::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let linker = Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(host)
        .join("bin/wasm-component-ld");
    if !linker.is_file() {
        bail!("the Rust toolchain ships no {}", linker.display());
    }
    Ok(linker)
}
