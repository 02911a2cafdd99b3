//! The verdict on an image: each of its signatures in turn (RQ-06).

use longshore_guest::{Finding, Verdict};
use longshore_policy::{Payload, PayloadKind, Stored, recognise};

use crate::attachment::Attachment;
use crate::requirement::Requirement;
use crate::trust::Trust;

/// What counts of an image.
pub(crate) struct Facts {
    pub(crate) docker_reference: Option<String>,
    pub(crate) manifest_digest: String,
    pub(crate) signatures: Vec<Vec<u8>>,
    pub(crate) now: u64,
}

/// Judges an image; `files` are those that the requirement names.
///
/// # Errors
///
/// The requirement cannot be applied: a key or certificate of it cannot be used.
pub(crate) fn evaluate(
    requirement: &Requirement,
    files: &[(String, Vec<u8>)],
    image: &Facts,
) -> Result<Verdict, String> {
    let candidates = match candidates(&image.signatures) {
        Ok(candidates) => candidates,
        Err(finding) => return Ok(Verdict::by_signatures(vec![finding])),
    };
    if candidates.signatures.is_empty() {
        return Ok(Verdict::rejected(candidates.none()));
    }
    let trust = Trust::read(&requirement.signer, files)?;
    let findings =
        candidates.signatures.iter().map(
            |(index, attachment)| match judge(requirement, &trust, attachment, image) {
                Ok(Signed { key, .. }) => Finding::accepted(*index, format!("signed by key {key}")),
                Err(reason) => Finding::rejected(*index, reason),
            },
        );
    Ok(Verdict::by_signatures(findings.collect()))
}

/// The signatures that may speak for an image, and how many others there are.
#[derive(Default)]
struct Candidates {
    signatures: Vec<(usize, Attachment)>,
    others: usize,
    not_signatures: usize,
}

impl Candidates {
    /// What is said if there is no signature (PE-03).
    fn none(&self) -> String {
        let reason = "A signature was required, but no signature exists".to_owned();
        match (self.others, self.not_signatures) {
            (0, 0) => reason,
            (others, not_signatures) => format!(
                "{reason} ({others} non-sigstore signatures, {not_signatures} sigstore non-signature attachments)"
            ),
        }
    }
}

/// Sorts signatures; one that nobody can read stops everything, as it may have been meant to count.
fn candidates(signatures: &[Vec<u8>]) -> Result<Candidates, Finding> {
    let mut candidates = Candidates::default();
    for (index, blob) in signatures.iter().enumerate() {
        let unreadable = |reason: String| Finding::rejected(index, format!("parsing signature: {reason}"));
        match recognise(blob).map_err(unreadable)? {
            Stored::Simple(_) => candidates.others += 1,
            Stored::Sigstore(json) => {
                let attachment = Attachment::parse(json).map_err(unreadable)?;
                if attachment.is_signature() {
                    candidates.signatures.push((index, attachment));
                } else {
                    candidates.not_signatures += 1;
                }
            }
        }
    }
    Ok(candidates)
}

/// A signature that speaks for the image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    /// Fingerprint of the key.
    pub(crate) key: String,
    pub(crate) payload: Payload,
}

/// Whether one signature speaks for the image.
pub(crate) fn judge(
    requirement: &Requirement,
    trust: &Trust<'_>,
    attachment: &Attachment,
    image: &Facts,
) -> Result<Signed, String> {
    let signature = attachment.signature()?;
    let keys = trust.keys(attachment, &signature, image.now)?;
    let key = keys
        .iter()
        .find(|key| key.verifies(key.usual_scheme(), &attachment.payload, &signature))
        .ok_or_else(|| "cryptographic signature verification failed".to_owned())?;
    let payload = Payload::parse(&attachment.payload, PayloadKind::Sigstore)?;
    payload.speaks_for(
        &image.manifest_digest,
        image.docker_reference.as_deref(),
        &requirement.identity,
    )?;
    Ok(Signed {
        key: key.fingerprint(),
        payload,
    })
}

#[cfg(test)]
mod tests;
