//! What a policy made of an image, for people and programs that want to know why.

use std::path::PathBuf;

use longshore_runtime::{Outcome, Verdict};
use longshore_types::Digest;

use crate::error::CopyError;

/// How a policy judged one image, requirement by requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// `transport:reference` of what was asked for.
    pub name: String,
    /// The transport's name, below which policy.json was searched.
    pub transport: String,
    /// The SHA-256 digest of the manifest that was judged.
    pub manifest_digest: Digest,
    /// Its media type.
    pub manifest_type: String,
    /// The keys below the transport that were looked for, in that order (SC-01). The empty one is the transport's default.
    pub scopes: Vec<String>,
    /// The first of them that the policy has; none: the policy's default decided.
    pub scope: Option<String>,
    /// The signatures that were found, in their order.
    pub signatures: Vec<FoundSignature>,
    /// All requirements of the section, in their order (PG-07).
    pub requirements: Vec<JudgedRequirement>,
    /// Whether a verified signature was demanded beside them (G-04).
    pub require_signed: bool,
}

/// A signature as it is stored; nothing about it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSignature {
    /// What it claims to be, such as `simple-signing` or `sigstore-json` (BL-01, BL-02); none if it is of no known form.
    pub format: Option<String>,
    /// Bytes in its stored form.
    pub size: usize,
}

/// A requirement, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedRequirement {
    /// Its `type`.
    pub kind: String,
    /// Its JSON object as it stands in the policy.
    pub json: String,
    /// The files that it names, which are read for it.
    pub files: Vec<PathBuf>,
    /// What its evaluator said; an error if it could not be applied, which accepts nothing.
    pub verdict: Result<Verdict, String>,
}

impl Explanation {
    /// What a copy would make of it.
    ///
    /// # Errors
    ///
    /// Why the image is not accepted, which the first requirement that is not met decides (PE-01 to PE-08).
    pub fn result(&self) -> Result<(), CopyError> {
        if self.requirements.is_empty() {
            let reason = "List of verification policy requirements must not be empty";
            return Err(CopyError::Rejected(reason.to_owned()));
        }
        let refused = self.requirements.iter().find(|judged| !judged.is_accepted());
        match refused.map(|judged| &judged.verdict) {
            Some(Ok(verdict)) => return Err(CopyError::Rejected(self.rejection(verdict))),
            Some(Err(detail)) => {
                return Err(CopyError::Policy {
                    name: self.name.clone(),
                    detail: detail.clone(),
                });
            }
            None => {}
        }
        if self.require_signed && !self.requirements.iter().any(JudgedRequirement::is_signed) {
            return Err(CopyError::Rejected(format!(
                "No signature verification policy found for image {}",
                self.name
            )));
        }
        Ok(())
    }

    /// PE-02 if the evaluator gives no reason of its own, PE-04 otherwise.
    fn rejection(&self, verdict: &Verdict) -> String {
        let reasons: Vec<&str> = verdict.reasons_against().collect();
        match reasons[..] {
            [] => format!("Running image {} is rejected by policy.", self.name),
            [reason] => reason.to_owned(),
            _ => format!("None of the signatures were accepted, reasons: {}", reasons.join("; ")),
        }
    }
}

impl JudgedRequirement {
    /// Whether it is met.
    pub fn is_accepted(&self) -> bool {
        matches!(&self.verdict, Ok(verdict) if verdict.outcome != Outcome::Rejected)
    }

    /// Whether it is met by a verified signature over the whole image.
    pub fn is_signed(&self) -> bool {
        matches!(&self.verdict, Ok(verdict) if verdict.outcome == Outcome::AcceptedSigned)
    }
}

impl FoundSignature {
    pub(super) fn of(stored: &[u8]) -> Self {
        /// The longest name of a format that is repeated.
        const MAX_NAME: usize = 40;
        let format = match stored {
            [0, named @ ..] => named
                .iter()
                .take(MAX_NAME)
                .position(|byte| *byte == b'\n')
                .and_then(|end| std::str::from_utf8(&named[..end]).ok())
                .filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()))
                .map(str::to_owned),
            // The first bit of every OpenPGP packet is set.
            [0x80..=0xff, ..] => Some("simple-signing".to_owned()),
            _ => None,
        };
        Self {
            format,
            size: stored.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FoundSignature;

    #[test]
    fn formats() {
        let rows: [(&[u8], Option<&str>); 8] = [
            (b"", None),
            (b"\0", None),
            (b"\0sigstore-json\n{}", Some("sigstore-json")),
            (b"\0simple-signing\n\x90", Some("simple-signing")),
            (b"\0\x1b[2J\n", None),
            (b"\0a-name-that-is-longer-than-any-name-that-is-known\n", None),
            (b"\x90\x0d", Some("simple-signing")),
            (b"{}", None),
        ];
        for (stored, format) in rows {
            let found = FoundSignature::of(stored);
            assert_eq!(
                (found.format.as_deref(), found.size),
                (format, stored.len()),
                "{stored:?}"
            );
        }
    }
}
