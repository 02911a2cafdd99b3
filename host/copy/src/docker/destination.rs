use std::sync::{Mutex as StdMutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_blob::LayerWish;
use longshore_registry::{Client, RegistryError, Repository, Upload};
use longshore_types::{Algorithm, BlobInfo, Digest, ErrorKind, RawManifest, media_type};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use super::failed;
use super::signatures::{NO_STORAGE, Signatures};
use super::stream::upload_channel;
use crate::destination::{DestinationTraits, ImageDestination, PendingBlob, Publish, Reused};
use crate::error::TransportError;
use crate::transport::Identity;

/// An image to be in a registry. It becomes visible with its manifest; there is nothing left to commit.
pub(super) struct DockerDestination {
    repository: Repository,
    identity: Identity,
    traits: DestinationTraits,
    /// Tag or digest; none: by the digest that the manifest has.
    key: Option<String>,
    /// Another repository of the registry that the image comes from.
    mount_from: Option<String>,
    /// Where its signatures go.
    signatures: Signatures,
    /// What the reference named before, if that was asked already.
    named: Option<Option<Digest>>,
    /// The digest of the manifest that was written.
    written: StdMutex<Option<Digest>>,
    underway: Underway,
}

/// Counts the tasks that fill uploads: each holds a sender for as long as it has an upload.
struct Underway {
    sender: StdMutex<Option<mpsc::Sender<()>>>,
    receiver: Mutex<mpsc::Receiver<()>>,
}

impl Underway {
    fn new() -> Self {
        let (sender, receiver) = mpsc::channel(1);
        Self {
            sender: StdMutex::new(Some(sender)),
            receiver: Mutex::new(receiver),
        }
    }

    fn enter(&self) -> Option<mpsc::Sender<()>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the last task is gone; none is to begin any more.
    async fn ended(&self) {
        drop(self.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
        while self.receiver.lock().await.recv().await.is_some() {}
    }
}

impl DockerDestination {
    pub(super) fn new(
        repository: Repository,
        identity: Identity,
        key: Option<String>,
        mount_from: Option<String>,
        signatures: Signatures,
        named: Option<Option<Digest>>,
    ) -> Self {
        let types = [
            media_type::OCI_MANIFEST,
            media_type::DOCKER_MANIFEST,
            media_type::OCI_INDEX,
            media_type::DOCKER_LIST,
            media_type::DOCKER_V1_SIGNED,
            media_type::DOCKER_V1,
        ];
        let ability = signatures.can_be_kept().then_some("signatures");
        let abilities = ["lists", "foreign-layers"].into_iter().chain(ability);
        let traits = DestinationTraits {
            manifest_types: types.map(str::to_owned).to_vec(),
            layer_compression: LayerWish::Compress,
            abilities: abilities.map(str::to_owned).collect(),
            signatures_refused: Some(NO_STORAGE.to_owned()),
        };
        Self {
            repository,
            identity,
            traits,
            key,
            mount_from,
            signatures,
            named,
            written: StdMutex::default(),
            underway: Underway::new(),
        }
    }

    /// The blob, if the repository has it.
    async fn existing(&self, info: &BlobInfo) -> Result<Option<Reused>, TransportError> {
        let Some(digest) = &info.digest else { return Ok(None) };
        let size = self.repository.blob_exists(digest).await.map_err(failed)?;
        Ok(size.map(|size| held(info, size, false)))
    }

    /// Takes the blob over from another repository of the registry, whose answer for want of it is no failure: the blob is uploaded then.
    async fn take_over(&self, digest: &Digest, from: &str) -> Result<Option<u64>, TransportError> {
        match self.repository.mount(digest, from).await {
            Ok(true) => self.repository.blob_exists(digest).await.map_err(failed),
            Ok(false) => Ok(None),
            Err(error) => {
                tracing::debug!(%digest, %error, "mounting the blob from {from} failed, it is uploaded instead");
                Ok(None)
            }
        }
    }
}

/// The digest of what the registry has under the name that `manifest` is to have; none also if it does not tell.
pub(super) async fn named(repository: &Repository, key: Option<String>, manifest: &RawManifest) -> Option<Digest> {
    let key = key.unwrap_or_else(|| manifest.digest(Algorithm::Sha256).to_string());
    // Whatever is wrong with the registry shows when something is written.
    repository.manifest_head(&key).await.ok()?.digest
}

/// A blob that is there, as `info` names it.
fn held(info: &BlobInfo, size: u64, mounted: bool) -> Reused {
    Reused {
        info: BlobInfo {
            size: Some(size),
            ..info.clone()
        },
        mounted,
    }
}

#[async_trait]
impl ImageDestination for DockerDestination {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn traits(&self) -> &DestinationTraits {
        &self.traits
    }

    async fn reuse(&self, info: &BlobInfo, _substitute: bool) -> Result<Option<Reused>, TransportError> {
        match &self.mount_from {
            None => self.existing(info).await,
            // Where nothing has the image's name, the repository is likely to be new and without blobs.
            Some(from) if self.named == Some(None) => match self.mount(info, from).await? {
                None => self.existing(info).await,
                mounted => Ok(mounted),
            },
            Some(from) => match self.existing(info).await? {
                None => self.mount(info, from).await,
                existing => Ok(existing),
            },
        }
    }

    async fn mount(&self, info: &BlobInfo, from: &str) -> Result<Option<Reused>, TransportError> {
        let Some(digest) = &info.digest else { return Ok(None) };
        Ok(self.take_over(digest, from).await?.map(|size| held(info, size, true)))
    }

    async fn has_manifest(&self, manifest: &RawManifest) -> bool {
        let named = match &self.named {
            Some(named) => named.clone(),
            None => named(&self.repository, self.key.clone(), manifest).await,
        };
        named == Some(manifest.digest(Algorithm::Sha256))
    }

    async fn begin_blob(&self, info: &BlobInfo) -> Result<Option<PendingBlob>, TransportError> {
        let upload = self.repository.start_upload().await.map_err(failed)?;
        let (sink, body) = upload_channel();
        let size = info.size;
        // Fields are dropped in order: the upload registers its cancellation before the task counts as gone.
        let held = (upload, self.underway.enter());
        let sending = tokio::spawn(async move {
            // Named whole, or only the field that is used would move into the task.
            let mut held = held;
            held.0.send(body, size).await.map(|()| held.0)
        });
        let publish = DockerUpload {
            client: self.repository.client().clone(),
            sending: Some(sending),
        };
        Ok(Some(PendingBlob {
            sink: Box::new(sink),
            publish: Box::new(publish),
        }))
    }

    fn sigstore_refused(&self) -> Option<String> {
        self.signatures.sigstore_refused().map(str::to_owned)
    }

    async fn put_manifest(&self, manifest: &RawManifest, instance: Option<&Digest>) -> Result<(), TransportError> {
        let key = match (instance, &self.key) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(key)) => key.clone(),
            (None, None) => manifest.digest(Algorithm::Sha256).to_string(),
        };
        let put = self
            .repository
            .put_manifest(&key, Bytes::from_owner(manifest.shared_bytes()), manifest.media_type())
            .await;
        put.map_err(failed)?;
        if instance.is_none() {
            let named = self.key.as_deref().and_then(|key| Digest::parse(key).ok());
            let digest = named.unwrap_or_else(|| manifest.digest(Algorithm::Sha256));
            *self.written.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
        }
        Ok(())
    }

    async fn put_signatures(&self, signatures: &[Vec<u8>], instance: Option<&Digest>) -> Result<(), TransportError> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match instance.cloned().or(written) {
            Some(digest) => self.signatures.write(&digest, signatures).await,
            None => {
                let text = "Unknown manifest digest, can't add signatures";
                Err(TransportError::new(ErrorKind::Other, text))
            }
        }
    }

    async fn commit(self: Box<Self>, _top: &RawManifest) -> Result<(), TransportError> {
        Ok(())
    }

    async fn settle(&self) {
        self.underway.ended().await;
        self.repository.client().settle().await;
    }
}

