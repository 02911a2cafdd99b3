//! Images and destinations in memory, honest and hostile.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_blob::{ChunkSink, ChunkSource, LayerWish};
use longshore_config::policy::Policy;
use longshore_types::{BlobInfo, Digest, ErrorKind, ImageName, RawManifest, Reference, media_type};
use tokio::sync::Barrier;

use crate::access::Access;
use crate::destination::{DestinationTraits, ImageDestination, PendingBlob, Publish, Reused};
use crate::error::TransportError;
use crate::policy::{Evaluator, Evaluators, ImageFacts, SignaturePolicy, Verdict};
use crate::source::{Body, ImageSource};
use crate::transport::{Identity, Location, Purpose, Transport};
use crate::transports::{Endpoint, Transports};

/// How a source treats one of its blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Missing,
    Cut,
    Longer,
    Altered,
    ClaimsOtherSize,
    /// Never ends.
    Endless,
}

/// A source's image.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeImage {
    pub(crate) top: Option<RawManifest>,
    pub(crate) instances: HashMap<Digest, RawManifest>,
    pub(crate) blobs: HashMap<Digest, Bytes>,
    pub(crate) faults: HashMap<Digest, Fault>,
    pub(crate) signatures: Vec<Vec<u8>>,
    /// No layer comes before so many are asked for.
    pub(crate) meeting: Option<Arc<Barrier>>,
}

/// A layer as the tests describe one: its bytes and media type.
pub(crate) type FakeLayer<'a> = (&'a [u8], &'a str);

impl FakeImage {
    /// An OCI image of these layers, with a config that lists `diff_ids`.
    pub(crate) fn oci(layers: &[FakeLayer<'_>], diff_ids: &[Digest]) -> Self {
        Self::new(media_type::OCI_MANIFEST, media_type::OCI_CONFIG, layers, diff_ids)
    }

    /// A docker schema 2 image of these layers.
    pub(crate) fn docker(layers: &[FakeLayer<'_>]) -> Self {
        Self::new(media_type::DOCKER_MANIFEST, media_type::DOCKER_CONFIG, layers, &[])
    }

    fn new(manifest_type: &str, config_type: &str, layers: &[FakeLayer<'_>], diff_ids: &[Digest]) -> Self {
        let diff_ids: Vec<String> = diff_ids.iter().map(|digest| format!("\"{digest}\"")).collect();
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
            diff_ids.join(",")
        );
        let mut image = Self::default();
        let config = image.add(config.as_bytes(), config_type);
        let layers: Vec<String> = layers
            .iter()
            .map(|(bytes, media_type)| image.add(bytes, media_type))
            .collect();
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{manifest_type}","config":{config},"layers":[{}]}}"#,
            layers.join(",")
        );
        image.top = Some(RawManifest::new(manifest, Some(manifest_type)).unwrap());
        image
    }

    fn add(&mut self, bytes: &[u8], media_type: &str) -> String {
        let digest = Digest::sha256(bytes);
        self.blobs.insert(digest.clone(), Bytes::copy_from_slice(bytes));
        format!(
            r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{}}}"#,
            bytes.len()
        )
    }

    /// The same image behind an index with one entry for the running platform; `edit` may make the index lie.
    pub(crate) fn listed(mut self, edit: impl FnOnce(String) -> String) -> Self {
        let manifest = self.top.take().unwrap();
        let digest = manifest.digest(longshore_types::Algorithm::Sha256);
        let wish = longshore_types::PlatformWish::running();
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{digest}","size":{},"platform":{{"architecture":"{}","os":"{}"}}}}]}}"#,
            media_type::OCI_INDEX,
            manifest.media_type(),
            manifest.size(),
            wish.architecture,
            wish.os,
        );
        self.instances.insert(digest, manifest);
        self.top = Some(RawManifest::new(edit(index), Some(media_type::OCI_INDEX)).unwrap());
        self
    }

    /// An image whose one layer has no end that anybody lives to see.
    pub(crate) fn endless() -> Self {
        let image = Self::oci(&[(b"endless", "application/vnd.oci.image.layer.v1.tar")], &[])
            .with_fault(b"endless", Fault::Endless);
        image.edited(|text| text.replace("\"size\":7}", "\"size\":1152921504606846976}"))
    }

    /// One more layer on top.
    pub(crate) fn and_layer(mut self, bytes: &[u8]) -> Self {
        let layer = self.add(bytes, "application/vnd.oci.image.layer.v1.tar");
        self.edited(|text| text.replace("}]}", &format!("}},{layer}]}}")))
    }

    fn edited(mut self, edit: impl FnOnce(&str) -> String) -> Self {
        let manifest = self.top.take().unwrap();
        let text = std::str::from_utf8(manifest.bytes()).unwrap();
        let edited = edit(text);
        assert_ne!(text, edited);
        self.top = Some(RawManifest::new(edited, Some(manifest.media_type())).unwrap());
        self
    }

    pub(crate) fn with_fault(mut self, blob: &[u8], fault: Fault) -> Self {
        self.faults.insert(Digest::sha256(blob), fault);
        self
    }

    pub(crate) fn manifest_digest(&self) -> Digest {
        self.top.as_ref().unwrap().digest(longshore_types::Algorithm::Sha256)
    }
}

