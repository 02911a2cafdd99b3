use crate::bindings::policy::exports::longshore::policy::evaluator::{Finding, Outcome, Requirement, Verdict};
use crate::bindings::policy::longshore::policy::image::Image;

/// `interface evaluator`: judging one requirement of policy.json. Export it by
/// [`export_evaluator!`](crate::export_evaluator).
pub trait Evaluator {
    /// Requirement types answered for, such as `reject`.
    const REQUIREMENT_TYPES: &'static [&'static str];

    /// Checks the form of a requirement strictly and names the files to read.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the requirement.
    fn check(json: &str) -> Result<Vec<String>, String>;

    /// Judges an image.
    ///
    /// # Errors
    ///
    /// Only if the requirement itself cannot be applied.
    fn evaluate(requirement: Requirement, image: &Image) -> Result<Verdict, String>;
}

impl Verdict {
    /// Accepted, though no signature was verified.
    pub fn accepted_unsigned(reason: impl Into<String>) -> Self {
        Self::whole_image(Outcome::AcceptedUnsigned, true, reason)
    }

    /// Rejected for a reason that concerns the whole image.
    pub fn rejected(reason: impl Into<String>) -> Self {
        Self::whole_image(Outcome::Rejected, false, reason)
    }

    /// Accepted if one of these findings accepts its signature.
    pub fn by_signatures(findings: Vec<Finding>) -> Self {
        let outcome = if findings.iter().any(|finding| finding.accepted) {
            Outcome::AcceptedSigned
        } else {
            Outcome::Rejected
        };
        Self { outcome, findings }
    }

    fn whole_image(outcome: Outcome, accepted: bool, reason: impl Into<String>) -> Self {
        Self {
            outcome,
            findings: vec![Finding {
                signature: None,
                accepted,
                reason: reason.into(),
            }],
        }
    }
}

impl Finding {
    /// The signature at `index` speaks for the image.
    pub fn accepted(index: usize, reason: impl Into<String>) -> Self {
        Self::about(index, true, reason)
    }

    /// The signature at `index` does not speak for the image.
    pub fn rejected(index: usize, reason: impl Into<String>) -> Self {
        Self::about(index, false, reason)
    }

    fn about(index: usize, accepted: bool, reason: impl Into<String>) -> Self {
        Self {
            signature: u32::try_from(index).ok(),
            accepted,
            reason: reason.into(),
        }
    }
}
