//! The signature that readers of schema 1 ask for.

use longshore_types::{ManifestError, RawManifest, SchemaOne, SchemaOneDraft};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

/// Why a manifest could not be signed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SigningError {
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The system gave no random numbers.
    #[error("making a key for the signature of a schema 1 manifest failed")]
    Key,
}

/// Signs with a key made for this manifest and then forgotten, as every writer does: the signature vouches for nothing,
/// and makes the bytes of each copy different (MC-06). The digest does not cover it.
pub(super) fn sign(image: &SchemaOne) -> Result<RawManifest, SigningError> {
    let draft = SchemaOneDraft::new(image)?;
    let (signature, x, y) = signature(&draft.message()).ok_or(SigningError::Key)?;
    Ok(draft.signed(&signature, &x, &y)?)
}

/// `r` and `s`, and the coordinates of the public key.
fn signature(message: &[u8]) -> Option<(Vec<u8>, Vec<u8>, Vec<u8>)> {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).ok()?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).ok()?;
    let signature = pair.sign(&random, message).ok()?;
    // An uncompressed point: 4 and both coordinates.
    let (x, y) = pair.public_key().as_ref().get(1..65)?.split_at(32);
    Some((signature.as_ref().to_vec(), x.to_vec(), y.to_vec()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::signature;

    #[test]
    fn the_signature_is_the_keys() {
        let (first, x, y) = signature(b"message").unwrap();
        let point = [&[4], x.as_slice(), y.as_slice()].concat();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        assert!(key.verify(b"message", &first).is_ok());
        assert!(key.verify(b"massage", &first).is_err());
        let (_, other, _) = signature(b"message").unwrap();
        assert_ne!(x, other);
    }
}
