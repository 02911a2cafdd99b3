//! Certificates from the files of a grant.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use rustls::crypto::{CryptoProvider, ring};

use super::ClientFiles;
use super::answer::cause;
use crate::files::{GuestResult, guest_error, io_error};
use crate::limits;

/// Has connections trust and show what the files hold.
pub(super) fn configure(
    mut builder: reqwest::ClientBuilder,
    files: &ClientFiles,
    insecure: bool,
) -> GuestResult<reqwest::ClientBuilder> {
    if CryptoProvider::get_default().is_none() {
        // Another thread may have installed one just now: it is as good.
        let _ = ring::default_provider().install_default();
    }
    builder = builder.tls_danger_accept_invalid_certs(insecure);
    if let Some(path) = files.ca.as_deref().filter(|_| !insecure) {
        let roots = reqwest::Certificate::from_pem_bundle(&read(path)?);
        let roots = roots.map_err(|error| unusable(path, cause(&error)))?;
        if roots.is_empty() {
            return Err(unusable(path, "there is no PEM certificate in it"));
        }
        builder = builder.tls_certs_merge(roots);
    }
    if let (Some(certificate), Some(key)) = (&files.certificate, &files.key) {
        let both = [read(key)?, b"\n".to_vec(), read(certificate)?].concat();
        let identity = reqwest::Identity::from_pem(&both);
        builder = builder.identity(identity.map_err(|error| unusable(key, cause(&error)))?);
    }
    Ok(builder)
}

fn read(path: &Path) -> GuestResult<Vec<u8>> {
    let at = |error| io_error(path, &error);
    // Reading a FIFO waits for its writer.
    if !std::fs::metadata(path).map_err(at)?.is_file() {
        return Err(guest_error(
            "invalid-data",
            format!("{}: not a regular file", path.display()),
        ));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(at)?;
    file.take(limits::PEM_FILE + 1).read_to_end(&mut bytes).map_err(at)?;
    if bytes.len() as u64 > limits::PEM_FILE {
        let text = format!("{}: larger than {} bytes", path.display(), limits::PEM_FILE);
        return Err(guest_error("invalid-data", text));
    }
    Ok(bytes)
}

fn unusable(path: &Path, reason: impl std::fmt::Display) -> crate::files::GuestError {
    guest_error("invalid-data", format!("{}: {reason}", path.display()))
}
