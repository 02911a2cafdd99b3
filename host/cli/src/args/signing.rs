//! What an image is signed with.

use std::ffi::OsString;
use std::sync::Arc;

use longshore_copy::{GpgSigner, Options};
use longshore_sign::Gpg;
use longshore_types::Reference;

use super::UsageError;

/// The flags of `copy` about new signatures (CP-12, CP-16, CP-17).
#[derive(clap::Args, Debug, Default)]
pub(crate) struct SigningArgs {
    /// Sign the image using a GPG key with the specified FINGERPRINT
    #[arg(long, value_name = "FINGERPRINT")]
    sign_by: Option<String>,

    /// Read a passphrase for signing an image from PATH
    #[arg(long, value_name = "PATH")]
    sign_passphrase_file: Option<OsString>,

    /// Identity of signed image, must be a fully specified docker reference; defaults to the target docker reference
    #[arg(long, value_name = "REFERENCE")]
    sign_identity: Option<String>,
}

impl SigningArgs {
    /// Adds what was asked for to the options of a copy.
    pub(crate) fn apply(&self, options: &mut Options) -> anyhow::Result<()> {
        if let Some(identity) = self.sign_identity.as_deref().filter(|text| !text.is_empty()) {
            options.sign_identity = Some(full_reference(identity)?);
        }
        if let Some(key) = self.sign_by.as_deref().filter(|text| !text.is_empty()) {
            let mut gpg = Gpg::default();
            if let Some(path) = self.sign_passphrase_file.as_ref().filter(|path| !path.is_empty()) {
                gpg = gpg.with_passphrase_file(path)?;
            }
            options.signers.push(Arc::new(GpgSigner::new(gpg, key)));
        }
        Ok(())
    }
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
