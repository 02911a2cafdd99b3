//! Certificates of a registry beside the system's: further roots, and our own (TL-03).

use std::fmt;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use thiserror::Error;

use crate::http::ensure_crypto_provider;

/// Roots that are trusted in addition to the system's or in their place, and the certificate that we show to a server that asks for one.
#[derive(Clone, Default)]
pub struct Certificates {
    pub(crate) roots: Vec<reqwest::Certificate>,
    pub(crate) client: Option<reqwest::Identity>,
    pub(crate) only: bool,
}

/// What is wrong with a certificate or key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertificatesError {
    /// The text is no PEM, or what it holds is no certificate.
    #[error("not a PEM certificate: {0}")]
    Certificate(String),
    /// There is no certificate in it.
    #[error("there is no PEM certificate in it")]
    Empty,
    /// The text holds no private key that can be read.
    #[error("not a PEM private key: {0}")]
    Key(String),
    /// The key cannot be used with the certificate.
    #[error("the key does not fit the certificate: {0}")]
    Pair(String),
}

impl Certificates {
    /// Trusts every certificate in a PEM text.
    ///
    /// # Errors
    ///
    /// The text is malformed or holds none.
    pub fn add_roots(&mut self, pem: &[u8]) -> Result<(), CertificatesError> {
        let mut roots = Vec::new();
        for der in certificates(pem)? {
            // A root that cannot be used as one would fail every connection without a name.
            rustls::RootCertStore::empty()
                .add(der.clone())
                .map_err(|error| CertificatesError::Certificate(error.to_string()))?;
            let root = reqwest::Certificate::from_der(&der);
            roots.push(root.map_err(|error| CertificatesError::Certificate(error.to_string()))?);
        }
        self.roots.append(&mut roots);
        Ok(())
    }

    /// Trusts the roots that are added and no others.
    #[must_use]
    pub fn only(self) -> Self {
        Self { only: true, ..self }
    }

    /// Shows this certificate chain to a server that asks for one.
    ///
    /// # Errors
    ///
    /// A text is malformed, or the key is not the certificate's.
    pub fn set_client(&mut self, certificate: &[u8], key: &[u8]) -> Result<(), CertificatesError> {
        let chain = certificates(certificate)?;
        let parsed = PrivateKeyDer::from_pem_slice(key);
        let parsed = parsed.map_err(|error| CertificatesError::Key(error.to_string()))?;
        ensure_crypto_provider();
        if let Some(provider) = CryptoProvider::get_default() {
            CertifiedKey::from_der(chain, parsed, provider)
                .map_err(|error| CertificatesError::Pair(error.to_string()))?;
        }
        let both = [key, b"\n", certificate].concat();
        let identity = reqwest::Identity::from_pem(&both);
        self.client = Some(identity.map_err(|error| CertificatesError::Pair(error.to_string()))?);
        Ok(())
    }

    /// Whether a certificate to show is set already.
    #[must_use]
    pub fn has_client(&self) -> bool {
        self.client.is_some()
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificatesError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(found) if found.is_empty() => Err(CertificatesError::Empty),
        Ok(found) => Ok(found),
        Err(error) => Err(CertificatesError::Certificate(error.to_string())),
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("roots", &self.roots.len())
            .field("client", &self.client.is_some())
            .field("only", &self.only)
            .finish()
    }
}