/// What a destination is told to do, and what happened to it.
#[derive(Debug)]
pub(crate) struct FakeStore {
    pub(crate) traits: DestinationTraits,
    pub(crate) reference: Option<Reference>,
    /// Manifest types that `put_manifest` rejects.
    pub(crate) rejects: Vec<&'static str>,
    /// So many sinks fail in mid-blob.
    pub(crate) fails: AtomicUsize,
    /// What the destination says about its failed sinks.
    pub(crate) cause: Option<&'static str>,
    /// So many sinks fail with an error that asks for the blob once more.
    pub(crate) wants_repeats: AtomicUsize,
    /// What `reuse` says about sizes of blobs that are there.
    pub(crate) lies_about_size: bool,
    pub(crate) happened: Mutex<Happened>,
}

/// The traces of a copy.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    pub(crate) opened: usize,
    pub(crate) begun: Vec<BlobInfo>,
    pub(crate) open_blobs: usize,
    pub(crate) most_open_blobs: usize,
    pub(crate) aborted: usize,
    pub(crate) blobs: HashMap<Digest, Bytes>,
    pub(crate) manifests: Vec<RawManifest>,
    pub(crate) signatures: Vec<Vec<u8>>,
    pub(crate) committed: Option<RawManifest>,
}

impl Default for FakeStore {
    fn default() -> Self {
        Self {
            traits: DestinationTraits {
                manifest_types: Vec::new(),
                layer_compression: LayerWish::Preserve,
                abilities: BTreeSet::new(),
                signatures_refused: None,
            },
            reference: None,
            rejects: Vec::new(),
            fails: AtomicUsize::new(0),
            cause: None,
            wants_repeats: AtomicUsize::new(0),
            lies_about_size: false,
            happened: Mutex::default(),
        }
    }
}

impl FakeStore {
    pub(crate) fn accepting(manifest_types: &[&str]) -> Self {
        let mut store = Self::default();
        store.traits.manifest_types = manifest_types.iter().map(|name| (*name).to_owned()).collect();
        store
    }

    pub(crate) fn wishing(wish: LayerWish) -> Self {
        let mut store = Self::default();
        store.traits.layer_compression = wish;
        store
    }

    pub(crate) fn able(ability: &str) -> Self {
        let mut store = Self::default();
        store.traits.abilities.insert(ability.to_owned());
        store
    }

    pub(crate) fn holding(self, blobs: &[&[u8]]) -> Self {
        for blob in blobs {
            self.happened
                .lock()
                .unwrap()
                .blobs
                .insert(Digest::sha256(blob), Bytes::copy_from_slice(blob));
        }
        self
    }
}

/// `fake:source` and `fake:destination`.
pub(crate) struct FakeTransport {
    pub(crate) image: Arc<FakeImage>,
    pub(crate) store: Arc<FakeStore>,
}

/// A transport with both, and how to name them.
pub(crate) fn transports(image: FakeImage, store: &Arc<FakeStore>) -> (Transports, Endpoint, Endpoint) {
    let transport: Arc<dyn Transport> = Arc::new(FakeTransport {
        image: Arc::new(image),
        store: Arc::clone(store),
    });
    let transports = Transports::new([transport]);
    let named = |text: &str| Endpoint {
        name: ImageName::parse(text, ["fake"]).unwrap(),
        access: Access::default(),
    };
    (transports, named("fake:source"), named("fake:destination"))
}

fn identity(reference: &str) -> Identity {
    Identity {
        transport: "fake".into(),
        canonical: reference.into(),
        docker_reference: None,
        policy_identity: reference.into(),
        policy_scopes: Vec::new(),
    }
}

#[async_trait]
impl Transport for FakeTransport {
    fn name(&self) -> &str {
        "fake"
    }

    async fn parse(&self, reference: &str, _: Purpose, _: &Access) -> Result<Box<dyn Location>, TransportError> {
        match reference {
            "source" | "destination" => Ok(Box::new(FakeLocation {
                identity: identity(reference),
                image: Arc::clone(&self.image),
                store: Arc::clone(&self.store),
            })),
            other => Err(TransportError::new(
                ErrorKind::InvalidReference,
                format!("no such reference {other:?}"),
            )),
        }
    }
}

