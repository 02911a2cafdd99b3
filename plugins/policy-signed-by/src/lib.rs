//! The policy requirements about simple signing: `signedBy` (RQ-03, RQ-04), whose signatures are OpenPGP messages, and
//! `signedBaseLayer` (RQ-05), which nobody implements.

mod evaluation;
mod keyring;
mod message;
mod requirement;
mod self_signatures;

use longshore_guest::{Evaluator, Image, Requirement, Verdict};

use crate::evaluation::{Facts, evaluate};
use crate::requirement::{SIGNED_BASE_LAYER, SIGNED_BY};

struct SignedBy;

impl Evaluator for SignedBy {
    const REQUIREMENT_TYPES: &'static [&'static str] = &[SIGNED_BASE_LAYER, SIGNED_BY];

    fn check(json: &str) -> Result<Vec<String>, String> {
        requirement::parse(json).map(requirement::Requirement::into_files)
    }

    fn evaluate(requirement: Requirement, image: &Image) -> Result<Verdict, String> {
        let Requirement { json, files } = requirement;
        let files: Vec<Vec<u8>> = files.into_iter().map(|(_, content)| content).collect();
        let facts = Facts {
            docker_reference: image.docker_reference(),
            manifest_digest: image.manifest_digest(),
            signatures: image.signatures(),
            now: image.now(),
        };
        evaluate(requirement::parse(&json)?, &files, &facts)
    }
}

longshore_guest::export_evaluator!(SignedBy);
