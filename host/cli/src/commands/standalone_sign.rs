//! `standalone-sign`: a signature of a manifest file, into a file.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Context as _;
use longshore_sign::{Gpg, Payload};
use longshore_types::{Algorithm, MAX_MANIFEST_SIZE, RawManifest, Reference};

use super::input;
use crate::args::{PluginChoice, UsageError, program};

/// Create a signature using local files
#[derive(clap::Args)]
#[command(
    override_usage = "longshore standalone-sign [command options] MANIFEST DOCKER-REFERENCE KEY-FINGERPRINT --output|-o \
                      SIGNATURE"
)]
pub(crate) struct StandaloneSignArgs {
    #[arg(hide = true)]
    words: Vec<OsString>,

    /// Output the signature to SIGNATURE
    #[arg(long, short, value_name = "SIGNATURE")]
    output: Option<OsString>,

    /// File that contains a passphrase for the key
    #[arg(long, value_name = "PATH")]
    passphrase_file: Option<OsString>,

    #[command(flatten)]
    pub(crate) plugins: PluginChoice,
}

/// Writes a simple signing signature and prints nothing (SS-01).
pub(crate) fn run(args: &StandaloneSignArgs) -> anyhow::Result<()> {
    let output = args.output.as_ref().filter(|path| !path.is_empty());
    let ([manifest, reference, key], Some(output)) = (args.words.as_slice(), output) else {
        let program = program();
        return Err(UsageError::new(format!(
            "Usage: {program} standalone-sign manifest docker-reference key-fingerprint -o signature"
        ))
        .into());
    };
    let path = Path::new(manifest);
    let bytes = input::read(path, MAX_MANIFEST_SIZE as u64);
    let bytes = bytes.with_context(|| format!("Error reading {}", path.display()))?;
    let manifest = RawManifest::new(bytes, None).with_context(|| format!("Error reading {}", path.display()))?;
    let (reference, key) = (reference.to_string_lossy(), key.to_string_lossy());
    // What is signed is the name as it was typed.
    Reference::parse_normalized(&reference).with_context(|| format!("docker reference {reference}"))?;
    let payload = Payload::new(reference.as_ref(), manifest.digest(Algorithm::Sha256));

    let mut gpg = Gpg::default();
    if let Some(path) = args.passphrase_file.as_ref().filter(|path| !path.is_empty()) {
        gpg = gpg.with_passphrase_file(path)?;
    }
    let payload = payload.to_json()?;
    let signature = gpg.sign(&key, &payload).context("Error creating signature")?;
    let output = Path::new(output);
    std::fs::write(output, signature).with_context(|| format!("Error writing signature to {}", output.display()))
}
