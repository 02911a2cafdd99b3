//! New signatures of what is copied (CP-12, SN-01 to SN-04).

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use base64::Engine as _;
use longshore_sign::{Gpg, Payload, SignatureFormat, SigstoreKey, SigstoreSignature};
use longshore_sigstore::{LogPromise, Logged, Rekor};
use longshore_types::{Algorithm, RawManifest, Reference};

use crate::copier::Work;
use crate::destination::ImageDestination;
use crate::docker;
use crate::error::{CopyError, TransportError};
use crate::event::{Event, Reporter};
use crate::options::Options;
use crate::policy::{Evaluators, ImageFacts, Outcome};

/// Makes signatures of images.
#[async_trait]
pub trait Signer: fmt::Debug + Send + Sync {
    /// What is reported before it signs, such as "Signing image using simple signing".
    fn message(&self) -> &str;

    /// Whether it makes signatures of sigstore's form, which not every destination takes.
    fn is_sigstore(&self) -> bool {
        false
    }

    /// A signature, in its stored form, that says that the image of this name has this manifest.
    async fn sign(&self, reference: &Reference, manifest: &RawManifest) -> Result<Vec<u8>, String>;
}

/// Signs as GnuPG's user: simple signing.
#[derive(Clone, Debug)]
pub struct GpgSigner {
    gpg: Gpg,
    key: String,
}

impl GpgSigner {
    /// Signs with the key of this fingerprint or id.
    pub fn new(gpg: Gpg, key: impl Into<String>) -> Self {
        Self { gpg, key: key.into() }
    }
}

#[async_trait]
impl Signer for GpgSigner {
    fn message(&self) -> &str {
        "Signing image using simple signing"
    }

    async fn sign(&self, reference: &Reference, manifest: &RawManifest) -> Result<Vec<u8>, String> {
        let payload = Payload::new(reference.to_string(), manifest.digest(Algorithm::Sha256));
        let payload = payload.to_json().map_err(|error| error.to_string())?;
        let Self { gpg, key } = self.clone();
        let signing = tokio::task::spawn_blocking(move || gpg.sign(&key, &payload));
        let signed = signing.await.map_err(|error| error.to_string())?;
        signed.map_err(|error| error.to_string())
    }
}

/// Signs with a private key of sigstore's tools.
#[derive(Clone, Debug)]
pub struct SigstoreSigner {
    key: Arc<SigstoreKey>,
    log: Option<Rekor>,
}

impl SigstoreSigner {
    /// Signs with a key. It is wiped when the last copy of the signer goes.
    pub fn new(key: SigstoreKey) -> Self {
        Self {
            key: Arc::new(key),
            log: None,
        }
    }

    /// Has a log keep each signature, which then carries the log's promise. Without one it is not stored.
    #[must_use]
    pub fn with_log(self, log: Rekor) -> Self {
        Self { log: Some(log), ..self }
    }

    async fn logged(&self, log: &Rekor, signature: &SigstoreSignature) -> Result<LogPromise, String> {
        let signer = self.key.public().map_err(|error| error.to_string())?;
        let bytes = signature.signature().map_err(|error| error.to_string())?;
        let logged = Logged {
            signer: &signer,
            signature: &bytes,
            payload: &signature.payload,
        };
        let promise = log.keep(logged).await;
        promise.map_err(|error| format!("Error uploading a log entry: {error}"))
    }
}

#[async_trait]
impl Signer for SigstoreSigner {
    fn message(&self) -> &str {
        "Signing image using a sigstore signature"
    }

    fn is_sigstore(&self) -> bool {
        true
    }

    async fn sign(&self, reference: &Reference, manifest: &RawManifest) -> Result<Vec<u8>, String> {
        let digest = manifest.digest(Algorithm::Sha256);
        let signature = self.key.sign(&reference.to_string(), digest);
        let mut signature = signature.map_err(|error| error.to_string())?;
        if let Some(log) = &self.log {
            let promise = self.logged(log, &signature).await?;
            let annotations = &mut signature.annotations;
            annotations.insert(LogPromise::ANNOTATION.to_owned(), promise.annotation);
        }
        signature.to_stored().map_err(|error| error.to_string())
    }
}

