//! Public keys, and whether one made a signature (SS-14).

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use der::Decode as _;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::pkcs1::DecodeRsaPublicKey as _;
use rsa::traits::PublicKeyParts as _;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use x509_cert::spki::{EncodePublicKey as _, SubjectPublicKeyInfoRef};

/// Smallest RSA modulus, in bytes: what is shorter can be factored.
const MIN_RSA_SIZE: usize = 256;

/// A key that verifies signatures.
#[derive(Clone, Debug)]
pub(crate) struct PublicKey {
    algorithm: Algorithm,
    info: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Algorithm {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
    Rsa(rsa::PublicKey),
    Ed25519(ed25519_dalek::VerifyingKey),
}

/// What is hashed before it is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// How a signature was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Ecdsa(Hash),
    /// PKCS#1 v1.5.
    Rsa(Hash),
    Ed25519,
}

impl PublicKey {
    /// Reads a key from the first block of a PEM document.
    pub(crate) fn from_pem(document: &[u8]) -> Result<Self, String> {
        let block = pem::parse(document).map_err(|_| "PEM decoding failed".to_owned())?;
        match block.tag() {
            "PUBLIC KEY" => Self::from_der(block.contents()),
            "RSA PUBLIC KEY" => {
                let key = rsa::PublicKey::from_pkcs1_der(block.contents()).map_err(|error| error.to_string())?;
                let info = key.to_public_key_der().map_err(|error| error.to_string())?;
                Self::from_der(info.as_bytes())
            }
            other => Err(format!(
                "unknown Public key PEM file type: {other}. Are you passing the correct public key?"
            )),
        }
    }

    /// Reads a `SubjectPublicKeyInfo`.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, String> {
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|error| error.to_string())?;
        Ok(Self {
            algorithm: Algorithm::of(info)?,
            info: der.to_vec(),
        })
    }

    /// The DER form of the key's `SubjectPublicKeyInfo`.
    pub(crate) fn info(&self) -> &[u8] {
        &self.info
    }

    /// What people compare keys by: the hash of [`PublicKey::info`].
    pub(crate) fn fingerprint(&self) -> String {
        format!("sha256:{}", hex::encode(Sha256::digest(&self.info)))
    }

    /// Whether it is for ECDSA.
    pub(crate) fn is_ecdsa(&self) -> bool {
        matches!(
            self.algorithm,
            Algorithm::P256(_) | Algorithm::P384(_) | Algorithm::P521(_)
        )
    }

    /// How this key signs what is no certificate.
    pub(crate) fn usual_scheme(&self) -> Scheme {
        match self.algorithm {
            Algorithm::Rsa(_) => Scheme::Rsa(Hash::Sha256),
            Algorithm::Ed25519(_) => Scheme::Ed25519,
            _ => Scheme::Ecdsa(Hash::Sha256),
        }
    }

    /// Whether this key made `signature` over `message`.
    pub(crate) fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        match (&self.algorithm, scheme) {
            (Algorithm::P256(key), Scheme::Ecdsa(hash)) => {
                holds::<_, p256::ecdsa::DerSignature>(key, &hash.of(message), signature)
            }
            (Algorithm::P384(key), Scheme::Ecdsa(hash)) => {
                holds::<_, p384::ecdsa::DerSignature>(key, &hash.of(message), signature)
            }
            (Algorithm::P521(key), Scheme::Ecdsa(hash)) => {
                holds::<_, p521::ecdsa::DerSignature>(key, &hash.of(message), signature)
            }
            (Algorithm::Rsa(key), Scheme::Rsa(hash)) => {
                key.verify(hash.padding(), &hash.of(message), signature).is_ok()
            }
            (Algorithm::Ed25519(key), Scheme::Ed25519) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            _ => false,
        }
    }
}

fn holds<K, S>(key: &K, digest: &[u8], signature: &[u8]) -> bool
where
    K: PrehashVerifier<S>,
    S: for<'s> TryFrom<&'s [u8]>,
{
    S::try_from(signature).is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok())
}

impl Algorithm {
    fn of(info: SubjectPublicKeyInfoRef<'_>) -> Result<Self, String> {
        let unusable = |error: x509_cert::spki::Error| format!("unusable public key: {error}");
        match info.algorithm.oid {
            rfc5912::ID_EC_PUBLIC_KEY => {
                let parameters = info.algorithm.parameters;
                let curve = parameters.and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok());
                match curve {
                    Some(rfc5912::SECP_256_R_1) => info.try_into().map(Self::P256).map_err(unusable),
                    Some(rfc5912::SECP_384_R_1) => info.try_into().map(Self::P384).map_err(unusable),
                    Some(rfc5912::SECP_521_R_1) => info.try_into().map(Self::P521).map_err(unusable),
                    _ => Err("public key on an unknown curve".to_owned()),
                }
            }
            rfc5912::RSA_ENCRYPTION => {
                let key = rsa::PublicKey::try_from(info).map_err(unusable)?;
                if key.size() < MIN_RSA_SIZE {
                    return Err(format!("RSA key of less than {} bits", MIN_RSA_SIZE * 8));
                }
                Ok(Self::Rsa(key))
            }
            rfc8410::ID_ED_25519 => info.try_into().map(Self::Ed25519).map_err(unusable),
            other => Err(format!("unknown public key algorithm {other}")),
        }
    }
}

impl Hash {
    fn of(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }

    fn padding(self) -> rsa::Pkcs1v15Sign {
        match self {
            Self::Sha256 => rsa::Pkcs1v15Sign::new::<Sha256>(),
            Self::Sha384 => rsa::Pkcs1v15Sign::new::<Sha384>(),
            Self::Sha512 => rsa::Pkcs1v15Sign::new::<Sha512>(),
        }
    }
}

impl Scheme {
    /// The scheme of a certificate's signature; none for what is unknown or broken, such as SHA-1.
    pub(crate) fn of_certificate(algorithm: ObjectIdentifier) -> Option<Self> {
        Some(match algorithm {
            rfc5912::ECDSA_WITH_SHA_256 => Self::Ecdsa(Hash::Sha256),
            rfc5912::ECDSA_WITH_SHA_384 => Self::Ecdsa(Hash::Sha384),
            rfc5912::ECDSA_WITH_SHA_512 => Self::Ecdsa(Hash::Sha512),
            rfc5912::SHA_256_WITH_RSA_ENCRYPTION => Self::Rsa(Hash::Sha256),
            rfc5912::SHA_384_WITH_RSA_ENCRYPTION => Self::Rsa(Hash::Sha384),
            rfc5912::SHA_512_WITH_RSA_ENCRYPTION => Self::Rsa(Hash::Sha512),
            rfc8410::ID_ED_25519 => Self::Ed25519,
            _ => return None,
        })
    }
}
