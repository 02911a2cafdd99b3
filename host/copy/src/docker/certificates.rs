//! The certificates of one registry, from its folder to its client.

use longshore_config::{CertificateFiles, Environment, PemFile};
use longshore_registry::{Certificates, CertificatesError};
use longshore_types::ErrorKind;

use crate::access::Access;
use crate::error::TransportError;

/// Reads what the user has for a registry (TL-01 to TL-03). Of several client certificates the first is shown.
pub(super) fn load(registry: &str, access: &Access, environment: &Environment) -> Result<Certificates, TransportError> {
    let files = CertificateFiles::load(access.cert_dir.as_deref(), registry, environment)
        .map_err(|error| TransportError::wrap(error.kind(), error))?;
    let mut certificates = Certificates::default();
    for root in &files.roots {
        match certificates.add_roots(&root.bytes) {
            // Of no use, but of no harm; other tools pass over it in silence.
            Err(CertificatesError::Empty) => tracing::warn!("{}: {}", root.path.display(), CertificatesError::Empty),
            added => added.map_err(|error| unusable(root, &error))?,
        }
    }
    for client in &files.clients {
        if certificates.has_client() {
            tracing::warn!(
                "{}: another client certificate of the same folder is used",
                client.certificate.path.display()
            );
            continue;
        }
        let set = certificates.set_client(&client.certificate.bytes, &client.key.bytes);
        set.map_err(|error| match error {
            CertificatesError::Key(_) => unusable(&client.key, &error),
            _ => unusable(&client.certificate, &error),
        })?;
    }
    Ok(certificates)
}

fn unusable(file: &PemFile, error: &CertificatesError) -> TransportError {
    TransportError::new(ErrorKind::InvalidData, format!("{}: {error}", file.path.display()))
}
