mod explanation;
mod load;

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use longshore_config::{Policy, PolicySection, Requirement};
use longshore_types::{Algorithm, Digest, RawManifest};
use tokio::sync::OnceCell;

pub use explanation::{Explanation, FoundSignature, JudgedRequirement};
pub use longshore_runtime::{Finding, Outcome, Verdict};

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
    named_files: Arc<OnceCell<NamedFiles>>,
    require_signed: bool,
}

/// The files that each requirement names, by type and JSON; those whose type nobody answers for are not in it.
type NamedFiles = HashMap<(String, String), Vec<PathBuf>>;

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

impl SignaturePolicy {
    /// A policy whose requirements are judged by `evaluators`.
    pub fn new(policy: Policy, evaluators: Arc<dyn Evaluators>) -> Self {
        Self {
            policy: Arc::new(policy),
            evaluators,
            named_files: Arc::default(),
            require_signed: false,
        }
    }

    /// Whether an image must also have a verified signature over the whole of it, whatever else the policy accepts
    /// (G-04).
    #[must_use]
    pub fn require_signed(self, require_signed: bool) -> Self {
        Self { require_signed, ..self }
    }

    /// Has every requirement of the policy checked by its evaluator, unless loading did that. A requirement that nobody
    /// can check stops only an image that it would decide about.
    pub(crate) async fn prepare(&self) -> Result<(), String> {
        self.named_files
            .get_or_try_init(|| self.ask_for_files())
            .await
            .map(drop)
    }

    async fn ask_for_files(&self) -> Result<NamedFiles, String> {
        let mut named = NamedFiles::new();
        for Requirement { kind, json } in self.policy.all_requirements() {
            let key = (kind.clone(), json.clone());
            if named.contains_key(&key) {
                continue;
            }
            if let Ok(Some(evaluator)) = self.evaluators.find(kind).await {
                let files = evaluator.files(json).await;
                named.insert(key, files.map_err(|detail| in_requirement(kind, &detail))?);
            }
        }
        Ok(named)
    }

    /// Asks the requirements of the image's scope (PG-07, SC-01) up to the first that is not met.
    pub(crate) async fn check(
        &self,
        identity: &Identity,
        image: &SelectedImage,
        signatures: &[Vec<u8>],
        config: ConfigFetcher,
    ) -> Result<(), CopyError> {
        let facts = facts(identity, image, signatures, config);
        let explanation = self.examine(identity, &facts, |judged| judged.is_accepted()).await?;
        explanation.result()
    }

    /// Asks all requirements of the image's scope, and tells what came of each.
    pub(crate) async fn explain(
        &self,
        identity: &Identity,
        image: &SelectedImage,
        signatures: &[Vec<u8>],
        config: ConfigFetcher,
    ) -> Result<Explanation, CopyError> {
        let facts = facts(identity, image, signatures, config);
        self.examine(identity, &facts, |_| true).await
    }

    /// Asks the requirements one after the other while `goes_on` says so.
    async fn examine(
        &self,
        identity: &Identity,
        facts: &ImageFacts,
        goes_on: impl Fn(&JudgedRequirement) -> bool,
    ) -> Result<Explanation, CopyError> {
        let (section, requirements) =
            self.policy
                .requirements(&identity.transport, &identity.policy_identity, &identity.policy_scopes);
        tracing::debug!(image = facts.name, %section, "evaluating the signature policy");
        self.prepare().await.map_err(|detail| CopyError::Policy {
            name: facts.name.clone(),
            detail,
        })?;
        let mut judged = Vec::new();
        for requirement in requirements {
            judged.push(self.judge(requirement, facts).await);
            if !judged.last().is_some_and(&goes_on) {
                break;
            }
        }
        let scopes = Policy::scopes(&identity.policy_identity, &identity.policy_scopes);
        Ok(Explanation {
            name: facts.name.clone(),
            transport: identity.transport.clone(),
            manifest_digest: facts.manifest_digest.clone(),
            manifest_type: facts.manifest.media_type().to_owned(),
            scopes: scopes.map(str::to_owned).collect(),
            scope: match section {
                PolicySection::Scope { scope, .. } => Some(scope.to_owned()),
                PolicySection::Default => None,
            },
            signatures: facts
                .signatures
                .iter()
                .map(|stored| FoundSignature::of(stored))
                .collect(),
            requirements: judged,
            require_signed: self.require_signed,
        })
    }

    async fn judge(&self, requirement: &Requirement, facts: &ImageFacts) -> JudgedRequirement {
        let Requirement { kind, json } = requirement;
        let key = (kind.clone(), json.clone());
        let named = self.named_files.get().and_then(|named| named.get(&key));
        let files = named.cloned().unwrap_or_default();
        JudgedRequirement {
            kind: kind.clone(),
            json: json.clone(),
            verdict: self.verdict(requirement, files.clone(), facts).await,
            files,
        }
    }

    async fn verdict(
        &self,
        requirement: &Requirement,
        files: Vec<PathBuf>,
        facts: &ImageFacts,
    ) -> Result<Verdict, String> {
        let Requirement { kind, json } = requirement;
        let evaluator = self.evaluators.find(kind).await?.ok_or_else(|| {
            format!("policy requirement type {kind:?} cannot be evaluated: no evaluator for it is installed")
        })?;
        let failed = |detail: String| in_requirement(kind, &detail);
        let files = if files.is_empty() {
            Vec::new()
        } else {
            let reading = tokio::task::spawn_blocking(move || read_files(files));
            reading
                .await
                .map_err(|error| failed(error.to_string()))?
                .map_err(failed)?
        };
        evaluator.evaluate(json, &files, facts).await.map_err(failed)
    }
}

