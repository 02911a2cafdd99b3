//! A certificate authority for tests, and registries that speak TLS by it.

use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// Issues certificates that only who trusts it takes.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, both in PEM.
pub struct KeyPairPem {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl Authority {
    /// Another authority each time.
    ///
    /// # Errors
    /// No key can be made.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().context("cannot make a key")?;
        let issuer = CertifiedIssuer::self_signed(params, key).context("cannot make an authority")?;
        Ok(Self { issuer })
    }

    /// Its own certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate that proves who a client is.
    ///
    /// # Errors
    /// No key can be made.
    pub fn client(&self) -> Result<KeyPairPem> {
        let (certificate, key) = self.issue("client", ExtendedKeyUsagePurpose::ClientAuth)?;
        Ok(KeyPairPem {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// A certificate of a server at `127.0.0.1`.
    ///
    /// # Errors
    /// No key can be made.
    pub fn local_server(&self) -> Result<KeyPairPem> {
        let (certificate, key) = self.issue("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth)?;
        Ok(KeyPairPem {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> Result<(rcgen::Certificate, KeyPair)> {
        let mut params = CertificateParams::new([name.to_owned()]).context("cannot name a certificate")?;
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().context("cannot make a key")?;
        let certificate = params.signed_by(&key, &self.issuer);
        Ok((certificate.context("cannot sign a certificate")?, key))
    }

    /// What a server for `127.0.0.1` needs; with `clients` it takes only who shows a certificate of that authority.
    pub(super) fn server(&self, clients: Option<&Self>) -> Result<ServerConfig> {
        let (certificate, key) = self.issue("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth)?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .context("no protocol version")?;
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.issuer.der().clone()).context("no root")?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.context("no verifier")?)
            }
        };
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let chain = vec![certificate.der().clone()];
        builder
            .with_single_cert(chain, key.into())
            .context("no server certificate")
    }
}
