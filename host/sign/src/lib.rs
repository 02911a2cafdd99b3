//! Makes signatures of images.
//!
//! A signature is a [`payload`](Payload), which says what an image is called and which digest its manifest has, and
//! something that only the owner of a key can make of it. For simple signing that is an OpenPGP message around it
//! (SG-01 to SG-04), and the key never comes here: [`Gpg`] has GnuPG sign. Sigstore's tools sign it with a
//! [`SigstoreKey`] from a file (SS-10 to SS-18); the payload and the signature are a [`SigstoreSignature`] together.

mod gpg;
mod passphrase;
mod payload;
mod sigstore;
mod stored;
mod undumpable;
mod untrusted;

pub use gpg::{Gpg, GpgError};
pub use passphrase::{Passphrase, PassphraseError};
pub use payload::Payload;
pub use sigstore::{SigstoreKey, SigstoreKeyError};
pub use stored::{SignatureFormat, SigstoreSignature, StoredSignatureError, openpgp_message};
pub use undumpable::Undumpable;
pub use untrusted::{UntrustedSignature, UntrustedSignatureError};
