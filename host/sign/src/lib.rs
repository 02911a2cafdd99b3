//! Makes signatures of images.
//!
//! A signature is a [`payload`](Payload), which says what an image is called and which digest its manifest has, inside
//! an OpenPGP message ("simple signing", SG-01 to SG-04). The key never comes here: [`Gpg`] has GnuPG sign.
//! Those of sigstore's tools are read and written as [`SigstoreSignature`].

mod gpg;
mod payload;
mod stored;

pub use gpg::{Gpg, GpgError};
pub use payload::Payload;
pub use stored::{SignatureFormat, SigstoreSignature, StoredSignatureError};
