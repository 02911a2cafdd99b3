//! Where the signatures of images in registries are kept (7.5): beside the registry, in it, or both.

use longshore_config::{Environment, SignatureStorage, StorageUse};
use longshore_registry::{Client, Repository};
use longshore_sign::{SignatureFormat, SigstoreSignature};
use longshore_types::{Digest, ErrorKind, Reference};

use super::attachments::Attachments;
use super::lookaside::Lookaside;
use crate::error::TransportError;

/// Why signatures cannot be stored.
pub(super) const NO_STORAGE: &str =
    "X-Registry-Supports-Signatures extension not supported, and lookaside is not configured";

/// Why sigstore signatures cannot be stored (RD-10).
pub(super) const NO_ATTACHMENTS: &str = "writing sigstore attachments is disabled by configuration";

/// The places of one repository's signatures.
#[derive(Clone, Debug)]
pub(super) struct Signatures {
    /// For all signatures that are read, and for those of other tools than sigstore's that are written.
    lookaside: Option<Lookaside>,
    /// Only where the configuration says so.
    attachments: Option<Attachments>,
}

impl Signatures {
    /// What is configured for a reference in `repository`.
    pub(super) fn find(
        reference: &Reference,
        purpose: StorageUse,
        environment: &Environment,
        repository: &Repository,
    ) -> Result<Self, TransportError> {
        let storage = SignatureStorage::load(environment).map_err(|error| TransportError::wrap(error.kind(), error))?;
        let scopes = reference.policy_identity().into_iter().chain(reference.policy_scopes());
        let scopes: Vec<String> = scopes.collect();
        let attached = storage.uses_attachments(&scopes);
        Ok(Self {
            lookaside: Lookaside::find(reference, storage.lookaside(&scopes, purpose), environment)?,
            attachments: attached.then(|| Attachments::new(repository.clone())),
        })
    }

    /// Whether any signature can be kept.
    pub(super) fn can_be_kept(&self) -> bool {
        self.lookaside.is_some() || self.attachments.is_some()
    }

    /// Why those of sigstore's tools cannot be kept, if they cannot.
    pub(super) fn sigstore_refused(&self) -> Option<&'static str> {
        self.attachments.is_none().then_some(NO_ATTACHMENTS)
    }

    /// The signatures of a manifest, in their stored form.
    pub(super) async fn read(&self, client: &Client, digest: &Digest) -> Result<Vec<Vec<u8>>, TransportError> {
        let mut signatures = match &self.lookaside {
            Some(lookaside) => lookaside.read(client, digest).await?,
            None => Vec::new(),
        };
        if let Some(attachments) = &self.attachments {
            signatures.extend(attachments.read(digest).await?);
        }
        Ok(signatures)
    }

    /// Keeps the signatures of a manifest. Those beside the registry are replaced, if there are new ones; those in it
    /// stay, and what is new is added.
    pub(super) async fn write(&self, digest: &Digest, signatures: &[Vec<u8>]) -> Result<(), TransportError> {
        let unsupported = |text: String| TransportError::new(ErrorKind::Unsupported, text);
        let mut simple = Vec::new();
        let mut sigstore = Vec::new();
        for signature in signatures {
            match SignatureFormat::of(signature) {
                SignatureFormat::SimpleSigning => simple.push(signature.clone()),
                SignatureFormat::Sigstore => {
                    let read = SigstoreSignature::from_stored(signature);
                    sigstore.push(read.map_err(|error| TransportError::wrap(ErrorKind::InvalidData, error))?);
                }
                SignatureFormat::Other(name) => {
                    return Err(unsupported(format!("unsupported signature format {name:?}")));
                }
            }
        }
        if !sigstore.is_empty() {
            let attachments = self.attachments.as_ref();
            let attachments = attachments.ok_or_else(|| unsupported(NO_ATTACHMENTS.to_owned()))?;
            attachments.add(digest, &sigstore).await?;
        }
        if simple.is_empty() && !signatures.is_empty() {
            return Ok(());
        }
        let lookaside = self.lookaside.as_ref();
        let lookaside = lookaside.ok_or_else(|| unsupported(NO_STORAGE.to_owned()))?;
        lookaside.write(digest, &simple).await
    }

    /// Removes the signatures of a manifest.
    pub(super) async fn remove(&self, digest: &Digest) -> Result<(), TransportError> {
        if let Some(attachments) = &self.attachments {
            attachments.remove(digest).await?;
        }
        match &self.lookaside {
            Some(lookaside) => lookaside.remove(digest).await,
            None => Ok(()),
        }
    }
}
