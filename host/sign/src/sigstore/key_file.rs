//! The form of private keys in files (SS-18; formats, section 11.5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::pkcs8::der::pem::{self, LineEnding};
use scrypt::Params;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::key::SigstoreKeyError;
use super::secretbox::{self, KEY, NONCE};
use crate::passphrase::Passphrase;

/// The label that is written: every version of the tools reads it.
const LABEL: &str = "ENCRYPTED COSIGN PRIVATE KEY";

/// The label that newer versions of cosign write.
const NEW_LABEL: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";

/// The cost that is written, as a power of two.
const LOG_N: u8 = 16;

/// The costs that are read, as the tools do; others could take any time and memory.
const READ_LOG_N: [u8; 3] = [15, LOG_N, 17];

const KDF: &str = "scrypt";
const CIPHER: &str = "nacl/secretbox";
const R: u32 = 8;
const P: u32 = 1;

/// Bytes of the salt that is written.
const SALT: usize = 32;

#[derive(Serialize, Deserialize)]
struct Locked {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
struct Kdf {
    name: String,
    params: Cost,
    salt: String,
}

#[derive(Serialize, Deserialize)]
struct Cost {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Serialize, Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// Locks a key in its PKCS #8 form.
pub(super) fn lock(key: &[u8], passphrase: &Passphrase) -> Result<String, SigstoreKeyError> {
    let mut salt = [0; SALT];
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut salt).map_err(SigstoreKeyError::Random)?;
    getrandom::fill(&mut nonce).map_err(SigstoreKeyError::Random)?;
    let sealed = {
        let box_key = derive(passphrase, &salt, LOG_N)?;
        secretbox::seal(&box_key, &nonce, key)
    };
    let locked = Locked {
        ciphertext: STANDARD.encode(sealed),
        kdf: Kdf {
            name: KDF.to_owned(),
            params: Cost {
                n: 1 << LOG_N,
                r: R,
                p: P,
            },
            salt: STANDARD.encode(salt),
        },
        cipher: Cipher {
            name: CIPHER.to_owned(),
            nonce: STANDARD.encode(nonce),
        },
    };
    let document = serde_json::to_vec(&locked).map_err(|error| malformed(&error))?;
    pem::encode_string(LABEL, LineEnding::LF, &document).map_err(|error| malformed(&error))
}

/// Unlocks a key, which is then in its PKCS #8 form.
pub(super) fn unlock(file: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, SigstoreKeyError> {
    let (label, document) = pem::decode_vec(file).map_err(|error| malformed(&error))?;
    // An unlocked key may be in there.
    let document = Zeroizing::new(document);
    if ![LABEL, NEW_LABEL].contains(&label) {
        return Err(malformed(&format_args!(
            "it is neither {LABEL:?} nor {NEW_LABEL:?}, but {label:?}"
        )));
    }
    let locked: Locked = serde_json::from_slice(&document).map_err(|error| malformed(&error))?;
    let Cost { n, r, p } = locked.kdf.params;
    let log_n = READ_LOG_N.into_iter().find(|log_n| n == 1 << log_n);
    let (KDF, Some(log_n), R, P) = (locked.kdf.name.as_str(), log_n, r, p) else {
        let text = format!("key derivation {:?} with N {n}, r {r} and p {p}", locked.kdf.name);
        return Err(SigstoreKeyError::Unsupported(text));
    };
    if locked.cipher.name != CIPHER {
        return Err(SigstoreKeyError::Unsupported(format!(
            "cipher {:?}",
            locked.cipher.name
        )));
    }
    let decode = |text: &str| STANDARD.decode(text).map_err(|error| malformed(&error));
    let nonce = decode(&locked.cipher.nonce)?.try_into();
    let nonce: [u8; NONCE] = nonce.map_err(|_| malformed(&"the nonce has another length"))?;
    let key = derive(passphrase, &decode(&locked.kdf.salt)?, log_n)?;
    secretbox::open(&key, &nonce, &decode(&locked.ciphertext)?).ok_or(SigstoreKeyError::Locked)
}

fn derive(passphrase: &Passphrase, salt: &[u8], log_n: u8) -> Result<Zeroizing<[u8; KEY]>, SigstoreKeyError> {
    let params = Params::new(log_n, R, P).map_err(|error| malformed(&error))?;
    let mut key = Zeroizing::new([0; KEY]);
    scrypt::scrypt(passphrase.expose(), salt, &params, &mut *key).map_err(|error| malformed(&error))?;
    Ok(key)
}

fn malformed(why: &dyn std::fmt::Display) -> SigstoreKeyError {
    SigstoreKeyError::Malformed(why.to_string())
}