/// Whether a stored simple signing signature says, by a key in `keys`, that the image of this name has this manifest
/// (SV-01). The evaluator of `signedBy` judges it; `Err` has its reasons.
pub async fn verify_signature(
    evaluators: &dyn Evaluators,
    keys: &[u8],
    reference: &Reference,
    manifest: &RawManifest,
    signature: &[u8],
) -> Result<(), String> {
    const TYPE: &str = "signedBy";
    let requirement = serde_json::json!({
        "type": TYPE,
        "keyType": "GPGKeys",
        "keyData": base64::engine::general_purpose::STANDARD.encode(keys),
        "signedIdentity": {"type": "exactReference", "dockerReference": reference.to_string()},
    });
    let evaluator = evaluators.find(TYPE).await?;
    let evaluator = evaluator.ok_or_else(|| format!("no evaluator for {TYPE:?} is installed"))?;
    let facts = ImageFacts {
        name: reference.to_string(),
        transport: docker::NAME.to_owned(),
        policy_identity: reference.policy_identity().unwrap_or_default(),
        docker_reference: Some(reference.to_string()),
        manifest: manifest.clone(),
        manifest_digest: manifest.digest(Algorithm::Sha256),
        list: None,
        signatures: vec![signature.to_vec()],
        config: Arc::new(|| Err("there is only a manifest".to_owned())),
        now: SystemTime::now(),
    };
    let verdict = evaluator.evaluate(&requirement.to_string(), &[], &facts).await?;
    match verdict.outcome {
        Outcome::AcceptedSigned => Ok(()),
        Outcome::AcceptedUnsigned => Err("no signature was verified".to_owned()),
        Outcome::Rejected => Err(verdict.reasons_against().collect::<Vec<_>>().join("; ")),
    }
}

/// What a copy signs with, and which name it signs.
pub(crate) struct Signing<'a> {
    options: &'a Options,
    destination: &'a dyn ImageDestination,
    reporter: &'a Reporter,
}

impl<'a> Signing<'a> {
    pub(crate) fn new(work: &Work<'a>, destination: &'a dyn ImageDestination) -> Self {
        Self {
            options: work.options,
            destination,
            reporter: work.reporter,
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        !self.options.signers.is_empty()
    }

    /// That signing is possible, before anything is copied (SN-04).
    pub(crate) fn check(&self) -> Result<(), CopyError> {
        if !self.is_wanted() {
            return Ok(());
        }
        self.reference()?;
        let sigstore = self.options.signers.iter().any(|signer| signer.is_sigstore());
        check_signature_support(self.destination, sigstore).map_err(|error| match error {
            CopyError::Signatures { name, reason } => self.failed(format!("{name}: {reason}")),
            other => other,
        })
    }

    /// The new signatures, in the order of the signers.
    pub(crate) async fn sign(&self, manifest: &RawManifest) -> Result<Vec<Vec<u8>>, CopyError> {
        let mut signatures = Vec::new();
        let several = self.options.signers.len() > 1;
        for (index, signer) in self.options.signers.iter().enumerate() {
            self.reporter.send(Event::CreatingSignature {
                number: several.then_some(index + 1),
                message: signer.message().to_owned(),
            });
            let signature = signer.sign(self.reference()?, manifest).await;
            signatures.push(signature.map_err(|reason| self.failed(reason))?);
        }
        Ok(signatures)
    }

    /// SN-02.
    fn reference(&self) -> Result<&Reference, CopyError> {
        let own = self.destination.identity().docker_reference.as_ref();
        let named = self.options.sign_identity.as_ref().or(own);
        named.filter(|reference| !reference.is_name_only()).ok_or_else(|| {
            self.failed(format!(
                "Cannot determine canonical Docker reference for destination {}",
                self.destination.identity().display()
            ))
        })
    }

    fn failed(&self, reason: String) -> CopyError {
        CopyError::Sign { reason }
    }
}

/// Whether signatures of sigstore's tools are among some in their stored form.
pub(crate) fn has_sigstore(signatures: &[Vec<u8>]) -> bool {
    let mut formats = signatures.iter().map(|signature| SignatureFormat::of(signature));
    formats.any(|format| format == SignatureFormat::Sigstore)
}

/// P-06, before anything is written; `sigstore`: signatures of sigstore's tools are to be stored too.
pub(crate) fn check_signature_support(destination: &dyn ImageDestination, sigstore: bool) -> Result<(), CopyError> {
    let traits = destination.traits();
    let identity = destination.identity();
    let reason = if !traits.has("signatures") {
        let own_words = traits.signatures_refused.clone();
        own_words.unwrap_or_else(|| TransportError::unsupported(&identity.transport, "signatures").to_string())
    } else if let Some(refused) = destination.sigstore_refused().filter(|_| sigstore) {
        refused
    } else {
        return Ok(());
    };
    Err(CopyError::Signatures {
        name: identity.display(),
        reason,
    })
}
