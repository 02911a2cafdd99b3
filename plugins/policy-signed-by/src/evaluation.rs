//! The verdict on an image: each of its signatures in turn (RQ-03), with the checks in the order of PE-09.

use longshore_guest::{Finding, Verdict};
use longshore_policy::{Payload, PayloadKind, Stored, recognise};

use crate::keyring::Keyring;
use crate::message::Message;
use crate::requirement::{KeyType, Keys, Requirement, SignedBy};

/// What counts of an image.
pub(crate) struct Facts {
    pub(crate) docker_reference: Option<String>,
    pub(crate) manifest_digest: String,
    pub(crate) signatures: Vec<Vec<u8>>,
    pub(crate) now: u64,
}

/// Judges an image; `files` are those that the requirement names, in its order.
///
/// # Errors
///
/// The requirement cannot be applied: its type of key is not implemented, or it has no usable key.
pub(crate) fn evaluate(requirement: Requirement, files: &[Vec<u8>], image: &Facts) -> Result<Verdict, String> {
    let requirement = match requirement {
        Requirement::SignedBy(requirement) => requirement,
        Requirement::SignedBaseLayer => return Ok(Verdict::rejected("signedBaseLayer not implemented yet!")),
    };
    let candidates = match candidates(&image.signatures) {
        Ok(candidates) if candidates.is_empty() => {
            return Ok(Verdict::rejected("A signature was required, but no signature exists"));
        }
        Ok(candidates) => candidates,
        Err(finding) => return Ok(Verdict::by_signatures(vec![finding])),
    };
    if let KeyType::Unimplemented(key_type) = &requirement.key_type {
        return Err(format!("Unimplemented \"keyType\" value {key_type:?}"));
    }
    let keyring = match &requirement.keys {
        Keys::Inline(data) => Keyring::import([&data[..]]),
        Keys::Files(_) => Keyring::import(files.iter().map(Vec::as_slice)),
    }?;
    let findings = candidates
        .into_iter()
        .map(|(index, bytes)| match judge(&requirement, &keyring, bytes, image) {
            Ok(Signed { key, .. }) => Finding::accepted(index, format!("signed by key {key}")),
            Err(reason) => Finding::rejected(index, reason),
        });
    Ok(Verdict::by_signatures(findings.collect()))
}

/// The simple signatures among all, with their places.
fn candidates(signatures: &[Vec<u8>]) -> Result<Vec<(usize, &[u8])>, Finding> {
    let mut candidates = Vec::new();
    for (index, blob) in signatures.iter().enumerate() {
        match recognise(blob) {
            Ok(Stored::Simple(bytes)) => candidates.push((index, bytes)),
            Ok(Stored::Sigstore(_)) => {}
            Err(reason) => return Err(Finding::rejected(index, format!("parsing signature: {reason}"))),
        }
    }
    Ok(candidates)
}

/// A signature that speaks for the image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    /// Fingerprint of the primary key.
    pub(crate) key: String,
    pub(crate) payload: Payload,
}

/// Whether one signature speaks for the image.
pub(crate) fn judge(requirement: &SignedBy, keyring: &Keyring, bytes: &[u8], image: &Facts) -> Result<Signed, String> {
    let invalid = |reason: String| format!("Invalid GPG signature: {reason}");
    let message = Message::parse(bytes).map_err(invalid)?;
    let key = keyring.verify(&message, image.now).map_err(invalid)?;
    let payload = Payload::parse(&message.payload, PayloadKind::Simple)?;
    payload.speaks_for(
        &image.manifest_digest,
        image.docker_reference.as_deref(),
        &requirement.identity,
    )?;
    Ok(Signed { key, payload })
}

#[cfg(test)]
mod tests;
