//! `manifest-digest`: the digest by which a registry knows a manifest file.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Context as _;
use longshore_types::{Algorithm, RawManifest};

use super::input;
use crate::args::{PluginChoice, UsageError, program};
use crate::printer::Printer;

/// Compute a manifest digest of a file
#[derive(clap::Args)]
#[command(override_usage = "longshore manifest-digest MANIFEST-FILE")]
pub(crate) struct ManifestDigestArgs {
    #[arg(hide = true)]
    files: Vec<OsString>,

    #[command(flatten)]
    pub(crate) plugins: PluginChoice,
}

/// Prints the SHA-256 digest of a manifest file and a newline (MD-01).
pub(crate) fn run(args: &ManifestDigestArgs, printer: &Printer) -> anyhow::Result<()> {
    let [file] = args.files.as_slice() else {
        return Err(UsageError::new(format!("Usage: {} manifest-digest manifest", program())).into());
    };
    let path = Path::new(file);
    let bytes = input::read(path, longshore_types::MAX_MANIFEST_SIZE as u64)
        .with_context(|| format!("Error reading manifest from {}", path.display()))?;
    let manifest = RawManifest::new(bytes, None).context("Error computing digest")?;
    let digest = manifest.digest(Algorithm::Sha256);
    printer.result(format!("{digest}\n"))
}