struct FakeLocation {
    identity: Identity,
    image: Arc<FakeImage>,
    store: Arc<FakeStore>,
}

#[async_trait]
impl Location for FakeLocation {
    fn display(&self) -> String {
        self.identity.display()
    }

    async fn open_source(self: Box<Self>) -> Result<Box<dyn ImageSource>, TransportError> {
        Ok(Box::new(FakeSource {
            identity: self.identity.clone(),
            image: Arc::clone(&self.image),
        }))
    }

    async fn open_destination(self: Box<Self>, _: &Identity) -> Result<Box<dyn ImageDestination>, TransportError> {
        self.store.happened.lock().unwrap().opened += 1;
        let identity = Identity {
            docker_reference: self.store.reference.clone(),
            ..self.identity.clone()
        };
        Ok(Box::new(FakeDestination {
            identity,
            store: Arc::clone(&self.store),
        }))
    }

    async fn delete(self: Box<Self>) -> Result<(), TransportError> {
        Err(TransportError::unsupported("fake", "deletion"))
    }

    async fn list(self: Box<Self>) -> Result<Vec<String>, TransportError> {
        Ok(vec!["source".into()])
    }
}

struct FakeSource {
    identity: Identity,
    image: Arc<FakeImage>,
}

#[async_trait]
impl ImageSource for FakeSource {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    async fn manifest(&self, instance: Option<&Digest>) -> Result<RawManifest, TransportError> {
        let found = match instance {
            None => self.image.top.as_ref(),
            Some(digest) => self
                .image
                .instances
                .get(digest)
                .or(self.image.instances.values().next()),
        };
        found
            .cloned()
            .ok_or_else(|| TransportError::new(ErrorKind::ImageNotFound, "no such image"))
    }

    async fn blob(&self, info: &BlobInfo) -> Result<Body, TransportError> {
        let digest = info.digest.as_ref().unwrap();
        let missing = || TransportError::new(ErrorKind::BlobNotFound, "no such blob");
        let bytes = self.image.blobs.get(digest).ok_or_else(missing)?.clone();
        if let (Some(meeting), Some("layer")) = (&self.image.meeting, info.role()) {
            meeting.wait().await;
        }
        let mut size = None;
        let bytes = match self.image.faults.get(digest) {
            None => bytes,
            Some(Fault::Missing) => return Err(missing()),
            Some(Fault::Cut) => bytes.slice(..bytes.len() - 1),
            Some(Fault::Longer) => [&bytes[..], b"x"].concat().into(),
            Some(Fault::Altered) => bytes.iter().map(|byte| byte ^ 1).collect::<Vec<u8>>().into(),
            Some(Fault::ClaimsOtherSize) => {
                size = Some(bytes.len() as u64 + 1);
                bytes
            }
            Some(Fault::Endless) => {
                return Ok(Body {
                    source: Box::new(Endless),
                    size: None,
                });
            }
        };
        Ok(Body {
            source: Box::new(Pieces(bytes)),
            size,
        })
    }

    async fn signatures(&self, _: Option<&Digest>) -> Result<Vec<Vec<u8>>, TransportError> {
        Ok(self.image.signatures.clone())
    }
}

/// Bytes in pieces that no boundary of the blob's own fits.
struct Pieces(Bytes);

impl ChunkSource for Pieces {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let count = self.0.len().min(5);
        Ok((count > 0).then(|| self.0.split_to(count)))
    }
}

struct Endless;

impl ChunkSource for Endless {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        Ok(Some(Bytes::from_static(b"more")))
    }
}

struct FakeDestination {
    identity: Identity,
    store: Arc<FakeStore>,
}

#[async_trait]
impl ImageDestination for FakeDestination {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn traits(&self) -> &DestinationTraits {
        &self.store.traits
    }

    async fn reuse(&self, info: &BlobInfo, substitute: bool) -> Result<Option<Reused>, TransportError> {
        assert!(!substitute);
        let happened = self.store.happened.lock().unwrap();
        let held = happened.blobs.get(info.digest.as_ref().unwrap());
        Ok(held.map(|bytes| {
            let size = bytes.len() as u64 + u64::from(self.store.lies_about_size);
            Reused {
                info: BlobInfo {
                    size: Some(size),
                    ..info.clone()
                },
                mounted: false,
            }
        }))
    }

