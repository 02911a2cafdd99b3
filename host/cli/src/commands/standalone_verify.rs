//! `standalone-verify`: whether a signature in a file is one of a manifest in a file.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, bail};
use longshore_copy::verify_signature;
use longshore_sign::Gpg;
use longshore_types::{Algorithm, MAX_MANIFEST_SIZE, RawManifest, Reference};

use super::input;
use crate::args::{PluginChoice, UsageError, program};
use crate::printer::Printer;
use crate::settings::Settings;

/// Largest signature or file of public keys that is read, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// Every key of the given file.
const ANY: &str = "any";

/// Verify a signature using local files
#[derive(clap::Args)]
#[command(override_usage = "longshore standalone-verify MANIFEST DOCKER-REFERENCE KEY-FINGERPRINTS SIGNATURE")]
pub(crate) struct StandaloneVerifyArgs {
    #[arg(hide = true)]
    words: Vec<OsString>,

    /// File containing public keys; otherwise those of the user's GnuPG are taken
    #[arg(long, value_name = "PATH")]
    public_key_file: Option<OsString>,

    #[command(flatten)]
    pub(crate) plugins: PluginChoice,
}

/// Says by whose key a manifest is signed (SV-01, SV-02).
pub(crate) async fn run(args: StandaloneVerifyArgs, settings: &Settings, printer: &Printer) -> anyhow::Result<()> {
    let [manifest, reference, fingerprints, signature] = args.words.as_slice() else {
        let program = program();
        return Err(UsageError::new(format!(
            "Usage: {program} standalone-verify manifest docker-reference key-fingerprint signature"
        ))
        .into());
    };
    let manifest = Path::new(manifest);
    let bytes = input::read(manifest, MAX_MANIFEST_SIZE as u64);
    let bytes = bytes.with_context(|| format!("Error reading manifest from {}", manifest.display()))?;
    let manifest =
        RawManifest::new(bytes, None).with_context(|| format!("Error reading manifest from {}", manifest.display()))?;
    let signature = Path::new(signature);
    let signature = input::read(signature, MAX_FILE)
        .with_context(|| format!("Error reading signature from {}", signature.display()))?;
    let reference = reference.to_string_lossy();
    let reference = Reference::parse_normalized(&reference).with_context(|| format!("docker reference {reference}"))?;

    // Holds the keys of the file; the user's own key ring is left alone.
    let keys = tempfile::tempdir().context("making a folder for the public keys")?;
    let key_file = args.public_key_file.as_deref().filter(|path| !path.is_empty());
    let gpg = match key_file {
        None => Gpg::default(),
        Some(path) => {
            let path = Path::new(path);
            let bytes = input::read(path, MAX_FILE);
            let bytes = bytes.with_context(|| format!("Error reading public keys from {}", path.display()))?;
            let gpg = Gpg::default().with_home(keys.path());
            let imported = gpg.import(&bytes);
            imported.with_context(|| format!("Error reading public keys from {}", path.display()))?;
            gpg
        }
    };
    let fingerprints = fingerprints.to_string_lossy();
    let fingerprints = match (fingerprints.as_ref(), key_file) {
        (ANY, None) => bail!("Cannot use any fingerprint without a public key file"),
        (ANY, Some(_)) => gpg.fingerprints(None)?,
        (listed, _) => listed.split(',').map(|one| one.trim().to_owned()).collect(),
    };
    let mut reasons = Vec::new();
    for fingerprint in fingerprints {
        let judged = match only_key(&gpg, &fingerprint) {
            Ok(key) => verify_signature(&settings.plugins, &key, &reference, &manifest, &signature).await,
            Err(reason) => Err(reason),
        };
        match judged {
            Ok(()) => {
                let digest = manifest.digest(Algorithm::Sha256);
                return printer.result(format!(
                    "Signature verified using fingerprint {fingerprint}, digest {digest}\n"
                ));
            }
            Err(reason) if reasons.contains(&reason) => {}
            Err(reason) => reasons.push(reason),
        }
    }
    bail!("Error verifying signature: {}", reasons.join("; "));
}

/// The key that has this very fingerprint. GnuPG itself takes any text for a name, and a part of a user id may stand for
/// the keys of strangers.
fn only_key(gpg: &Gpg, fingerprint: &str) -> Result<Vec<u8>, String> {
    let key = gpg.export(fingerprint).map_err(|error| error.to_string())?;
    let named = gpg.fingerprints(Some(fingerprint)).map_err(|error| error.to_string())?;
    match named.as_slice() {
        [one] if one.eq_ignore_ascii_case(fingerprint) => Ok(key),
        _ => Err(format!("{fingerprint:?} is not the fingerprint of a primary key")),
    }
}
