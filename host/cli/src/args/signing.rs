//! What an image is signed with.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use longshore_config::SigstoreParameters;
use longshore_copy::{GpgSigner, Options, SigstoreSigner};
use longshore_sign::{Gpg, SigstoreKey};
use longshore_sigstore::Rekor;
use longshore_types::Reference;

use super::UsageError;
use crate::commands::input;
use crate::passphrase;
use crate::printer::Printer;

/// Largest file with a private key, in bytes; one has less than a thousand.
const MAX_KEY_FILE: u64 = 64 << 10;

/// The flags of `copy` about new signatures (CP-12, CP-14 to CP-17).
#[derive(clap::Args, Debug, Default)]
pub(crate) struct SigningArgs {
    /// Sign the image using a GPG key with the specified FINGERPRINT
    #[arg(long, value_name = "FINGERPRINT")]
    sign_by: Option<String>,

    /// Sign the image using a sigstore parameter file at PATH
    #[arg(long, value_name = "PATH")]
    sign_by_sigstore: Option<OsString>,

    /// Sign the image using a sigstore private key at PATH
    #[arg(long, value_name = "PATH")]
    sign_by_sigstore_private_key: Option<OsString>,

    /// Read a passphrase for signing an image from PATH
    #[arg(long, value_name = "PATH")]
    sign_passphrase_file: Option<OsString>,

    /// Identity of signed image, must be a fully specified docker reference; defaults to the target docker reference
    #[arg(long, value_name = "REFERENCE")]
    sign_identity: Option<String>,
}

impl SigningArgs {
    /// Adds what was asked for to the options of a copy; may ask for a passphrase.
    pub(crate) async fn apply(&self, options: &mut Options, printer: &Printer) -> anyhow::Result<()> {
        let passphrase_file = given(self.sign_passphrase_file.as_ref());
        let key_file = given(self.sign_by_sigstore_private_key.as_ref());
        let gpg_key = self.sign_by.as_deref().filter(|text| !text.is_empty());
        if passphrase_file.is_some() && gpg_key.is_some() && key_file.is_some() {
            return Err(UsageError::new(
                "Only one of --sign-by and sign-by-sigstore-private-key can be used with sign-passphrase-file",
            )
            .into());
        }
        if let Some(identity) = self.sign_identity.as_deref().filter(|text| !text.is_empty()) {
            options.sign_identity = Some(full_reference(identity)?);
        }
        if let Some(path) = given(self.sign_by_sigstore.as_ref()) {
            let parameters = SigstoreParameters::load(path).context("Error using --sign-by-sigstore")?;
            let passphrase_file = parameters.private_key_passphrase_file.as_deref();
            let signer = sigstore_signer(&parameters.private_key_file, passphrase_file, printer).await;
            let mut signer = signer.context("Error using --sign-by-sigstore")?;
            if let Some(url) = &parameters.rekor_url {
                signer = signer.with_log(Rekor::at(url).context("Error using --sign-by-sigstore: rekorURL")?);
            }
            options.signers.push(Arc::new(signer));
        }
        if let Some(key) = gpg_key {
            let mut gpg = Gpg::default();
            if let Some(path) = passphrase_file {
                gpg = gpg.with_passphrase_file(path)?;
            }
            options.signers.push(Arc::new(GpgSigner::new(gpg, key)));
        }
        if let Some(path) = key_file {
            let signer = sigstore_signer(path, passphrase_file, printer).await?;
            options.signers.push(Arc::new(signer));
        }
        Ok(())
    }
}

/// A path, unless it is empty, which is as none.
fn given(path: Option<&OsString>) -> Option<&Path> {
    path.map(OsString::as_os_str)
        .filter(|path| !OsStr::is_empty(path))
        .map(Path::new)
}

/// Reads and unlocks a private key.
async fn sigstore_signer(
    key_file: &Path,
    passphrase_file: Option<&Path>,
    printer: &Printer,
) -> anyhow::Result<SigstoreSigner> {
    let file = input::read(key_file, MAX_KEY_FILE);
    let file = file.with_context(|| format!("reading private key {}", key_file.display()))?;
    let passphrase = passphrase::of_key(key_file, passphrase_file, printer).await?;
    let key = SigstoreKey::unlock(&file, &passphrase);
    let key = key.with_context(|| format!("initializing private key {}", key_file.display()))?;
    Ok(SigstoreSigner::new(key))
}

/// A name as signatures have it: with its registry, and with a tag or digest.
fn full_reference(text: &str) -> Result<Reference, UsageError> {
    let refused = |reason: String| UsageError::new(format!("Could not parse --sign-identity: {reason}"));
    let reference = Reference::parse_normalized(text).map_err(|error| refused(error.to_string()))?;
    if reference.to_string() != text {
        return Err(refused("repository name must be canonical".to_owned()));
    }
    if reference.is_name_only() {
        return Err(UsageError::new("Sign identity must be a fully specified reference"));
    }
    Ok(reference)
}

#[cfg(test)]
mod tests {
    use super::full_reference;

    #[test]
    fn identities() {
        for (text, expected) in [
            ("h.test/a:1", None),
            ("docker.io/library/busybox:latest", None),
            (
                "busybox:latest",
                Some("Could not parse --sign-identity: repository name must be canonical"),
            ),
            ("h.test/a", Some("Sign identity must be a fully specified reference")),
            ("h.test/A:1", Some("Could not parse --sign-identity: ")),
        ] {
            let refused = full_reference(text).err().map(|error| error.to_string());
            match expected {
                None => assert_eq!(refused, None, "{text}"),
                Some(start) => assert!(refused.unwrap_or_default().starts_with(start), "{text}"),
            }
        }
    }
}
