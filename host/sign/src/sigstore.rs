//! Signatures as sigstore's tools make them: keys in files, ECDSA over a payload (7.4).

mod key;
mod key_file;
mod secretbox;
#[cfg(test)]
mod tests;

pub use key::{SigstoreKey, SigstoreKeyError};
