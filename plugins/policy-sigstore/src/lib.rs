//! The policy requirement `sigstoreSigned` (RQ-06): signatures by a key, by a certificate of a Fulcio server, or by a
//! certificate of any other authority, and whether a Rekor log has them.

mod attachment;
mod certificate;
mod chain;
mod evaluation;
#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may fail at any line")]
mod fixtures;
mod fulcio;
mod log;
mod pem_block;
mod pki;
mod public_key;
mod requirement;
mod trust;

use longshore_guest::{Evaluator, Image, Requirement, Verdict};

use crate::evaluation::{Facts, evaluate};
use crate::requirement::SIGSTORE_SIGNED;

struct Sigstore;

impl Evaluator for Sigstore {
    const REQUIREMENT_TYPES: &'static [&'static str] = &[SIGSTORE_SIGNED];

    fn check(json: &str) -> Result<Vec<String>, String> {
        requirement::parse(json).map(|requirement| requirement.files())
    }

    fn evaluate(requirement: Requirement, image: &Image) -> Result<Verdict, String> {
        let Requirement { json, files } = requirement;
        let facts = Facts {
            docker_reference: image.docker_reference(),
            manifest_digest: image.manifest_digest(),
            signatures: image.signatures(),
            now: image.now(),
        };
        evaluate(&requirement::parse(&json)?, &files, &facts)
    }
}

longshore_guest::export_evaluator!(Sigstore);
