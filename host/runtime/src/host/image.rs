use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use longshore_types::RawManifest;
use wasmtime::component::Resource;

use crate::bindings::policy::longshore::policy::image::{Host, HostImage};
use crate::state::State;

/// Fetches and verifies the image's configuration, or says why it cannot be had.
/// Called on the evaluator's thread, which it may block, when an evaluator asks.
pub type ConfigFetcher = Arc<dyn Fn() -> Result<Vec<u8>, String> + Send + Sync>;

/// The image that a policy evaluator judges, as the host knows it.
#[derive(Clone)]
pub struct ImageFacts {
    /// Transport name.
    pub transport: String,
    /// The name that policy scopes were looked up by; may be empty.
    pub policy_identity: String,
    /// Canonical docker reference, if the transport has one.
    pub docker_reference: Option<String>,
    /// `TRANSPORT:REFERENCE`, for messages.
    pub name: String,
    /// The manifest that would be copied.
    pub manifest: RawManifest,
    /// The index that it was chosen from, if any.
    pub index: Option<RawManifest>,
    /// Stored form of each signature found, in storage order.
    pub signatures: Vec<Vec<u8>>,
    /// The configuration, on demand.
    pub config: ConfigFetcher,
    /// When the evaluation began.
    pub now: SystemTime,
}

impl Host for State {}

impl HostImage for State {
    fn transport(&mut self, image: Resource<ImageFacts>) -> wasmtime::Result<String> {
        self.image(&image, |image| image.transport.clone())
    }

    fn policy_identity(&mut self, image: Resource<ImageFacts>) -> wasmtime::Result<String> {
        self.image(&image, |image| image.policy_identity.clone())
    }

    fn docker_reference(&mut self, image: Resource<ImageFacts>) -> wasmtime::Result<Option<String>> {
        self.image(&image, |image| image.docker_reference.clone())
    }

    fn name(&mut self, image: Resource<ImageFacts>) -> wasmtime::Result<String> {
        self.image(&image, |image| image.name.clone())
    }

    fn manifest(&mut self, image: Resource<ImageFacts>) -> wasmtime::Result<Vec<u8>> {
        self.image(&image, |image| image.manifest.bytes().to_vec())
    }

    fn manifest_type(&mut self, image: Resource<ImageFacts>) -> wasmtime::Result<String> {
        self.image(&image, |image| image.manifest.media_type().to_owned())
    }

    fn manifest_digest(&mut self, image: Resource<ImageFacts>) -> wasmtime::Result<String> {
        self.image(&image, |image| {
            image.manifest.digest(longshore_types::Algorithm::Sha256).to_string()
        })
    }

    fn index(&mut self, image: Resource<ImageFacts>) -> wasmtime::Result<Option<Vec<u8>>> {
        self.image(&image, |image| image.index.as_ref().map(|index| index.bytes().to_vec()))
    }

    fn signatures(&mut self, image: Resource<ImageFacts>) -> wasmtime::Result<Vec<Vec<u8>>> {
        self.image(&image, |image| image.signatures.clone())
    }

    fn config(&mut self, image: Resource<ImageFacts>) -> wasmtime::Result<Result<Vec<u8>, String>> {
        self.image(&image, |image| (image.config)())
    }

    fn now(&mut self, image: Resource<ImageFacts>) -> wasmtime::Result<u64> {
        self.image(&image, |image| {
            image
                .now
                .duration_since(UNIX_EPOCH)
                .map_or(0, |elapsed| elapsed.as_secs())
        })
    }

    fn drop(&mut self, image: Resource<ImageFacts>) -> wasmtime::Result<()> {
        self.enter();
        self.table.delete(image)?;
        Ok(())
    }
}

impl State {
    fn image<T>(&mut self, image: &Resource<ImageFacts>, answer: impl FnOnce(&ImageFacts) -> T) -> wasmtime::Result<T> {
        self.enter();
        Ok(answer(self.table.get(image)?))
    }
}
