//! `verify --json`: the explanation for programs.

use longshore_copy::{Explanation, FoundSignature, JudgedRequirement, Outcome, Verification};
use longshore_types::Digest;
use serde::Serialize;
use serde_json::Value;

use super::refusal;

/// What is printed, in this order. Members may be added, none is renamed.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output<'a> {
    name: &'a str,
    accepted: bool,
    /// What a copy would fail with; null if it would not.
    reason: Option<String>,
    digest: &'a Digest,
    #[serde(rename = "MIMEType")]
    media_type: &'a str,
    is_list: bool,
    images: Vec<Image<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Image<'a> {
    digest: &'a Digest,
    #[serde(rename = "MIMEType")]
    media_type: &'a str,
    accepted: bool,
    reason: Option<String>,
    transport: &'a str,
    /// The scopes that were looked for below the transport, in this order.
    scopes: &'a [String],
    /// The first of them that the policy has; null for its default.
    scope: Option<&'a str>,
    signatures: Vec<Signature<'a>>,
    requirements: Vec<Requirement<'a>>,
    /// Whether one of them must be `accepted-signed` (`--require-signed`).
    require_signed: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Signature<'a> {
    format: Option<&'a str>,
    size: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Requirement<'a> {
    /// As it stands in the policy.
    requirement: Value,
    files: Vec<String>,
    /// `accepted-signed`, `accepted-unsigned`, `rejected` or `failed`.
    outcome: &'static str,
    /// Why it could not be applied, if that failed.
    error: Option<&'a str>,
    findings: Vec<Finding<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Finding<'a> {
    /// Index into `Signatures`, from 0; null for the whole image.
    signature: Option<usize>,
    accepted: bool,
    reason: &'a str,
}

impl<'a> Output<'a> {
    pub(super) fn new(verification: &'a Verification) -> Self {
        let reason = refusal(verification.result());
        Self {
            name: &verification.name,
            accepted: reason.is_none(),
            reason,
            digest: &verification.digest,
            media_type: &verification.media_type,
            is_list: verification.is_list,
            images: verification.images.iter().map(Image::new).collect(),
        }
    }
}

impl<'a> Image<'a> {
    fn new(explanation: &'a Explanation) -> Self {
        let reason = refusal(explanation.result());
        let signature = |FoundSignature { format, size }: &'a FoundSignature| Signature {
            format: format.as_deref(),
            size: *size,
        };
        Self {
            digest: &explanation.manifest_digest,
            media_type: &explanation.manifest_type,
            accepted: reason.is_none(),
            reason,
            transport: &explanation.transport,
            scopes: &explanation.scopes,
            scope: explanation.scope.as_deref(),
            signatures: explanation.signatures.iter().map(signature).collect(),
            requirements: explanation.requirements.iter().map(Requirement::new).collect(),
            require_signed: explanation.require_signed,
        }
    }
}

impl<'a> Requirement<'a> {
    fn new(judged: &'a JudgedRequirement) -> Self {
        let findings = judged.verdict.iter().flat_map(|verdict| &verdict.findings);
        Self {
            requirement: serde_json::from_str(&judged.json).unwrap_or_default(),
            files: judged.files.iter().map(|path| path.display().to_string()).collect(),
            outcome: match &judged.verdict {
                Ok(verdict) => match verdict.outcome {
                    Outcome::Rejected => "rejected",
                    Outcome::AcceptedUnsigned => "accepted-unsigned",
                    Outcome::AcceptedSigned => "accepted-signed",
                },
                Err(_) => "failed",
            },
            error: judged.verdict.as_ref().err().map(String::as_str),
            findings: findings
                .map(|finding| Finding {
                    signature: finding.signature,
                    accepted: finding.accepted,
                    reason: &finding.reason,
                })
                .collect(),
        }
    }
}
