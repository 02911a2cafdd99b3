//! `untrusted-signature-dump-without-verification`: what a signature in a file says of itself.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Context as _;
use jiff::Timestamp;
use longshore_sign::UntrustedSignature;
use longshore_types::Digest;
use serde::Serialize;

use super::input;
use crate::args::{PluginChoice, UsageError, program};
use crate::printer::Printer;

/// Largest signature that is read, in bytes.
const MAX_SIGNATURE: u64 = 4 << 20;

/// Dump contents of a signature WITHOUT VERIFYING IT
#[derive(clap::Args)]
#[command(override_usage = "longshore untrusted-signature-dump-without-verification SIGNATURE")]
pub(crate) struct DumpArgs {
    #[arg(hide = true)]
    files: Vec<OsString>,

    #[command(flatten)]
    pub(crate) plugins: PluginChoice,
}

/// What is printed, in this order (UD-01).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    untrusted_docker_manifest_digest: Digest,
    untrusted_docker_reference: String,
    #[serde(rename = "UntrustedCreatorID")]
    untrusted_creator: Option<String>,
    untrusted_timestamp: Option<String>,
    untrusted_short_key_identifier: String,
}

/// Prints a simple signing signature as JSON.
pub(crate) fn run(args: &DumpArgs, printer: &Printer) -> anyhow::Result<()> {
    let [file] = args.files.as_slice() else {
        return Err(UsageError::new(format!(
            "Usage: {} untrusted-signature-dump-without-verification signature",
            program()
        ))
        .into());
    };
    let path = Path::new(file);
    let bytes = input::read(path, MAX_SIGNATURE)
        .with_context(|| format!("Error reading untrusted signature from {}", path.display()))?;
    let read = UntrustedSignature::read(&bytes).context("Error decoding untrusted signature")?;
    let timestamp = read.timestamp.map(Timestamp::from_second).transpose();
    let timestamp = timestamp.context("Error decoding untrusted signature")?;
    printer.json(&Output {
        untrusted_docker_manifest_digest: read.manifest_digest,
        untrusted_docker_reference: read.docker_reference,
        untrusted_creator: read.creator,
        untrusted_timestamp: timestamp.map(|time| time.to_string()),
        untrusted_short_key_identifier: read.short_key_id,
    })
}
