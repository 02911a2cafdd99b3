use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longshore_types::{Digest, json::JsonError};
use p256::SecretKey;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding};

use super::key_file;
use crate::passphrase::Passphrase;
use crate::payload::Payload;
use crate::stored::SigstoreSignature;
use crate::undumpable::Undumpable;

/// A private key that signs images: ECDSA on the curve P-256. It is never shown, is wiped when dropped, and keeps the
/// process from being dumped.
pub struct SigstoreKey {
    key: SecretKey,
    _undumpable: Undumpable,
}

/// Why there is no key or no signature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigstoreKeyError {
    /// It has not the form of a key file.
    #[error("it is no encrypted private key as cosign writes it: {0}")]
    Malformed(String),
    /// It is locked in a way that is not known, or is another kind of key.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// Another passphrase, or an altered file; nobody can tell which.
    #[error("the passphrase is wrong, or the file was altered")]
    Locked,
    /// The system gives no random numbers.
    #[error("random numbers: {0}")]
    Random(getrandom::Error),
    /// What is to be signed cannot be written.
    #[error(transparent)]
    Payload(#[from] JsonError),
}

impl SigstoreKey {
    /// A new key.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub fn generate() -> Result<Self, SigstoreKeyError> {
        let undumpable = Undumpable::hold();
        Ok(Self {
            key: SecretKey::try_generate().map_err(SigstoreKeyError::Random)?,
            _undumpable: undumpable,
        })
    }

    /// Unlocks the content of a key file (SS-18).
    ///
    /// # Errors
    ///
    /// The content is no locked key, the passphrase is another one, or the key is not of the one kind that is known.
    pub fn unlock(file: &[u8], passphrase: &Passphrase) -> Result<Self, SigstoreKeyError> {
        let undumpable = Undumpable::hold();
        let unlocked = key_file::unlock(file, passphrase)?;
        let key = SecretKey::from_pkcs8_der(&unlocked);
        // What exactly is wrong might tell of the key.
        let key = key.map_err(|_| SigstoreKeyError::Unsupported("a key other than ECDSA P-256".to_owned()))?;
        Ok(Self {
            key,
            _undumpable: undumpable,
        })
    }

    /// The content of a key file that the passphrase unlocks.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub fn lock(&self, passphrase: &Passphrase) -> Result<String, SigstoreKeyError> {
        let key = self.key.to_pkcs8_der();
        let key = key.map_err(|error| SigstoreKeyError::Malformed(error.to_string()))?;
        key_file::lock(key.as_bytes(), passphrase)
    }

    /// The public key, as PEM.
    ///
    /// # Errors
    ///
    /// None that is known.
    pub fn public(&self) -> Result<String, SigstoreKeyError> {
        let public = self.key.public_key().to_public_key_pem(LineEnding::LF);
        public.map_err(|error| SigstoreKeyError::Malformed(error.to_string()))
    }

    /// Signs that the image of this name has a manifest with this digest (SS-10, SS-11).
    ///
    /// # Errors
    ///
    /// None that is known.
    pub fn sign(&self, docker_reference: &str, manifest_digest: Digest) -> Result<SigstoreSignature, SigstoreKeyError> {
        let payload = Payload::new(docker_reference, manifest_digest).to_sigstore_json()?;
        let signature: DerSignature = SigningKey::from(&self.key)
            .try_sign(&payload)
            .map_err(|error| SigstoreKeyError::Unsupported(error.to_string()))?;
        let annotation = STANDARD.encode(signature.as_bytes());
        Ok(SigstoreSignature {
            media_type: SigstoreSignature::PAYLOAD_TYPE.to_owned(),
            payload,
            annotations: [(SigstoreSignature::SIGNATURE.to_owned(), annotation)].into(),
        })
    }
}

impl fmt::Debug for SigstoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigstoreKey(..)")
    }
}
