//! What a requirement trusts, read: whose keys may have made a signature.

use std::borrow::Cow;

use crate::attachment::Attachment;
use crate::certificate::Certificate;
use crate::log::{self, Logged};
use crate::public_key::PublicKey;
use crate::requirement::{Material, Signer};
use crate::{chain, fulcio, pki};

/// The keys and certificates of a requirement.
pub(crate) enum Trust<'r> {
    Keys {
        keys: Vec<PublicKey>,
        /// None if no log is asked.
        log: Option<Vec<PublicKey>>,
    },
    Fulcio {
        roots: Vec<Certificate>,
        issuer: &'r str,
        email: &'r str,
        log: Vec<PublicKey>,
    },
    Pki {
        roots: Vec<Certificate>,
        intermediates: Vec<Certificate>,
        email: Option<&'r str>,
        host_name: Option<&'r str>,
    },
}

impl<'r> Trust<'r> {
    /// Reads what `signer` names; `files` has what the host read.
    ///
    /// # Errors
    ///
    /// A key or authority cannot be used (RQ-10).
    pub(crate) fn read(signer: &'r Signer, files: &[(String, Vec<u8>)]) -> Result<Self, String> {
        Ok(match signer {
            Signer::Keys { keys, log } => Self::Keys {
                keys: public_keys("public key", keys, files)?,
                log: log.as_ref().map(|log| log_keys(log, files)).transpose()?,
            },
            Signer::Fulcio {
                authorities,
                issuer,
                email,
                log,
            } => Self::Fulcio {
                roots: pool("Fulcio CA", authorities, files)?,
                issuer,
                email,
                log: log_keys(log, files)?,
            },
            Signer::Pki {
                roots,
                intermediates,
                email,
                host_name,
            } => Self::Pki {
                roots: pool("PKI CA root", roots, files)?,
                intermediates: match intermediates {
                    Some(intermediates) => pool("PKI CA intermediate", intermediates, files)?,
                    None => Vec::new(),
                },
                email: email.as_deref(),
                host_name: host_name.as_deref(),
            },
        })
    }

    /// The keys that may have made a signature, which is not verified here.
    ///
    /// # Errors
    ///
    /// No log has it, or nobody vouches for its certificate.
    pub(crate) fn keys(
        &self,
        attachment: &Attachment,
        signature: &[u8],
        now: u64,
    ) -> Result<Cow<'_, [PublicKey]>, String> {
        match self {
            Self::Keys { keys, log: None } => Ok(Cow::Borrowed(keys)),
            Self::Keys { keys, log: Some(log) } => logged_key(keys, log, attachment, signature),
            Self::Fulcio {
                roots,
                issuer,
                email,
                log,
            } => {
                let promise = attachment.log_entry()?;
                let leaf = leaf(attachment)?;
                let logged = Logged {
                    signer: &leaf.der,
                    signature,
                    payload: &attachment.payload,
                };
                let time = log::verify(log, promise, logged)?;
                certified(&leaf, &intermediates(attachment)?, roots, time)?;
                fulcio::check_subject(&leaf, issuer, email)?;
                leaf.key.map(|key| Cow::Owned(vec![key]))
            }
            Self::Pki {
                roots,
                intermediates,
                email,
                host_name,
            } => {
                let leaf = leaf(attachment)?;
                let mut all = intermediates.clone();
                all.extend(self::intermediates(attachment)?);
                pki::check_subject(&leaf, *email, *host_name)?;
                certified(&leaf, &all, roots, now)?;
                leaf.key.map(|key| Cow::Owned(vec![key]))
            }
        }
    }
}

/// The one of `keys` with which a log has a signature.
fn logged_key<'k>(
    keys: &'k [PublicKey],
    log: &[PublicKey],
    attachment: &Attachment,
    signature: &[u8],
) -> Result<Cow<'k, [PublicKey]>, String> {
    let promise = attachment.log_entry()?;
    let mut failures = Vec::new();
    for key in keys {
        let logged = Logged {
            signer: key.info(),
            signature,
            payload: &attachment.payload,
        };
        match log::verify(log, promise, logged) {
            Ok(_) => return Ok(Cow::Borrowed(std::slice::from_ref(key))),
            Err(reason) => failures.push(reason),
        }
    }
    let failures = failures.join(", ");
    Err(format!("No public key verified against the RekorSET: {failures}"))
}

fn certified(
    leaf: &Certificate,
    intermediates: &[Certificate],
    roots: &[Certificate],
    time: u64,
) -> Result<(), String> {
    chain::verify(leaf, intermediates, roots, time)
        .map_err(|error| format!("verifying leaf certificate failed: {error}"))
}

/// The certificate of a signature.
fn leaf(attachment: &Attachment) -> Result<Certificate, String> {
    let certificates = Certificate::from_pem(attachment.certificate()?.as_bytes())
        .map_err(|error| format!("parsing leaf certificate: {error}"))?;
    match <[Certificate; 1]>::try_from(certificates) {
        Ok([leaf]) => Ok(leaf),
        Err(none) if none.is_empty() => Err("no certificate found in signature certificate data".to_owned()),
        Err(_) => Err("unexpected multiple certificates present in signature certificate data".to_owned()),
    }
}

/// The certificates between that and a root; the last one that comes with a signature is the root again.
fn intermediates(attachment: &Attachment) -> Result<Vec<Certificate>, String> {
    let mut chain = Certificate::from_pem(attachment.chain().as_bytes())
        .map_err(|error| format!("loading certificate chain: {error}"))?;
    chain.pop();
    Ok(chain)
}

fn public_keys(what: &str, material: &Material, files: &[(String, Vec<u8>)]) -> Result<Vec<PublicKey>, String> {
    let documents = material.documents(files)?;
    let keys = documents.iter().zip(1..).map(|(document, number)| {
        PublicKey::from_pem(document).map_err(|error| format!("parsing {what} {number}: {error}"))
    });
    keys.collect()
}

fn log_keys(material: &Material, files: &[(String, Vec<u8>)]) -> Result<Vec<PublicKey>, String> {
    let keys = public_keys("Rekor public key", material, files)?;
    match keys.iter().position(|key| !key.is_ecdsa()) {
        Some(index) => Err(format!("Rekor public key {} is not using ECDSA", index + 1)),
        None => Ok(keys),
    }
}

fn pool(what: &str, material: &Material, files: &[(String, Vec<u8>)]) -> Result<Vec<Certificate>, String> {
    let documents = material.documents(files)?;
    let certificates: Vec<_> = documents.into_iter().flat_map(Certificate::pool).collect();
    if certificates.is_empty() {
        return Err(format!("error loading {what} certificates"));
    }
    Ok(certificates)
}
