use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use longshore_config::policy::{Policy, Requirement};
use longshore_types::{Algorithm, Digest, RawManifest};

use crate::error::CopyError;
use crate::image::SelectedImage;
use crate::transport::Identity;

/// Largest file that a requirement may name, in bytes: key files are small, and a policy could name an endless device.
const MAX_REQUIREMENT_FILE: u64 = 4 << 20;

/// A trust policy and those who can judge by its requirements.
#[derive(Clone)]
pub struct SignaturePolicy {
    policy: Arc<Policy>,
    evaluators: Arc<dyn Evaluators>,
}

/// Finds who judges by a type of requirement.
#[async_trait]
pub trait Evaluators: Send + Sync {
    /// The evaluator of a requirement type, such as `reject`; an error if there is one that does not work.
    async fn find(&self, requirement_type: &str) -> Result<Option<Box<dyn Evaluator>>, String>;
}

/// Fetches and verifies the image's config, or says why it cannot be had. It blocks, so it is to be called on a thread that may.
pub type ConfigFetcher = Arc<dyn Fn() -> Result<Vec<u8>, String> + Send + Sync>;

/// Judges images by one type of requirement. It sees facts only: no file system, network or clock.
#[async_trait]
pub trait Evaluator: Send + Sync {
    /// The files that a requirement names; the host reads them.
    async fn files(&self, requirement: &str) -> Result<Vec<PathBuf>, String>;

    /// The verdict on an image. `files` holds the contents of what [`Evaluator::files`] named, in that order.
    async fn evaluate(
        &self,
        requirement: &str,
        files: &[(PathBuf, Vec<u8>)],
        image: &ImageFacts,
    ) -> Result<Verdict, String>;
}

/// What an evaluator learns about an image. Only `manifest_digest` was computed here; everything else came with the image.
#[derive(Clone)]
pub struct ImageFacts {
    /// `transport:reference`, for messages.
    pub name: String,
    /// The transport's name.
    pub transport: String,
    /// What policy.json calls the image.
    pub policy_identity: String,
    /// The docker-style name in canonical form, if it has one.
    pub docker_reference: Option<String>,
    /// The manifest of the one image under judgement.
    pub manifest: RawManifest,
    /// Its digest.
    pub manifest_digest: Digest,
    /// The list it was chosen from, if any.
    pub list: Option<RawManifest>,
    /// The signatures found for it, in their stored form and order.
    pub signatures: Vec<Vec<u8>>,
    /// The config, for who needs it.
    pub config: ConfigFetcher,
    /// When the evaluation began.
    pub now: SystemTime,
}

/// What an evaluator says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The requirement is met. `signed`: by a verified signature over the whole image.
    Accepted {
        /// Whether a signature was verified.
        signed: bool,
    },
    /// It is not met, with the reasons found.
    Rejected(Vec<String>),
}

impl SignaturePolicy {
    /// A policy whose requirements are judged by `evaluators`.
    pub fn new(policy: Policy, evaluators: Arc<dyn Evaluators>) -> Self {
        Self {
            policy: Arc::new(policy),
            evaluators,
        }
    }

    /// Asks every requirement of the image's scope (PG-07, SC-01).
    pub(crate) async fn check(
        &self,
        identity: &Identity,
        image: &SelectedImage,
        signatures: &[Vec<u8>],
        config: ConfigFetcher,
    ) -> Result<(), CopyError> {
        let scopes: Vec<&str> = identity.policy_scopes.iter().map(String::as_str).collect();
        let (scope, requirements) = self
            .policy
            .requirements(&identity.transport, &identity.policy_identity, &scopes);
        tracing::debug!(image = identity.display(), %scope, "evaluating the signature policy");
        let facts = ImageFacts {
            name: identity.display(),
            transport: identity.transport.clone(),
            policy_identity: identity.policy_identity.clone(),
            docker_reference: identity.docker_reference.as_ref().map(ToString::to_string),
            manifest: image.manifest.clone(),
            manifest_digest: image.manifest.digest(Algorithm::Sha256),
            list: image.list().cloned(),
            signatures: signatures.to_vec(),
            config,
            now: SystemTime::now(),
        };
        for requirement in requirements {
            match self.judge(requirement, &facts).await {
                Ok(Verdict::Accepted { .. }) => {}
                Ok(Verdict::Rejected(reasons)) => return Err(CopyError::Rejected(rejection(identity, &reasons))),
                Err(detail) => {
                    return Err(CopyError::Policy {
                        name: identity.display(),
                        detail,
                    });
                }
            }
        }
        Ok(())
    }

    async fn judge(&self, requirement: &Requirement, facts: &ImageFacts) -> Result<Verdict, String> {
        let kind = &requirement.kind;
        let evaluator = self.evaluators.find(kind).await?.ok_or_else(|| {
            format!("policy requirement type {kind:?} cannot be evaluated: no evaluator for it is installed")
        })?;
        let in_requirement = |detail| format!("policy requirement {kind:?}: {detail}");
        let paths = evaluator.files(&requirement.json).await.map_err(in_requirement)?;
        let files = tokio::task::spawn_blocking(move || read_files(paths))
            .await
            .map_err(|error| in_requirement(error.to_string()))?
            .map_err(in_requirement)?;
        evaluator
            .evaluate(&requirement.json, &files, facts)
            .await
            .map_err(in_requirement)
    }
}

fn read_files(paths: Vec<PathBuf>) -> Result<Vec<(PathBuf, Vec<u8>)>, String> {
    paths
        .into_iter()
        .map(|path| read_file(&path).map(|data| (path, data)))
        .collect()
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read;
    let failed = |error: std::io::Error| format!("reading {}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut data = Vec::new();
    file.take(MAX_REQUIREMENT_FILE + 1)
        .read_to_end(&mut data)
        .map_err(failed)?;
    if data.len() as u64 > MAX_REQUIREMENT_FILE {
        return Err(format!(
            "{} is larger than {MAX_REQUIREMENT_FILE} bytes",
            path.display()
        ));
    }
    Ok(data)
}

/// PE-02 if the evaluator gives no reason of its own, PE-04 otherwise.
fn rejection(identity: &Identity, reasons: &[String]) -> String {
    match reasons {
        [] => format!("Running image {} is rejected by policy.", identity.display()),
        [reason] => reason.clone(),
        several => format!("None of the signatures were accepted, reasons: {}", several.join("; ")),
    }
}
