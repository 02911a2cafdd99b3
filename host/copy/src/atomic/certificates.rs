use longshore_config::{ApiServer, PemFile};
use longshore_registry::{Certificates, CertificatesError};
use longshore_types::ErrorKind;

use crate::error::TransportError;

/// What a kubeconfig file says about certificates, for the client of the API server.
pub(super) fn of(server: &ApiServer) -> Result<Certificates, TransportError> {
    let mut certificates = Certificates::default();
    if let Some(roots) = &server.roots {
        let added = certificates.add_roots(&roots.bytes);
        added.map_err(|error| unusable(roots, &error))?;
        certificates = certificates.only();
    }
    if let Some(client) = &server.client {
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
