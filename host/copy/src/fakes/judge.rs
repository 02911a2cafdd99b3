use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use longshore_config::Policy;

use crate::policy::{Evaluator, Evaluators, Finding, ImageFacts, Outcome, SignaturePolicy, Verdict};

/// What an evaluator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Accept,
    /// Accepts for a signature.
    AcceptSigned,
    Reject,
    RejectFor(&'static [&'static str]),
    /// Accepts if the config can be had.
    AskForConfig,
    Fail,
    /// Wants a file that is not there.
    WantFile,
    /// There is no evaluator.
    None,
    /// The evaluator cannot be loaded.
    Broken,
}

/// Gives the same answer to every requirement and keeps what it was asked about.
#[derive(Clone)]
pub(crate) struct FakeEvaluators {
    pub(crate) answer: Answer,
    pub(crate) seen: Arc<Mutex<Vec<ImageFacts>>>,
}

impl FakeEvaluators {
    pub(crate) fn answering(answer: Answer) -> Self {
        Self {
            answer,
            seen: Arc::default(),
        }
    }

    /// A policy that leaves every image to these.
    pub(crate) fn policy(&self) -> SignaturePolicy {
        SignaturePolicy::new(Policy::accept_anything(), Arc::new(self.clone()))
    }
}

#[async_trait]
impl Evaluators for FakeEvaluators {
    async fn find(&self, _: &str) -> Result<Option<Box<dyn Evaluator>>, String> {
        match self.answer {
            Answer::None => Ok(None),
            Answer::Broken => Err("broken".into()),
            _ => Ok(Some(Box::new(self.clone()))),
        }
    }
}

#[async_trait]
impl Evaluator for FakeEvaluators {
    async fn files(&self, _: &str) -> Result<Vec<PathBuf>, String> {
        Ok(if self.answer == Answer::WantFile {
            vec!["/no/such/key".into()]
        } else {
            Vec::new()
        })
    }

    async fn evaluate(&self, _: &str, _: &[(PathBuf, Vec<u8>)], image: &ImageFacts) -> Result<Verdict, String> {
        self.seen.lock().unwrap().push(image.clone());
        let rejected = |reasons: &[&str]| {
            let against = reasons.iter().map(|reason| Finding {
                signature: None,
                accepted: false,
                reason: (*reason).to_owned(),
            });
            Ok(Verdict {
                outcome: Outcome::Rejected,
                findings: against.collect(),
            })
        };
        let accepted = |outcome| {
            Ok(Verdict {
                outcome,
                findings: Vec::new(),
            })
        };
        match self.answer {
            Answer::Reject => rejected(&[]),
            Answer::RejectFor(reasons) => rejected(reasons),
            Answer::Fail => Err("out of order".into()),
            Answer::AskForConfig => {
                let config = Arc::clone(&image.config);
                tokio::task::spawn_blocking(move || config()).await.unwrap()?;
                accepted(Outcome::AcceptedUnsigned)
            }
            Answer::AcceptSigned => accepted(Outcome::AcceptedSigned),
            _ => accepted(Outcome::AcceptedUnsigned),
        }
    }
}

/// A policy that accepts everything.
pub(crate) fn anything() -> SignaturePolicy {
    FakeEvaluators::answering(Answer::Accept).policy()
}