    async fn begin_blob(&self, info: &BlobInfo) -> Result<Option<PendingBlob>, TransportError> {
        let mut happened = self.store.happened.lock().unwrap();
        happened.begun.push(info.clone());
        happened.open_blobs += 1;
        happened.most_open_blobs = happened.most_open_blobs.max(happened.open_blobs);
        let staged = Arc::new(Mutex::new(Vec::new()));
        let fails = self
            .store
            .fails
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1))
            .is_ok();
        let sink = FakeSink {
            staged: Arc::clone(&staged),
            fails,
        };
        let publish = FakePublish {
            staged,
            store: Arc::clone(&self.store),
            ended: false,
        };
        Ok(Some(PendingBlob {
            sink: Box::new(sink),
            publish: Box::new(publish),
        }))
    }

    async fn put_manifest(&self, manifest: &RawManifest, instance: Option<&Digest>) -> Result<(), TransportError> {
        assert_eq!(instance, None);
        if self.store.rejects.contains(&manifest.media_type()) {
            return Err(TransportError::new(ErrorKind::ManifestTypeRejected, "not this one"));
        }
        self.store.happened.lock().unwrap().manifests.push(manifest.clone());
        Ok(())
    }

    async fn put_signatures(&self, signatures: &[Vec<u8>], _: Option<&Digest>) -> Result<(), TransportError> {
        self.store.happened.lock().unwrap().signatures = signatures.to_vec();
        Ok(())
    }

    async fn commit(self: Box<Self>, top: &RawManifest) -> Result<(), TransportError> {
        self.store.happened.lock().unwrap().committed = Some(top.clone());
        Ok(())
    }
}

struct FakeSink {
    staged: Arc<Mutex<Vec<u8>>>,
    fails: bool,
}

impl ChunkSink for FakeSink {
    fn write_chunk(&mut self, chunk: Bytes) -> io::Result<()> {
        let mut staged = self.staged.lock().unwrap();
        staged.extend_from_slice(&chunk);
        if self.fails && staged.len() > 7 {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct FakePublish {
    staged: Arc<Mutex<Vec<u8>>>,
    store: Arc<FakeStore>,
    ended: bool,
}

#[async_trait]
impl Publish for FakePublish {
    async fn finish(mut self: Box<Self>, digest: &Digest, size: u64) -> Result<(), TransportError> {
        self.ended = true;
        let bytes = Bytes::from(self.staged.lock().unwrap().clone());
        assert_eq!(
            Arc::strong_count(&self.staged),
            1,
            "the sink is gone before the blob is published"
        );
        assert_eq!(
            (Digest::of(digest.algorithm(), &bytes), bytes.len() as u64),
            (digest.clone(), size)
        );
        let mut happened = self.store.happened.lock().unwrap();
        happened.open_blobs -= 1;
        happened.blobs.insert(digest.clone(), bytes);
        Ok(())
    }

    async fn abort(self: Box<Self>) -> Option<TransportError> {
        let error = self
            .store
            .cause
            .map(|cause| TransportError::new(ErrorKind::NoSpace, cause))?;
        let repeats = self
            .store
            .wants_repeats
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1));
        Some(if repeats.is_ok() { error.wanting_repeat() } else { error })
    }
}

impl Drop for FakePublish {
    fn drop(&mut self) {
        if !self.ended {
            let mut happened = self.store.happened.lock().unwrap();
            happened.open_blobs -= 1;
            happened.aborted += 1;
        }
    }
}

/// Evaluators of the two requirements that need no signature, and of `needsSignature`, which counts.
#[derive(Default)]
pub(crate) struct FakeEvaluators {
    pub(crate) asked: Arc<AtomicUsize>,
    pub(crate) seen: Arc<Mutex<Vec<Digest>>>,
}

struct FakeEvaluator {
    kind: String,
    seen: Arc<Mutex<Vec<Digest>>>,
}

#[async_trait]
impl Evaluators for FakeEvaluators {
    async fn find(&self, requirement_type: &str) -> Result<Option<Box<dyn Evaluator>>, String> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let known = ["insecureAcceptAnything", "reject", "fails"].contains(&requirement_type);
        Ok(known.then(|| {
            Box::new(FakeEvaluator {
                kind: requirement_type.to_owned(),
                seen: Arc::clone(&self.seen),
            }) as Box<dyn Evaluator>
        }))
    }
}

#[async_trait]
impl Evaluator for FakeEvaluator {
    async fn files(&self, _: &str) -> Result<Vec<PathBuf>, String> {
        Ok(Vec::new())
    }

    async fn evaluate(&self, _: &str, _: &[(PathBuf, Vec<u8>)], image: &ImageFacts) -> Result<Verdict, String> {
        self.seen.lock().unwrap().push(image.manifest_digest.clone());
        match self.kind.as_str() {
            "insecureAcceptAnything" => Ok(Verdict::Accepted { signed: false }),
            "reject" => Ok(Verdict::Rejected(Vec::new())),
            other => Err(format!("{other} is out of order")),
        }
    }
}

/// A policy that accepts everything.
pub(crate) fn anything() -> SignaturePolicy {
    SignaturePolicy::new(Policy::accept_anything(), Arc::new(FakeEvaluators::default()))
}
