//! Makes signatures of images.
//!
//! A signature is a [`payload`](Payload), which says what an image is called and which digest its manifest has, inside
//! an OpenPGP message ("simple signing", SG-01 to SG-04). The key never comes here: [`Gpg`] has GnuPG sign.

mod gpg;
mod payload;
mod untrusted;

pub use gpg::{Gpg, GpgError};
pub use payload::Payload;
pub use untrusted::{UntrustedSignature, UntrustedSignatureError};