/// How long the request of an upload that is given up may take to end: by what the registry answered, or for want of data.
const ANSWER_WAIT: Duration = Duration::from_secs(1);

/// An upload session and the request that fills it. Dropped, the request is broken and the session cancelled.
struct DockerUpload {
    client: Client,
    sending: Option<JoinHandle<Result<Upload, RegistryError>>>,
}

impl DockerUpload {
    async fn sent(&mut self) -> Result<Upload, TransportError> {
        let internal = |text: String| TransportError::new(ErrorKind::Other, text);
        let sending = self
            .sending
            .as_mut()
            .ok_or_else(|| internal("the upload has ended".into()))?;
        let sent = sending.await.map_err(|error| internal(error.to_string()))?;
        self.sending = None;
        sent.map_err(failed)
    }
}

#[async_trait]
impl Publish for DockerUpload {
    async fn finish(mut self: Box<Self>, digest: &Digest, _size: u64) -> Result<(), TransportError> {
        self.sent().await?.finish(digest).await.map(|_| ()).map_err(failed)
    }

    async fn abort(mut self: Box<Self>) -> Option<TransportError> {
        let cause = match tokio::time::timeout(ANSWER_WAIT, self.sent()).await {
            Ok(Ok(upload)) => {
                upload.cancel().await;
                None
            }
            Ok(Err(cause)) => Some(cause),
            Err(_) => None,
        };
        if let Some(sending) = self.sending.take() {
            sending.abort();
            // The session is given up when the task is gone, not when it is told to go.
            let _ = sending.await;
        }
        self.client.settle().await;
        cause
    }
}

impl Drop for DockerUpload {
    fn drop(&mut self) {
        if let Some(sending) = self.sending.take() {
            sending.abort();
        }
    }
}
