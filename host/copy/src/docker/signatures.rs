//! Where the signatures of images in registries are kept (7.5): beside the registry, in it, or both.

use longshore_config::{Environment, SignatureStorage, StorageUse};
use longshore_registry::{Client, Repository};
use longshore_sign::{SignatureFormat, SigstoreSignature};
use longshore_types::{Digest, ErrorKind, Reference};

use super::attachments::Attachments;
use super::extension;
use super::failed;
use super::lookaside::Lookaside;
use crate::error::TransportError;

/// Why signatures cannot be stored.
pub(super) const NO_STORAGE: &str =
    "X-Registry-Supports-Signatures extension not supported, and lookaside is not configured";

/// Why sigstore signatures cannot be stored (RD-10).
pub(super) const NO_ATTACHMENTS: &str = "writing sigstore attachments is disabled by configuration";

/// Most bytes that the signatures of one manifest may have together, in their stored form: each place has its own limit,
/// but an attachment is stored with base64 around it.
const MAX_BYTES: usize = 4 << 20;

/// The places of one repository's signatures.
#[derive(Clone, Debug)]
pub(super) struct Signatures {
    /// If the registry keeps signatures itself, which goes before all that is configured (RD-08): its repository.
    by_registry: Option<Repository>,
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
            by_registry: None,
            lookaside: Lookaside::find(reference, storage.lookaside(&scopes, purpose), environment)?,
            attachments: attached.then(|| Attachments::new(repository.clone())),
        })
    }

    /// With what the registry of `repository` says about keeping signatures itself.
    pub(super) async fn announced_by(self, repository: &Repository) -> Result<Self, TransportError> {
        let keeps = repository.client().keeps_signatures().await.map_err(failed)?;
        Ok(Self {
            by_registry: keeps.then(|| repository.clone()),
            ..self
        })
    }

    /// Whether any signature can be kept.
    pub(super) fn can_be_kept(&self) -> bool {
        self.by_registry.is_some() || self.lookaside.is_some() || self.attachments.is_some()
    }

    /// Why those of sigstore's tools cannot be kept, if they cannot.
    pub(super) fn sigstore_refused(&self) -> Option<&'static str> {
        self.attachments.is_none().then_some(NO_ATTACHMENTS)
    }

    /// The signatures of a manifest, in their stored form.
    pub(super) async fn read(&self, client: &Client, digest: &Digest) -> Result<Vec<Vec<u8>>, TransportError> {
        let mut signatures = match (&self.by_registry, &self.lookaside) {
            (Some(repository), _) => extension::read(repository, digest).await?,
            (None, Some(lookaside)) => lookaside.read(client, digest).await?,
            (None, None) => Vec::new(),
        };
        if let Some(attachments) = &self.attachments {
            // Some versions of skopeo write them to both places.
            let mut attached = attachments.read(digest).await?;
            attached.retain(|signature| !signatures.contains(signature));
            signatures.append(&mut attached);
        }
        if signatures.iter().map(Vec::len).sum::<usize>() > MAX_BYTES {
            let text = format!("the signatures of manifest {digest} have more than {MAX_BYTES} bytes together");
            return Err(TransportError::new(ErrorKind::InvalidData, text));
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
                    sigstore.push(read.map_err(|error| {
                        TransportError::new(ErrorKind::InvalidData, format!("a sigstore signature of it: {error}"))
                    })?);
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
        if let Some(repository) = &self.by_registry {
            return extension::add(repository, digest, &simple).await;
        }
        let lookaside = self.lookaside.as_ref();
        let lookaside = lookaside.ok_or_else(|| unsupported(NO_STORAGE.to_owned()))?;
        lookaside.write(digest, &simple).await
    }

    /// Removes the signatures of a manifest. Those that the registry keeps itself are for it to remove.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use tempfile::TempDir;

    use super::*;

    #[tokio::test]
    async fn the_configuration_says_where_signatures_are() {
        let root = TempDir::new().unwrap();
        let folder = root.path().join("etc/containers/registries.d");
        fs::create_dir_all(&folder).unwrap();
        let at = |name: &str| root.path().join(name).display().to_string();
        let (read, staging) = (at("read"), at("staging"));
        let text =
            format!("docker:\n  h.test/a:\n    lookaside: file://{read}\n    lookaside-staging: file://{staging}\n");
        fs::write(folder.join("x.yaml"), text).unwrap();

        let environment = Environment::empty(root.path());
        let client = Client::builder("h.test").build().unwrap();
        let repository = client.repository("a/b");
        let reference = Reference::parse_normalized("h.test/a/b:1").unwrap();
        let find = |purpose| Signatures::find(&reference, purpose, &environment, &repository).unwrap();
        let digest = Digest::sha256(b"manifest");
        let writing = find(StorageUse::Write);
        assert!(writing.can_be_kept());
        assert_eq!(writing.sigstore_refused(), Some(NO_ATTACHMENTS));
        writing.write(&digest, &[b"\x90".to_vec()]).await.unwrap();
        let name = format!("a/b@sha256={}/signature-1", digest.hex());
        assert!(root.path().join("staging").join(&name).is_file());

        let reading = find(StorageUse::Read);
        assert_eq!(reading.read(&client, &digest).await.unwrap(), Vec::<Vec<u8>>::new());
        fs::rename(&staging, &read).unwrap();
        assert_eq!(reading.read(&client, &digest).await.unwrap(), [b"\x90"]);

        let unconfigured = Reference::parse_normalized("other.test/a:1").unwrap();
        let found = Signatures::find(&unconfigured, StorageUse::Write, &environment, &repository).unwrap();
        assert!(!found.can_be_kept());
        let error = found.write(&digest, &[b"\x90".to_vec()]).await.unwrap_err();
        assert_eq!(error.to_string(), NO_STORAGE);
    }
}