fn facts(identity: &Identity, image: &SelectedImage, signatures: &[Vec<u8>], config: ConfigFetcher) -> ImageFacts {
    ImageFacts {
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
    }
}

fn in_requirement(kind: &str, detail: &str) -> String {
    format!("policy requirement {kind:?}: {detail}")
}

fn read_files(paths: Vec<PathBuf>) -> Result<Vec<(PathBuf, Vec<u8>)>, String> {
    paths
        .into_iter()
        .map(|path| read_file(&path).map(|data| (path, data)))
        .collect()
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("reading {}: {error}", path.display());
    // Opening a FIFO would wait for its writer.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(format!("{} is not a regular file", path.display()));
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use longshore_types::{ErrorKind, RawManifest, media_type};

    use crate::copier::Copier;
    use crate::error::{CopyError, chain};
    use crate::fakes::{Answer, FakeEvaluators, FakeImage, FakeStore, Fault, transports};

    const TAR: &str = "application/vnd.oci.image.layer.v1.tar";

    async fn copy(image: FakeImage, store: &Arc<FakeStore>, evaluators: &FakeEvaluators) -> Result<(), CopyError> {
        let (transports, source, destination) = transports(image, store);
        Copier::new(transports, source, destination, evaluators.policy())
            .start()
            .0
            .await
            .map(|_| ())
    }

    #[tokio::test]
    async fn what_is_not_accepted_never_opens_the_destination() {
        let rows: [(Answer, &str); 7] = [
            (
                Answer::Reject,
                "Source image rejected: Running image fake:source is rejected by policy.",
            ),
            (
                Answer::RejectFor(&["a signature is needed"]),
                "Source image rejected: a signature is needed",
            ),
            (
                Answer::RejectFor(&["A", "B"]),
                "Source image rejected: None of the signatures were accepted, reasons: A; B",
            ),
            (
                Answer::None,
                "Source image rejected: evaluating the signature policy for fake:source: policy requirement type \"insecureAcceptAnything\" cannot be \
                 evaluated: no evaluator for it is installed",
            ),
            (
                Answer::Fail,
                "Source image rejected: evaluating the signature policy for fake:source: policy requirement \"insecureAcceptAnything\": out of order",
            ),
            (
                Answer::WantFile,
                "Source image rejected: evaluating the signature policy for fake:source: policy requirement \"insecureAcceptAnything\": reading /no/such/key: \
                 No such file or directory (os error 2)",
            ),
            (
                Answer::Broken,
                "Source image rejected: evaluating the signature policy for fake:source: broken",
            ),
        ];
        for (answer, expected) in rows {
            let store = Arc::new(FakeStore::default());
            let image = FakeImage::oci(&[(b"layer", TAR)], &[]);
            let error = copy(image, &store, &FakeEvaluators::answering(answer))
                .await
                .unwrap_err();
            assert_eq!(
                (chain(&error).as_str(), error.kind()),
                (expected, ErrorKind::AccessDenied)
            );
            assert_eq!(store.happened.lock().unwrap().opened, 0);
        }
    }

    #[tokio::test]
    async fn the_verdict_comes_before_the_manifest_is_parsed() {
        let top = RawManifest::new("{", Some(media_type::OCI_MANIFEST)).unwrap();
        let image = FakeImage {
            top: Some(top),
            ..FakeImage::default()
        };
        let store = Arc::new(FakeStore::default());
        let error = copy(image, &store, &FakeEvaluators::answering(Answer::Reject))
            .await
            .unwrap_err();
        assert!(matches!(error, CopyError::Rejected(_)), "{error}");
    }

    #[tokio::test]
    async fn the_instance_is_judged_and_not_its_list() {
        let image = FakeImage {
            signatures: vec![b"signature".to_vec()],
            ..FakeImage::oci(&[(b"layer", TAR)], &[])
        };
        let digest = image.manifest_digest();
        let store = Arc::new(FakeStore::able("signatures"));
        let evaluators = FakeEvaluators::answering(Answer::AskForConfig);
        copy(image.listed(|index| index), &store, &evaluators).await.unwrap();
        let seen = evaluators.seen.lock().unwrap();
        let [facts] = &seen[..] else {
            panic!("asked {} times", seen.len())
        };
        assert_eq!(
            (
                facts.name.as_str(),
                facts.transport.as_str(),
                facts.policy_identity.as_str()
            ),
            ("fake:source", "fake", "source")
        );
        assert_eq!(
            (&facts.manifest_digest, &facts.signatures),
            (&digest, &vec![b"signature".to_vec()])
        );
        assert_eq!(
            facts.list.as_ref().map(|list| list.media_type()),
            Some(media_type::OCI_INDEX)
        );
    }

    #[tokio::test]
    async fn an_evaluator_gets_only_a_verified_config() {
        let mut image = FakeImage::oci(&[], &[]);
        let config = image.blobs.keys().next().unwrap().clone();
        image.faults.insert(config, Fault::Altered);
        let store = Arc::new(FakeStore::default());
        let error = copy(image, &store, &FakeEvaluators::answering(Answer::AskForConfig))
            .await
            .unwrap_err();
        assert!(matches!(error, CopyError::Policy { .. }), "{error}");
        assert!(chain(&error).contains("Digest did not match"), "{error}");
    }
}
